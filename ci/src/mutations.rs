//! The mutation check: one constant broken in each of many kernels, and the test that must fail.

/// One constant, broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutation {
    /// What is broken, for the table.
    pub breaks: &'static str,
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// Text that stands there exactly once.
    pub text: &'static str,
    /// What to put instead; it must compile.
    pub instead: &'static str,
    /// The leg whose place runs the test.
    pub leg: &'static str,
    /// The level, by its name in kernels' names, that the place must have for the test to see it.
    pub level: &'static str,
    /// Integration test, and the property or test in it that must fail.
    pub test: [&'static str; 2],
}

const TERNARY: [&str; 2] = ["registry", "integer::ternary_equals_the_reference"];
const INT4: [&str; 2] = ["registry", "integer::int4_equals_the_reference"];
const INT8: [&str; 2] = ["registry", "integer::int8_equals_the_reference"];
const LARGEST: [&str; 2] = ["registry", "integer::the_largest_k_is_exact"];
const CODE_3: [&str; 2] = ["registry", "integer::one_code_3_among_many_tokens_is_exact"];
const MANY: [&str; 2] = ["registry", "integer::many_tokens_are_exact_at_the_extremes"];

/// A mutation of code that every level compiles, seen on this machine.
const fn generic(
    breaks: &'static str,
    file: &'static str,
    [text, instead]: [&'static str; 2],
    test: [&'static str; 2],
) -> Mutation {
    Mutation { breaks, file, text, instead, leg: "tests", level: "scalar", test }
}

/// A mutation of an instruction set's own file.
const fn own(
    breaks: &'static str,
    file: &'static str,
    [text, instead]: [&'static str; 2],
    [leg, level]: [&'static str; 2],
    test: [&'static str; 2],
) -> Mutation {
    Mutation { breaks, file, text, instead, leg, level, test }
}

const LOOKUP: &str = "trit-simd/src/ops/lookup.rs";
const AVX2: &str = "trit-simd/src/arch/x86_64/avx2.rs";
const AVX_VNNI: &str = "trit-simd/src/arch/x86_64/avx_vnni.rs";
const AVX512: &str = "trit-simd/src/arch/x86_64/avx512_vnni.rs";
const X86_LANES: &str = "trit-simd/src/arch/x86_64/lanes.rs";
const DOTPROD: &str = "trit-simd/src/arch/aarch64/asm/dotprod.rs";
const I8MM: &str = "trit-simd/src/arch/aarch64/i8mm.rs";
const SVE: &str = "trit-simd/src/arch/aarch64/asm/sve.rs";
const SIMD128: &str = "trit-simd/src/arch/wasm32/simd128.rs";
const NEON: &str = "trit-simd/src/arch/aarch64/neon.rs";
const LINES_ASM: &str = "trit-simd/src/arch/aarch64/asm/lines.rs";
const NEON_ASM: &str = "trit-simd/src/arch/aarch64/asm/neon.rs";

/// The mutations, by kernel.
pub const MUTATIONS: &[Mutation] = &[
    own(
        "AVX2 T4: shift that joins the ×4 planes",
        AVX2,
        ["_mm256_srai_epi16::<2>(s4)", "_mm256_srai_epi16::<1>(s4)"],
        ["tests", "avx2"],
        TERNARY,
    ),
    own(
        "AVX2 T4: mask of the ×4 planes",
        AVX2,
        ["_mm256_set1_epi8(0x0C)", "_mm256_set1_epi8(0x04)"],
        ["tests", "avx2"],
        TERNARY,
    ),
    own(
        "AVX2 T4: tiles between widenings",
        AVX2,
        ["count.min(start + TILES_I16)", "count.min(start + 6 * TILES_I16)"],
        ["haswell", "avx2"],
        LARGEST,
    ),
    own(
        "x86 int8: lane of the horizontal sum",
        X86_LANES,
        ["_mm_extract_epi32::<3>(four)", "_mm_extract_epi32::<2>(four)"],
        ["haswell", "avx2"],
        INT8,
    ),
    own(
        "AVX-VNNI I4: shift that joins the ×16 plane",
        AVX_VNNI,
        ["_mm256_srai_epi32::<4>(high)", "_mm256_srai_epi32::<3>(high)"],
        ["tests", "avxvnni"],
        INT4,
    ),
    own(
        "AVX-VNNI int8: tail bound",
        AVX_VNNI,
        ["let whole = k / 32 * 32;", "let whole = k / 64 * 64;"],
        ["tests", "avxvnni"],
        INT8,
    ),
    own(
        "AVX-512 T4: shift that joins the ×4 planes",
        AVX512,
        ["_mm512_srai_epi32::<2>(high)", "_mm512_srai_epi32::<3>(high)"],
        ["tests", "avx512vnni"],
        TERNARY,
    ),
    own(
        "AVX-512 int8: mask of the tail",
        AVX512,
        ["(1 << (k - whole)) - 1", "(1 << (k - whole)) - 2"],
        ["tests", "avx512vnni"],
        INT8,
    ),
    own(
        "NEON dotprod T4: activations of a plane",
        DOTPROD,
        [r#"sdot!(2: "v28""#, r#"sdot!(1: "v28""#],
        ["neoverse-n1", "dotprod"],
        TERNARY,
    ),
    own(
        "NEON i8mm T4: shift that joins the ×4 planes",
        I8MM,
        ["vsraq_n_s32::<2>(s1, s4)", "vsraq_n_s32::<1>(s1, s4)"],
        ["sve-512", "i8mm"],
        TERNARY,
    ),
    own(
        "SVE T4: shift of a plane",
        SVE,
        [
            r#"concat!("lsr ", $p3, ".b, ", $p3, ".b, #6\n")"#,
            r#"concat!("lsr ", $p3, ".b, ", $p3, ".b, #5\n")"#,
        ],
        ["sve-2048", "sve"],
        TERNARY,
    ),
    own(
        "simd128 T4 and I4: sign of the even activations",
        SIMD128,
        ["i16x8_shr(i16x8_shl(four, 8), 8)", "i16x8_shr(i16x8_shl(four, 8), 7)"],
        ["wasm", "simd128"],
        TERNARY,
    ),
    own(
        "NEON T4: shift of a plane",
        NEON_ASM,
        ["shift!(4: 8 12, 9 13", "shift!(3: 8 12, 9 13"],
        ["cortex-a53", "neon"],
        TERNARY,
    ),
    own(
        "NEON T4: activations of a plane of the third of four tokens",
        NEON_ASM,
        ["multiply!(0 1 10 18, 2 3 10 22, 4 5 10 26", "multiply!(0 1 10 18, 2 3 10 22, 4 5 10 25"],
        ["cortex-a53", "neon"],
        TERNARY,
    ),
    own(
        "NEON dotprod T4: mask of two planes of several tokens",
        DOTPROD,
        [r#"mask!("v29": "v27" "v26")"#, r#"mask!("v28": "v27" "v26")"#],
        ["neoverse-n1", "dotprod"],
        TERNARY,
    ),
    own(
        "NEON T4: tiles between widenings",
        NEON,
        ["dot::<4, TILES_I16, M>", "dot::<4, { 2 * TILES_I16 }, M>"],
        ["cortex-a53", "neon"],
        LARGEST,
    ),
    own(
        "NEON int8: half of a vector",
        NEON,
        [
            "vmull_s8(vget_low_s8(w[r]), vget_low_s8(q))",
            "vmull_s8(vget_low_s8(w[r]), vget_high_s8(q))",
        ],
        ["cortex-a53", "neon"],
        INT8,
    ),
    generic(
        "ternary: index of an activation scale",
        "trit-simd/src/ops/packed.rs",
        ["[start >> x_shift]", "[start >> x_shift >> 1]"],
        TERNARY,
    ),
    own(
        "ternary: distance of the row tiles side by side",
        "trit-simd/src/ops/packed.rs",
        ["at[r] += r * apart", "at[r] += r"],
        ["tests", "avx2"],
        TERNARY,
    ),
    generic(
        "ternary: first token after whole blocks",
        "trit-simd/src/ops/packed.rs",
        ["whole..tokens.end", "whole + 1..tokens.end"],
        TERNARY,
    ),
    generic(
        "ternary: last block of the activation sums",
        "trit-simd/src/ops/packed.rs",
        ["end.div_ceil(BLOCK)]", "end / BLOCK]"],
        TERNARY,
    ),
    own(
        "lookup: entry of a table",
        LOOKUP,
        ["tables[high * 9 + low]", "tables[high * 8 + low]"],
        ["haswell", "avx2"],
        TERNARY,
    ),
    own(
        "lookup: inputs between widenings",
        LOOKUP,
        ["group.map_or(SEGMENT, ", "group.map_or(2 * SEGMENT, "],
        ["haswell", "avx2"],
        MANY,
    ),
    own(
        "lookup: refusal of code 3",
        LOOKUP,
        ["byte & (byte >> 1) & 0x55", "byte & (byte >> 1) & 0x15"],
        ["haswell", "avx2"],
        CODE_3,
    ),
    own(
        "lookup: activations of a quad",
        LOOKUP,
        ["24 - input % PLANE * 8", "24 - input % PLANE * 4"],
        ["cortex-a53", "neon"],
        TERNARY,
    ),
    own(
        "NEON lookup: tokens of a line",
        LINES_ASM,
        ["load!($n3 $at $quad 48)", "load!($n3 $at $quad 32)"],
        ["cortex-a53", "neon"],
        TERNARY,
    ),
    own(
        "NEON dotprod lookup: a quad's entry",
        LINES_ASM,
        ["(\"14\" \"15\" \"a1\" \"b1\" 56)", "(\"14\" \"15\" \"a1\" \"b1\" 48)"],
        ["neoverse-n1", "dotprod"],
        TERNARY,
    ),
    generic(
        "4-bit: offset of a code",
        "trit-simd/src/ops/int4.rs",
        ["const OFFSET: i32 = ZERO as i32", "const OFFSET: i32 = ZERO as i32 - 1"],
        INT4,
    ),
    generic(
        "int8: index of a row's scale",
        "trit-simd/src/ops/int8.rs",
        ["(sx * w.scales()[rows[r]])", "(sx * w.scales()[rows[0]])"],
        INT8,
    ),
    generic(
        "quantiser: clamp",
        "trit-simd/src/ops/quantize.rs",
        ["if q < -127.0 { -127.0 }", "if q < -126.0 { -126.0 }"],
        ["registry", "integer::quantize_equals_the_reference"],
    ),
    generic(
        "norms: lanes of the tail",
        "trit-simd/src/float/norm.rs",
        ["lanes.iter_mut().zip(tail)", "lanes.iter_mut().rev().zip(tail)"],
        ["registry", "float::layer_norms_equal_the_reference"],
    ),
    generic(
        "dense: token of a block",
        "trit-simd/src/float/dense.rs",
        ["&input.x[(first + m) * input.stride..]", "&input.x[(first + m / 2) * input.stride..]"],
        ["registry", "float::dense_equals_the_reference"],
    ),
    generic(
        "dense: sums of the inputs before",
        "trit-simd/src/float/dense.rs",
        ["let fresh = inputs.start == 0;", "let fresh = true;"],
        ["registry", "float::dense_equals_the_reference"],
    ),
    generic(
        "attention: keys a causal query sees",
        "trit-simd/src/float/attention.rs",
        ["start.saturating_add(t + m + 1)", "start.saturating_add(t + m + 2)"],
        ["registry", "float::attention_equals_the_reference"],
    ),
    own(
        "attention in 7 bits, AVX2: code of 0",
        "trit-simd/src/arch/x86_64/codes.rs",
        ["_mm256_set1_epi8(OFFSET as i8)", "_mm256_set1_epi8(OFFSET as i8 - 1)"],
        ["tests", "avx2"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
    own(
        "attention's weights, AVX2: powers of 2",
        "trit-simd/src/arch/x86_64/weights.rs",
        ["_mm256_set1_epi16(0x71F9)", "_mm256_set1_epi16(0x71FA)"],
        ["tests", "avx2"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
    own(
        "attention's weights, AVX-512: positions beyond the context",
        "trit-simd/src/arch/x86_64/weights.rs",
        ["(present >> i) as u16", "present as u16"],
        ["tests", "avx512vnni"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
    own(
        "attention's weights, NEON: rounded shift",
        "trit-simd/src/arch/aarch64/weights.rs",
        ["vrshlq_s16(power", "vshlq_s16(power"],
        ["cortex-a53", "neon"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
    own(
        "attention's weights, simd128: powers of 2",
        "trit-simd/src/arch/wasm32/weights.rs",
        ["i16x8_splat(0x01F9)", "i16x8_splat(0x01FA)"],
        ["wasm", "simd128"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
    generic(
        "attention in 7 bits: a block of weights",
        "trit-simd/src/float/heads.rs",
        ["let count = BLOCK.min(self.ctx - first);", "let count = BLOCK;"],
        ["registry", "attention::attention_equals_the_reference"],
    ),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_mutation_has_its_place() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for mutation in MUTATIONS {
            let file = std::fs::read_to_string(root.join(mutation.file)).unwrap();
            assert_eq!(file.matches(mutation.text).count(), 1, "{}", mutation.breaks);
            assert_ne!(mutation.text, mutation.instead);
            assert!(crate::leg(mutation.leg).is_some(), "{}", mutation.leg);
        }
    }
}
