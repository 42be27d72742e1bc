//! Every kernel variant, one table per operation.
//!
//! A table is in order of preference, the scalar variant last. It drives selection, the equivalence
//! tests and the benchmarks alike, so a variant cannot exist untested. Names follow
//! `{op}_{weights}_{acts}_{out}__{level}`.

use trit_core::reference::{DftTable, FFT_SIZE, LANES};
use trit_core::{QuantizeError, QuantizedActsMut, TernaryMatrix};

use crate::arch::Scalar;
use crate::cpu::{Cpu, Level};
use crate::float::attention::{Shape, attention};
use crate::float::{dense, elementwise, norm, spectrum};
use crate::ops::{Input, int8, quantize, ternary};

/// One variant of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel<F> {
    /// Its name.
    pub(crate) name: &'static str,
    /// The instructions it needs.
    pub(crate) level: Level,
    pub(crate) run: F,
}

/// The variant of a table that a CPU gets: the first whose instructions it has.
pub(crate) fn choose<F: Copy>(table: &[Kernel<F>], cpu: &Cpu) -> Kernel<F> {
    let found = table.iter().find(|kernel| cpu.has(kernel.level));
    // Every table ends with a scalar variant, which every CPU has.
    *found.unwrap_or(&table[table.len() - 1])
}

/// Name and level of every variant this build has, by operation, best first.
pub fn variants() -> impl Iterator<Item = (&'static str, Level)> {
    fn of<F: Copy>(table: &'static [Kernel<F>]) -> impl Iterator<Item = (&'static str, Level)> {
        table.iter().map(|kernel| (kernel.name, kernel.level))
    }
    of(TERNARY_T4)
        .chain(of(TERNARY_T5))
        .chain(of(INT8))
        .chain(of(QUANTIZE))
        .chain(of(DENSE_F32))
        .chain(of(DENSE_F16))
        .chain(of(LAYER_NORM))
        .chain(of(RMS_NORM))
        .chain(of(SOFTMAX))
        .chain(of(GELU))
        .chain(of(SQUARED_RELU))
        .chain(of(ADD))
        .chain(of(LOG10))
        .chain(of(ATTENTION))
        .chain(of(MEL))
}

/// Declares an operation: its function type and its table, one entry per level.
///
/// Each entry takes its level's token from the CPU, so that it cannot run where the instructions
/// are missing; without the token it does the same work in scalar code.
macro_rules! operation {
    (
        $(#[$doc:meta])*
        $table:ident: $type:ident = $name:literal,
        |$isa:ident $(, $argument:ident: $kind:ty)*| $(-> $output:ty)? $body:block
    ) => {
        pub(crate) type $type = fn(&Cpu $(, $kind)*) $(-> $output)?;

        $(#[$doc])*
        pub(crate) static $table: &[Kernel<$type>] = &[
            #[cfg(target_arch = "x86_64")]
            operation!(@entry $name, "avx512vnni", Avx512Vnni, avx512_vnni, $isa ($($argument: $kind),*) $body),
            #[cfg(target_arch = "x86_64")]
            operation!(@entry $name, "avx2", Avx2, avx2, $isa ($($argument: $kind),*) $body),
            #[cfg(target_arch = "aarch64")]
            operation!(@entry $name, "neon", Neon, neon, $isa ($($argument: $kind),*) $body),
            Kernel {
                name: concat!($name, "__scalar"),
                level: Level::Scalar,
                run: |_cpu $(, $argument)*| {
                    let $isa = Scalar;
                    $body
                },
            },
        ];
    };
    (@entry $name:literal, $level:literal, $variant:ident, $token:ident, $isa:ident
        ($($argument:ident: $kind:ty),*) $body:block) => {
        Kernel {
            name: concat!($name, "__", $level),
            level: Level::$variant,
            run: |cpu $(, $argument)*| match cpu.$token() {
                Some($isa) => $body,
                None => {
                    let $isa = Scalar;
                    $body
                }
            },
        }
    };
}

operation! {
    /// Ternary weights in T4 × int8 activations.
    TERNARY_T4: TernaryFn = "ternary_t4_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]| { ternary::t4(isa, w, input, y) }
}

operation! {
    /// Ternary weights in T5 × int8 activations.
    TERNARY_T5: TernaryT5Fn = "ternary_t5_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]| { ternary::t5(isa, w, input, y) }
}

operation! {
    /// Int8 weights × int8 activations.
    INT8: Int8Fn = "matmul_i8_i8_f32",
    |isa, w: &trit_core::Int8Matrix<'_>, input: &Input<'_>, y: &mut [f32]| {
        int8::product(isa, w, input, y)
    }
}

operation! {
    /// Activations to int8.
    QUANTIZE: QuantizeFn = "quantize_none_f32_i8",
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
    DENSE_F32: DenseF32Fn = "matmul_f32_f32_f32",
    |isa, w: &[f32], a: &Dense<'_>, y: &mut [f32]| {
        let rows = a.first_row..a.first_row + a.rows;
        dense::dense(isa, w, a.k, a.x, a.x_stride, a.tokens, a.bias, rows, y)
    }
}

operation! {
    /// Dense f16 weights × f32 activations.
    DENSE_F16: DenseF16Fn = "matmul_f16_f32_f32",
    |isa, w: &[u16], a: &Dense<'_>, y: &mut [f32]| {
        let rows = a.first_row..a.first_row + a.rows;
        dense::dense(isa, w, a.k, a.x, a.x_stride, a.tokens, a.bias, rows, y)
    }
}

