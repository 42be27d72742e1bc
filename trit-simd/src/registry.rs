//! Every kernel variant, one table per operation.
//!
//! A table is in order of preference, the scalar variant last. It drives selection, the equivalence
//! tests and the benchmarks alike, so a variant cannot exist untested. A level may have several
//! designs of an operation, each the best for some shapes: a design says from how many tokens it is
//! the default. Names follow `{op}_{weights}_{acts}_{out}__{level}[_{design}]`.
//!
//! ```
//! use trit_simd::{Level, registry};
//!
//! // What a Raspberry Pi 4 (NEON without dot products) runs for one token and for a window of them.
//! let [one, window] = [1, 1500].map(|tokens| registry::chosen(Level::Neon.levels(), tokens)[0]);
//! assert_eq!(one, "ternary_t4_i8_f32__neon");
//! assert_eq!(window, "ternary_t4_i8_f32__neon_lookup");
//! ```

use trit_core::heads::Side;
use trit_core::reference::{DftTable, FFT_SIZE, LANES};
use trit_core::{Heads, HeadsMut, MatrixError, QuantizeError, QuantizedActsMut, TernaryMatrix};

#[cfg(target_arch = "x86_64")]
use crate::arch::Isa;
use crate::arch::Scalar;
use crate::cpu::{Cpu, Level, Levels};
use crate::float::attention::{Shape, attention};
use crate::float::{dense, elementwise, heads, norm, spectrum};
use crate::ops::{Input, convert, int4, int8, lookup, quantize, ternary};
use crate::tune::Operation;

/// One variant of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel<F> {
    /// Its name.
    pub(crate) name: &'static str,
    /// The instructions it needs.
    pub(crate) level: Level,
    /// The fewest tokens for which it is the default.
    pub(crate) tokens: usize,
    pub(crate) run: F,
}

/// The variants of an operation, on any architecture: best first, then the scalar one.
pub(crate) struct Table<F: 'static> {
    /// `run` is there on the targets of the level.
    variants: &'static [Kernel<Option<F>>],
    scalar: Kernel<F>,
}

impl<F: Copy> Table<F> {
    /// The variants that this build has, best first.
    fn built(&self) -> impl Iterator<Item = Kernel<F>> {
        let built = |&Kernel { name, level, tokens, run }: &Kernel<Option<F>>| {
            Some(Kernel { name, level, tokens, run: run? })
        };
        self.variants.iter().filter_map(built).chain([self.scalar])
    }

    /// The variant that a CPU gets for so many tokens: the first whose instructions it has and whose
    /// fewest tokens are reached.
    fn choose(&self, cpu: &Cpu, tokens: usize) -> Kernel<F> {
        let fits = |kernel: &Kernel<F>| cpu.has(kernel.level) && kernel.tokens <= tokens;
        self.built().find(fits).unwrap_or(self.scalar)
    }

    /// The variant called `name`, if this build and the CPU have it.
    fn named(&self, cpu: &Cpu, name: &str) -> Option<Kernel<F>> {
        self.built().find(|kernel| kernel.name == name && cpu.has(kernel.level))
    }

    /// A design of `level`, counted round from `index`, if the level has any.
    fn design(&self, level: Level, index: usize) -> Option<Kernel<F>> {
        let designs = || self.built().filter(|kernel| kernel.level == level);
        designs().nth(index.checked_rem(designs().count())?)
    }

    /// What the variant at `place` runs; the scalar one where this build has no other.
    #[inline]
    pub(crate) fn run_at(&self, place: u8) -> F {
        let variant = self.variants.get(usize::from(place));
        variant.and_then(|kernel| kernel.run).unwrap_or(self.scalar.run)
    }
}

/// The most defaults of one operation on one CPU, by number of tokens; a test holds every table
/// against it.
const STEPS: usize = 3;

/// The variants of an operation that a CPU runs, by the number of tokens: those for the most first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice<F>([Kernel<F>; STEPS]);

impl<F: Copy> Choice<F> {
    /// The defaults of a table.
    fn new(table: &Table<F>, cpu: &Cpu) -> Self {
        let mut tokens = usize::MAX;
        let mut steps = [table.choose(cpu, tokens); STEPS];
        for step in &mut steps {
            *step = table.choose(cpu, tokens);
            tokens = step.tokens.saturating_sub(1).max(1);
        }
        Self(steps)
    }

