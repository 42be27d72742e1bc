//! Every kernel variant, one table per operation.
//!
//! A table is in order of preference, the scalar variant last. It drives selection, the equivalence
//! tests and the benchmarks alike, so a variant cannot exist untested. Names follow
//! `{op}_{weights}_{acts}_{out}__{level}`.

use trit_core::reference::{DftTable, FFT_SIZE, LANES};
use trit_core::{MatrixError, QuantizeError, QuantizedActsMut, TernaryMatrix};

use crate::arch::Scalar;
use crate::cpu::{Cpu, Level, Levels};
use crate::float::attention::{Shape, attention};
use crate::float::{dense, elementwise, norm, spectrum};
use crate::ops::{Input, convert, int4, int8, quantize, ternary};

/// One variant of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel<F> {
    /// Its name.
    pub(crate) name: &'static str,
    /// The instructions it needs.
    pub(crate) level: Level,
    pub(crate) run: F,
}

/// The variants of an operation, on any architecture: best first, then the scalar one.
pub(crate) struct Table<F: 'static> {
    /// `run` is there on the targets of the level.
    variants: &'static [Kernel<Option<F>>],
    scalar: Kernel<F>,
}

impl<F: Copy> Table<F> {
    /// The variant that a CPU gets: the first whose instructions it has.
    pub(crate) fn choose(&self, cpu: &Cpu) -> Kernel<F> {
        let mut variants = self.variants.iter().filter(|kernel| cpu.has(kernel.level));
        let built = |&Kernel { name, level, run }| Some(Kernel { name, level, run: run? });
        variants.find_map(built).unwrap_or(self.scalar)
    }
}

/// What can be said of a table whatever its functions are.
trait Catalogue: Sync {
    /// The name of the variant that a CPU with `levels` gets.
    fn chosen(&self, levels: Levels) -> &'static str;

    /// Name and level of the variant at `index`, and whether this build has it.
    fn variant(&self, index: usize) -> Option<(&'static str, Level, bool)>;
}

impl<F: Copy + Sync> Catalogue for Table<F> {
    fn chosen(&self, levels: Levels) -> &'static str {
        let found = self.variants.iter().find(|kernel| levels.has(kernel.level));
        found.map_or(self.scalar.name, |kernel| kernel.name)
    }

    fn variant(&self, index: usize) -> Option<(&'static str, Level, bool)> {
        let best = self.variants.iter();
        let best = best.map(|kernel| (kernel.name, kernel.level, kernel.run.is_some()));
        best.chain([(self.scalar.name, self.scalar.level, true)]).nth(index)
    }
}

/// How many operations there are.
pub const OPERATIONS: usize = TABLES.len();

/// Every operation's table.
static TABLES: [&dyn Catalogue; 17] = [
    &TERNARY_T4,
    &TERNARY_T5,
    &INT4,
    &INT8,
    &CONVERT,
    &QUANTIZE,
    &DENSE_F32,
    &DENSE_F16,
    &LAYER_NORM,
    &RMS_NORM,
    &SOFTMAX,
    &GELU,
    &SQUARED_RELU,
    &ADD,
    &LOG10,
    &ATTENTION,
    &MEL,
];

/// Name and level of every variant this build has, by operation, best first.
pub fn variants() -> impl Iterator<Item = (&'static str, Level)> {
    every().filter_map(|(name, level, built)| built.then_some((name, level)))
}

/// Name and level of every variant on any architecture, by operation, best first.
pub fn catalogue() -> impl Iterator<Item = (&'static str, Level)> {
    every().map(|(name, level, _)| (name, level))
}

fn every() -> impl Iterator<Item = (&'static str, Level, bool)> {
    TABLES.iter().flat_map(|table| (0..).map_while(|index| table.variant(index)))
}

/// The name of the variant of each operation that a CPU with `levels` gets, whatever architecture
/// this is compiled for.
///
/// On the CPU at hand these are the names of [`Kernels::new`](crate::Kernels::new):
///
/// ```
/// use trit_simd::{Cpu, Kernels, registry};
///
/// let cpu = Cpu::detect();
/// assert_eq!(registry::chosen(cpu.levels()), Kernels::new(&cpu).names());
/// ```
pub fn chosen(levels: Levels) -> [&'static str; OPERATIONS] {
    TABLES.map(|table| table.chosen(levels))
}