operation! {
    /// Layer norm.
    LAYER_NORM: LayerNormFn = "layernorm_f32_f32_f32",
    |isa, x: &[f32], gain: &[f32], bias: &[f32], eps: f32, y: &mut [f32]| {
        norm::layer_norm(isa, x, gain, bias, eps, y)
    }
}

operation! {
    /// RMS norm.
    RMS_NORM: RmsNormFn = "rmsnorm_f32_f32_f32",
    |isa, x: &[f32], gain: &[f32], eps: f32, y: &mut [f32]| { norm::rms_norm(isa, x, gain, eps, y) }
}

operation! {
    /// Softmax.
    SOFTMAX: SoftmaxFn = "softmax_none_f32_f32",
    |isa, x: &mut [f32]| { norm::softmax(isa, x) }
}

operation! {
    /// GELU with the exact error function.
    GELU: GeluFn = "gelu_none_f32_f32",
    |isa, x: &mut [f32]| { elementwise::gelu(isa, x) }
}

operation! {
    /// Squared ReLU.
    SQUARED_RELU: SquaredReluFn = "sqrelu_none_f32_f32",
    |isa, x: &mut [f32]| { elementwise::squared_relu(isa, x) }
}

operation! {
    /// Residual sum.
    ADD: AddFn = "add_none_f32_f32",
    |isa, x: &mut [f32], y: &[f32]| { elementwise::add(isa, x, y) }
}

operation! {
    /// Logarithm to base 10 with a floor.
    LOG10: Log10Fn = "log10_none_f32_f32",
    |isa, x: &mut [f32], floor: f32| { elementwise::log10(isa, x, floor) }
}

operation! {
    /// Multi-head attention.
    ATTENTION: AttentionFn = "attention_f32_f32_f32",
    |isa, shape: &Shape, q: &[f32], keys_t: &[f32], values: &[f32], scratch: &mut [f32],
     out: &mut [f32]| { attention(isa, shape, q, keys_t, values, scratch, out) }
}

operation! {
    /// Power spectrum and mel filters of 16 frames.
    MEL: MelFn = "mel_f32_f32_f32",
    |isa, table: &DftTable, filters: &[f32], frames: &[[f32; LANES]; FFT_SIZE],
     out: &mut [[f32; LANES]]| { spectrum::mel(isa, table, filters, frames, out) }
}