    /// One variant for any number of tokens.
    fn only(kernel: Kernel<F>) -> Self {
        Self([Kernel { tokens: 1, ..kernel }; STEPS])
    }

    /// The variant for so many tokens.
    #[inline]
    pub(crate) fn at(&self, tokens: usize) -> &Kernel<F> {
        let [most, some, few] = &self.0;
        if tokens >= most.tokens {
            most
        } else if tokens >= some.tokens {
            some
        } else {
            few
        }
    }
}

/// What can be said of a table whatever its functions are.
trait Catalogue: Sync {
    /// The name of the variant that a CPU with `levels` gets for so many tokens.
    fn chosen(&self, levels: Levels, tokens: usize) -> &'static str;

    /// Name and level of the variant at `index`, and whether this build has it.
    fn variant(&self, index: usize) -> Option<(&'static str, Level, bool)>;

    /// The fewest tokens for which the variant at `index` is a default; 1 if there is none.
    fn fewest_tokens(&self, index: usize) -> usize;

    /// How many variants this build has for `level`.
    fn designs(&self, level: Level) -> usize;
}

impl<F: Copy + Sync> Catalogue for Table<F> {
    fn chosen(&self, levels: Levels, tokens: usize) -> &'static str {
        let mut variants = self.variants.iter();
        let found = variants.find(|kernel| levels.has(kernel.level) && kernel.tokens <= tokens);
        found.map_or(self.scalar.name, |kernel| kernel.name)
    }

    fn variant(&self, index: usize) -> Option<(&'static str, Level, bool)> {
        let best = self.variants.iter();
        let best = best.map(|kernel| (kernel.name, kernel.level, kernel.run.is_some()));
        best.chain([(self.scalar.name, self.scalar.level, true)]).nth(index)
    }

    fn fewest_tokens(&self, index: usize) -> usize {
        self.variants.get(index).map_or(1, |kernel| kernel.tokens)
    }

    fn designs(&self, level: Level) -> usize {
        self.built().filter(|kernel| kernel.level == level).count()
    }
}

/// Declares which operations there are.
macro_rules! operations {
    ($($operation:ident: $type:ident = $table:ident;)+) => {
        /// How many operations there are.
        ///
        /// ```
        /// use trit_simd::{Level, registry};
        ///
        /// // Every operation has one scalar variant.
        /// let scalar = registry::variants().filter(|(_, level)| *level == Level::Scalar);
        /// assert_eq!(scalar.count(), registry::OPERATIONS);
        /// ```
        pub const OPERATIONS: usize = TABLES.len();

        /// Every operation's table.
        static TABLES: [&dyn Catalogue; [$(stringify!($operation)),+].len()] = [$(&$table),+];

        /// The variants of every operation that a CPU runs.
        #[derive(Clone, Copy)]
        pub(crate) struct Choices {
            $(pub(crate) $operation: Choice<$type>,)+
        }

        impl Choices {
            /// The defaults.
            pub(crate) fn new(cpu: &Cpu) -> Self {
                Self { $($operation: Choice::new(&$table, cpu),)+ }
            }

            /// The defaults, but for the operations of which `level` has variants of its own: its
            /// design number `index`, counted round, for any number of tokens.
            pub(crate) fn design(cpu: &Cpu, level: Level, index: usize) -> Self {
                Self {
                    $($operation: match $table.design(level, index) {
                        Some(kernel) => Choice::only(kernel),
                        None => Choice::new(&$table, cpu),
                    },)+
                }
            }

            /// The same but for the variant called `name`, which takes any number of tokens.
            pub(crate) fn with(self, cpu: &Cpu, name: &str) -> Option<Self> {
                $(
                    if let Some(kernel) = $table.named(cpu, name) {
                        return Some(Self { $operation: Choice::only(kernel), ..self });
                    }
                )+
                None
            }

            /// The names of the variants for so many tokens.
            pub(crate) fn names(&self, tokens: usize) -> [&'static str; OPERATIONS] {
                [$(self.$operation.at(tokens).name),+]
            }
        }
    };
}