/// Declares an operation: its function type and its table.
///
/// `dot` operations have a variant for every level, as each has integer products of its own;
/// `vector` operations for those that bring another vector length or none, since a body that the
/// compiler vectorises gains nothing from a dot product instruction. Those that rewrite T5 have one
/// more, for a level that looks bytes up.
///
/// Each variant takes its level's token from the CPU, so that it cannot run where the instructions
/// are missing; without the token it does the same work in scalar code.
macro_rules! operation {
    (
        $(#[$doc:meta])*
        $set:ident $table:ident: $type:ident = $name:literal,
        |$isa:ident $(, $argument:ident: $kind:ty)*| $(-> $output:ty)? $body:block
    ) => {
        pub(crate) type $type = fn(&Cpu $(, $kind)*) $(-> $output)?;

        $(#[$doc])*
        pub(crate) static $table: Table<$type> = Table {
            variants: operation!(@$set ($name, $isa ($($argument),*) $body)),
            scalar: Kernel {
                name: concat!($name, "__scalar"),
                level: Level::Scalar,
                run: |_cpu $(, $argument)*| {
                    let $isa = Scalar;
                    $body
                },
            },
        };
    };
    (@dot $operation:tt) => {
        operation!(@variants $operation: avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128)
    };
    (@vector $operation:tt) => {
        operation!(@variants $operation: avx512vnni avx2 neon simd128)
    };
    (@dot_t5 $operation:tt) => {
        operation!(@variants $operation:
            avx512vbmi avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128)
    };
    (@vector_t5 $operation:tt) => {
        operation!(@variants $operation: avx512vbmi avx512vnni avx2 neon simd128)
    };
    (@variants $operation:tt: $($level:ident)+) => {
        &[$(operation!(@$level $operation)),+]
    };
    (@avx512vbmi $operation:tt) => {
        operation!(@variant "avx512vbmi" Avx512Vbmi avx512_vbmi, target_arch = "x86_64", $operation)
    };
    (@avx512vnni $operation:tt) => {
        operation!(@variant "avx512vnni" Avx512Vnni avx512_vnni, target_arch = "x86_64", $operation)
    };
    (@avxvnni $operation:tt) => {
        operation!(@variant "avxvnni" AvxVnni avx_vnni, target_arch = "x86_64", $operation)
    };
    (@avx2 $operation:tt) => {
        operation!(@variant "avx2" Avx2 avx2, target_arch = "x86_64", $operation)
    };
    (@i8mm $operation:tt) => {
        operation!(@variant "i8mm" I8mm i8mm, target_arch = "aarch64", $operation)
    };
    (@sve $operation:tt) => {
        operation!(@variant "sve" Sve sve, target_arch = "aarch64", $operation)
    };
    (@dotprod $operation:tt) => {
        operation!(@variant "dotprod" Dotprod dotprod, target_arch = "aarch64", $operation)
    };
    (@neon $operation:tt) => {
        operation!(@variant "neon" Neon neon, target_arch = "aarch64", $operation)
    };
    (@simd128 $operation:tt) => {
        operation!(@variant "simd128" Simd128 simd128,
            all(target_arch = "wasm32", target_feature = "simd128"), $operation)
    };
    (@variant $label:literal $level:ident $token:ident, $target:meta,
        ($name:literal, $isa:ident ($($argument:ident),*) $body:block)) => {
        Kernel {
            name: concat!($name, "__", $label),
            level: Level::$level,
            run: {
                #[cfg($target)]
                {
                    Some(|cpu $(, $argument)*| match cpu.$token() {
                        Some($isa) => $body,
                        None => {
                            let $isa = Scalar;
                            $body
                        }
                    })
                }
                #[cfg(not($target))]
                {
                    None
                }
            },
        }
    };
}

operation! {
    /// Ternary weights in T4 × int8 activations.
    dot TERNARY_T4: TernaryFn = "ternary_t4_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]| { ternary::t4(isa, w, input, y) }
}

operation! {
    /// Ternary weights in T5 × int8 activations.
    dot_t5 TERNARY_T5: TernaryT5Fn = "ternary_t5_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]| { ternary::t5(isa, w, input, y) }
}

operation! {
    /// 4-bit group-quantised weights × int8 activations.
    dot INT4: Int4Fn = "matmul_i4_i8_f32",
    |isa, w: &trit_core::Int4Matrix<'_>, input: &Input<'_>, y: &mut [f32]| {
        int4::product(isa, w, input, y)
    }
}

operation! {
    /// Int8 weights × int8 activations.
    dot INT8: Int8Fn = "matmul_i8_i8_f32",
    |isa, w: &trit_core::Int8Matrix<'_>, input: &Input<'_>, y: &mut [f32]| {
        int8::product(isa, w, input, y)
    }
}

operation! {
    /// Ternary weights from T5 to T4.
    vector_t5 CONVERT: ConvertFn = "convert_t5_none_t4",
    |isa, k: usize, t5: &[u8], t4: &mut [u8]| -> Result<(), MatrixError> {
        convert::t5_to_t4(isa, k, t5, t4)
    }
}

operation! {
    /// Activations to int8.
    vector QUANTIZE: QuantizeFn = "quantize_none_f32_i8",
    |isa, x: &[f32], stride: usize, out: &mut QuantizedActsMut<'_>| -> Result<(), QuantizeError> {
        quantize::quantize(isa, x, stride, out)
    }
}

/// Shapes and operands of a dense product besides the weights.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dense<'a> {
    pub(crate) k: usize,
    pub(crate) x: &'a [f32],
    pub(crate) x_stride: usize,
    pub(crate) tokens: usize,
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
}