operations! {
    ternary_t4: TernaryFn = TERNARY_T4;
    ternary_t5: TernaryT5Fn = TERNARY_T5;
    int4: Int4Fn = INT4;
    int8: Int8Fn = INT8;
    convert: ConvertFn = CONVERT;
    quantize: QuantizeFn = QUANTIZE;
    dense_f32: DenseF32Fn = DENSE_F32;
    dense_f16: DenseF16Fn = DENSE_F16;
    layer_norm: LayerNormFn = LAYER_NORM;
    rms_norm: RmsNormFn = RMS_NORM;
    softmax: SoftmaxFn = SOFTMAX;
    gelu: GeluFn = GELU;
    squared_relu: SquaredReluFn = SQUARED_RELU;
    add: AddFn = ADD;
    log10: Log10Fn = LOG10;
    attention: AttentionFn = ATTENTION;
    attention_u7: AttentionU7Fn = ATTENTION_U7;
    heads: HeadsFn = HEADS;
    mel: MelFn = MEL;
}

/// Name and level of every variant this build has, by operation, best first.
///
/// ```
/// use trit_simd::{Cpu, registry};
///
/// // A build may have variants that the CPU at hand cannot run.
/// let cpu = Cpu::detect();
/// for (name, level) in registry::variants().filter(|(_, level)| cpu.has(*level)) {
///     println!("{name} needs {:?}", level.features());
/// }
/// assert!(registry::variants().any(|(name, _)| name == "ternary_t4_i8_f32__scalar"));
/// ```
pub fn variants() -> impl Iterator<Item = (&'static str, Level)> {
    every().filter_map(|(name, level, built)| built.then_some((name, level)))
}

/// Name and level of every variant on any architecture, by operation, best first.
///
/// ```
/// use trit_simd::{Level, registry};
///
/// // On ARM as on x86-64.
/// assert!(registry::catalogue().any(|row| row == ("ternary_t4_i8_f32__i8mm", Level::I8mm)));
/// assert!(registry::catalogue().count() > registry::variants().count());
/// ```
pub fn catalogue() -> impl Iterator<Item = (&'static str, Level)> {
    every().map(|(name, level, _)| (name, level))
}

/// Name and level of the variant of a product at `place`, and whether this build has it.
pub(crate) fn variant(product: Operation, place: u8) -> Option<(&'static str, Level, bool)> {
    // The products come first.
    TABLES[product as usize].variant(usize::from(place))
}

/// The fewest tokens for which the variant of a product at `place` is a default, and so is a design of
/// its own: for fewer it may pass them to another.
pub(crate) fn fewest_tokens(product: Operation, place: u8) -> usize {
    TABLES[product as usize].fewest_tokens(usize::from(place))
}

fn every() -> impl Iterator<Item = (&'static str, Level, bool)> {
    TABLES.iter().flat_map(|table| (0..).map_while(|index| table.variant(index)))
}

/// The most designs of one operation that this build has for `level`.
pub(crate) fn designs(level: Level) -> usize {
    TABLES.iter().map(|table| table.designs(level)).max().unwrap_or(0)
}

/// The name of the variant of each operation that a CPU with `levels` gets for so many tokens,
/// whatever architecture this is compiled for.
///
/// On the CPU at hand these are the names of [`Kernels::new`](crate::Kernels::new):
///
/// ```
/// use trit_simd::{Cpu, Kernels, registry};
///
/// let cpu = Cpu::detect();
/// assert_eq!(registry::chosen(cpu.levels(), 128), Kernels::new(&cpu).names_for(128));
/// ```
pub fn chosen(levels: Levels, tokens: usize) -> [&'static str; OPERATIONS] {
    TABLES.map(|table| table.chosen(levels, tokens))
}