operation! {
    /// Dense f32 weights × f32 activations.
    vector DENSE_F32: DenseF32Fn = "matmul_f32_f32_f32",
    |isa, w: &[f32], a: &Dense<'_>, y: &mut [f32]| {
        let rows = a.first_row..a.first_row + a.rows;
        dense::dense(isa, w, a.k, a.x, a.x_stride, a.tokens, a.bias, rows, y)
    }
}

operation! {
    /// Dense f16 weights × f32 activations.
    vector DENSE_F16: DenseF16Fn = "matmul_f16_f32_f32",
    |isa, w: &[u16], a: &Dense<'_>, y: &mut [f32]| {
        let rows = a.first_row..a.first_row + a.rows;
        dense::dense(isa, w, a.k, a.x, a.x_stride, a.tokens, a.bias, rows, y)
    }
}

operation! {
    /// Layer norm.
    vector LAYER_NORM: LayerNormFn = "layernorm_f32_f32_f32",
    |isa, x: &[f32], gain: &[f32], bias: &[f32], eps: f32, y: &mut [f32]| {
        norm::layer_norm(isa, x, gain, bias, eps, y)
    }
}

operation! {
    /// RMS norm.
    vector RMS_NORM: RmsNormFn = "rmsnorm_f32_f32_f32",
    |isa, x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]| { norm::rms_norm(isa, x, gain, eps, y) }
}

operation! {
    /// Softmax.
    vector SOFTMAX: SoftmaxFn = "softmax_none_f32_f32",
    |isa, x: &mut [f32]| { norm::softmax(isa, x) }
}

operation! {
    /// GELU with the exact error function.
    vector GELU: GeluFn = "gelu_none_f32_f32",
    |isa, x: &mut [f32]| { elementwise::gelu(isa, x) }
}

operation! {
    /// Squared ReLU.
    vector SQUARED_RELU: SquaredReluFn = "sqrelu_none_f32_f32",
    |isa, x: &mut [f32]| { elementwise::squared_relu(isa, x) }
}

operation! {
    /// Residual sum.
    vector ADD: AddFn = "add_none_f32_f32",
    |isa, x: &mut [f32], y: &[f32]| { elementwise::add(isa, x, y) }
}

operation! {
    /// Logarithm to base 10 with a floor.
    vector LOG10: Log10Fn = "log10_none_f32_f32",
    |isa, x: &mut [f32], floor: f32| { elementwise::log10(isa, x, floor) }
}

operation! {
    /// Multi-head attention.
    vector ATTENTION: AttentionFn = "attention_f32_f32_f32",
    |isa, shape: &Shape, q: &[f32], keys_t: &[f32], values: &[f32], scratch: &mut [f32],
     out: &mut [f32]| { attention(isa, shape, q, keys_t, values, scratch, out) }
}

operation! {
    /// Power spectrum and mel filters of 16 frames.
    vector MEL: MelFn = "mel_f32_f32_f32",
    |isa, table: &DftTable, filters: &[f32], frames: &[[f32; LANES]; FFT_SIZE],
     out: &mut [[f32; LANES]]| { spectrum::mel(isa, table, filters, frames, out) }
}