/// Declares an operation: its function type and its table.
///
/// `dot` operations have a variant for every level, as each has integer products of its own;
/// `vector` operations for those that bring another vector length or none, since a body that the
/// compiler vectorises gains nothing from a dot product instruction. Those that rewrite T5 have one
/// more, for a level that looks bytes up. An operation with several designs lists `designs`: the
/// levels of each, its part of the name and the fewest tokens for which it is the default, unless one
/// before it is; `near` follows its level's first design, so that only the tuner can choose it.
///
/// Each variant takes its level's token from the CPU, so that it cannot run where the instructions
/// are missing; without the token it does the same work in scalar code.
macro_rules! operation {
    (
        $(#[$doc:meta])*
        designs $table:ident: $type:ident = $name:literal,
        |$isa:ident $(, $argument:ident: $kind:ty)*|
        $([$($level:ident)+] $($design:literal from $tokens:literal)?: $body:block)+
        scalar: $scalar:block
    ) => {
        operation! {
            @table $(#[$doc])* $table: $type = fn($($kind),*), $name, $isa ($($argument),*),
            operation!(@variants ($name, $isa ($($argument),*)):
                $(([$($level)+] [$($design from $tokens)?] $body))+),
            $scalar
        }
    };
    (
        $(#[$doc:meta])*
        $set:ident $table:ident: $type:ident = $name:literal,
        |$isa:ident $(, $argument:ident: $kind:ty)*| $(-> $output:ty)? $body:block
    ) => {
        operation! {
            @table $(#[$doc])* $table: $type = fn($($kind),*) $(-> $output)?, $name,
            $isa ($($argument),*), operation!(@$set ($name, $isa ($($argument),*)) $body), $body
        }
    };
    (
        @table $(#[$doc:meta])* $table:ident: $type:ident = fn($($kind:ty),*) $(-> $output:ty)?,
        $name:literal, $isa:ident ($($argument:ident),*), $variants:expr, $scalar:block
    ) => {
        pub(crate) type $type = fn(&Cpu $(, $kind)*) $(-> $output)?;

        $(#[$doc])*
        pub(crate) static $table: Table<$type> = Table {
            variants: $variants,
            scalar: Kernel {
                name: concat!($name, "__scalar"),
                level: Level::Scalar,
                tokens: 1,
                run: |_cpu $(, $argument)*| {
                    let $isa = Scalar;
                    $scalar
                },
            },
        };
    };
    (@dot $operation:tt $body:block) => {
        operation!(@variants $operation:
            ([avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128] [] $body))
    };
    (@vector $operation:tt $body:block) => {
        operation!(@variants $operation: ([avx512vnni avx2 neon simd128] [] $body))
    };
    (@dot_t5 $operation:tt $body:block) => {
        operation!(@variants $operation:
            ([avx512vbmi avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128] [] $body))
    };
    (@vector_t5 $operation:tt $body:block) => {
        operation!(@variants $operation: ([avx512vbmi avx512vnni avx2 neon simd128] [] $body))
    };
    (@variants $operation:tt: $(([$($level:ident)+] $design:tt $body:block))+) => {
        &[$($(operation!(@$level $operation $design $body)),+),+]
    };
    (@avx512vbmi $operation:tt $design:tt $body:block) => {
        operation!(@variant "avx512vbmi" Avx512Vbmi avx512_vbmi, target_arch = "x86_64",
            $operation $design $body)
    };
    (@avx512vnni $operation:tt $design:tt $body:block) => {
        operation!(@variant "avx512vnni" Avx512Vnni avx512_vnni, target_arch = "x86_64",
            $operation $design $body)
    };
    (@avxvnni $operation:tt $design:tt $body:block) => {
        operation!(@variant "avxvnni" AvxVnni avx_vnni, target_arch = "x86_64",
            $operation $design $body)
    };
    (@avx2 $operation:tt $design:tt $body:block) => {
        operation!(@variant "avx2" Avx2 avx2, target_arch = "x86_64", $operation $design $body)
    };
    (@i8mm $operation:tt $design:tt $body:block) => {
        operation!(@variant "i8mm" I8mm i8mm, target_arch = "aarch64", $operation $design $body)
    };
    (@sve $operation:tt $design:tt $body:block) => {
        operation!(@variant "sve" Sve sve, target_arch = "aarch64", $operation $design $body)
    };
    (@dotprod $operation:tt $design:tt $body:block) => {
        operation!(@variant "dotprod" Dotprod dotprod, target_arch = "aarch64",
            $operation $design $body)
    };
    (@neon $operation:tt $design:tt $body:block) => {
        operation!(@variant "neon" Neon neon, target_arch = "aarch64", $operation $design $body)
    };
    (@simd128 $operation:tt $design:tt $body:block) => {
        operation!(@variant "simd128" Simd128 simd128,
            all(target_arch = "wasm32", target_feature = "simd128"), $operation $design $body)
    };
    (@variant $label:literal $level:ident $token:ident, $target:meta,
        ($name:literal, $isa:ident ($($argument:ident),*))
        [$($design:literal from $tokens:literal)?] $body:block) => {
        Kernel {
            name: concat!($name, "__", $label $(, "_", $design)?),
            level: Level::$level,
            tokens: operation!(@tokens $($tokens)?),
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
    (@tokens) => {
        1
    };
    (@tokens $tokens:literal) => {{
        // The tuner tells tokens apart by powers of two, and a bucket has one default.
        const { assert!(usize::is_power_of_two($tokens)) };
        $tokens
    }};
}

operation! {
    /// Ternary weights in T4 × int8 activations.
    designs TERNARY_T4: TernaryFn = "ternary_t4_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]|
    [avx512vnni]: { ternary::t4(isa, w, input, y) }
    [avx512vnni] "near" from 1: { ternary::t4(isa.near(), w, input, y) }
    [avx2] "lookup" from 32: { lookup::t4::<_, 32, 8, 24>(isa, w, input, y) }
    [avxvnni avx2]: { ternary::t4(isa, w, input, y) }
    [avxvnni avx2] "near" from 1: { ternary::t4(isa.near(), w, input, y) }
    [i8mm sve]: { ternary::t4(isa, w, input, y) }
    [dotprod] "lookup" from 32: { lookup::t4::<_, 32, 16, 24>(isa, w, input, y) }
    [dotprod]: { ternary::t4(isa, w, input, y) }
    [neon] "lookup" from 16: { lookup::t4::<_, 32, 8, 16>(isa, w, input, y) }
    [neon]: { ternary::t4(isa, w, input, y) }
    [simd128] "lookup" from 16: { lookup::t4::<_, 32, 8, 16>(isa, w, input, y) }
    [simd128]: { ternary::t4(isa, w, input, y) }
    scalar: { ternary::t4(isa, w, input, y) }
}

operation! {
    /// Ternary weights in T5 × int8 activations.
    dot_t5 TERNARY_T5: TernaryT5Fn = "ternary_t5_i8_f32",
    |isa, w: &TernaryMatrix<'_>, input: &Input<'_>, y: &mut [f32]| { ternary::t5(isa, w, input, y) }
}

operation! {
    /// 4-bit group-quantised weights × int8 activations.
    designs INT4: Int4Fn = "matmul_i4_i8_f32",
    |isa, w: &trit_core::Int4Matrix<'_>, input: &Input<'_>, y: &mut [f32]|
    [avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128]: { int4::product(isa, w, input, y) }
    [avx512vnni avxvnni avx2] "near" from 1: { int4::product(isa.near(), w, input, y) }
    scalar: { int4::product(isa, w, input, y) }
}

operation! {
    /// Int8 weights × int8 activations.
    designs INT8: Int8Fn = "matmul_i8_i8_f32",
    |isa, w: &trit_core::Int8Matrix<'_>, input: &Input<'_>, y: &mut [f32]|
    [avx512vnni avxvnni avx2 i8mm sve dotprod neon simd128]: { int8::product(isa, w, input, y) }
    [avx512vnni avxvnni avx2] "near" from 1: { int8::product(isa.near(), w, input, y) }
    scalar: { int8::product(isa, w, input, y) }
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
    /// Multi-head attention over keys and values in 7 bits.
    dot ATTENTION_U7: AttentionU7Fn = "attention_u7_f32_f32",
    |isa, q: &[f32], keys: &Heads<'_>, values: &Heads<'_>, ctx: usize, scale: f32,
     scratch: &mut [f32], out: &mut [f32]| -> Result<(), QuantizeError> {
        heads::attention(isa, q, keys, values, ctx, scale, scratch, out)
    }
}

operation! {
    /// Keys or values to 7 bits.
    vector HEADS: HeadsFn = "heads_none_f32_u7",
    |isa, x: &[f32], side: Side, start: usize, out: &mut HeadsMut<'_>| -> Result<(), QuantizeError> {
        heads::store(isa, x, side, start, out)
    }
}

operation! {
    /// Power spectrum and mel filters of 16 frames.
    vector MEL: MelFn = "mel_f32_f32_f32",
    |isa, table: &DftTable, filters: &[f32], frames: &[[f32; LANES]; FFT_SIZE],
     out: &mut [[f32; LANES]]| { spectrum::mel(isa, table, filters, frames, out) }
}
