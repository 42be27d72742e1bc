//! Levels of instructions, and which of them a CPU has.
//!
//! The table at the end of the file is the one place that lists the levels: what each is called,
//! which CPU features it takes, and which other levels it brings along.

use core::fmt;

use crate::arch::token;

/// Declares the levels, best first, with everything that has a case for each of them.
///
/// A row reads: the level and its name in kernel names; the field of its token and the
/// targets that have it; all CPU features it takes; the levels just below that it brings along; the
/// tokens of a tile, as many as its registers have sums for.
macro_rules! levels {
    ($(
        $(#[$doc:meta])*
        $level:ident = $name:literal: $token:ident on $target:meta,
            features [$($feature:tt),+], above [$($below:ident),*], tokens $tokens:literal;
    )+) => {
        /// A set of instructions that kernels are written for.
        ///
        /// ```
        /// use trit_simd::Level;
        ///
        /// assert_eq!(Level::ALL.first(), Some(&Level::Avx512Vbmi));
        /// assert_eq!(Level::ALL.last(), Some(&Level::Scalar));
        /// assert_eq!(Level::Dotprod.name(), "dotprod");
        /// assert_eq!(Level::Dotprod.features(), ["dotprod", "neon"]);
        /// assert_eq!((Level::Avx512Vnni.tokens(), Level::Avx2.tokens()), (8, 4));
        /// assert!(Level::I8mm.levels().has(Level::Neon) && !Level::I8mm.levels().has(Level::Sve));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Level {
            $($(#[$doc])* $level,)+
            /// Plain Rust, compiled for the target's baseline.
            Scalar,
        }

        impl Level {
            /// All levels, on any architecture, best first. Where neither of two brings along the
            /// other, the order is that of preference.
            pub const ALL: [Self; [$($name),+].len() + 1] = [$(Self::$level,)+ Self::Scalar];

            /// The level's name as it stands in kernel names.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$level => $name,)+
                    Self::Scalar => "scalar",
                }
            }

            /// The CPU features that the level takes, in the words of `#[target_feature]`.
            pub const fn features(self) -> &'static [&'static str] {
                match self {
                    $(Self::$level => &[$($feature),+],)+
                    Self::Scalar => &[],
                }
            }

            /// Tokens whose products with 16 rows of ternary or 4-bit weights are computed side by
            /// side, so that they share unpacked weights.
            pub const fn tokens(self) -> usize {
                match self {
                    $(Self::$level => $tokens,)+
                    Self::Scalar => 4,
                }
            }

            /// The level and all that a CPU with it has as well.
            pub const fn levels(self) -> Levels {
                match self {
                    $(Self::$level => {
                        Levels(1 << Self::$level as u32)$(.union(Self::$below.levels()))*
                            .union(Levels::BASELINE)
                    })+
                    Self::Scalar => Levels::BASELINE,
                }
            }
        }

        $(token!($(#[$doc])* $level on $target, [$($feature),+]);)+

        /// A CPU, as the tokens of the levels it has.
        ///
        /// A token can only be made where the instructions exist, so a kernel that takes its token
        /// from here cannot run where it must not.
        ///
        /// ```
        /// use trit_simd::{Cpu, Level};
        ///
        /// let cpu = Cpu::detect();
        /// let level = cpu.level();
        /// assert!(cpu.has(level) && cpu.levels().has(level));
        ///
        /// // Held back, and not at all.
        /// assert_eq!(cpu.at(level).unwrap().level(), level);
        /// let baseline = Cpu::baseline();
        /// assert_eq!(baseline.level(), Level::Scalar);
        /// assert!(baseline.at(Level::Avx2).is_none() && baseline.at(Level::Scalar).is_some());
        /// ```
        #[derive(Debug, Clone, Copy)]
        pub struct Cpu {
            $(#[cfg($target)] $token: Option<$level>,)+
        }

        impl Cpu {
            /// The CPU this runs on. Without the feature `std`, what the crate was compiled for.
            pub fn detect() -> Self {
                Self { $(#[cfg($target)] $token: $level::detect(),)+ }
            }

            /// A CPU of which only the baseline is used: every operation gets its scalar variant.
            pub const fn baseline() -> Self {
                Self { $(#[cfg($target)] $token: None,)+ }
            }

            /// This CPU with only `level`, and what it brings along, in use, or `None` if it lacks
            /// the level.
            pub fn at(&self, level: Level) -> Option<Self> {
                self.has(level).then_some(Self {
                    $(
                        #[cfg($target)]
                        $token: if level.levels().has(Level::$level) { self.$token } else { None },
                    )+
                })
            }

            /// Whether the CPU has `level`.
            pub const fn has(&self, level: Level) -> bool {
                match level {
                    $(#[cfg($target)] Level::$level => self.$token.is_some(),)+
                    Level::Scalar => true,
                    #[allow(unreachable_patterns, reason = "depends on the target")]
                    _ => false,
                }
            }

            $(
                #[cfg($target)]
                pub(crate) const fn $token(&self) -> Option<$level> {
                    self.$token
                }
            )+
        }
    };
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of levels that a CPU may have: with each level, those it brings along.
///
/// Unlike a [`Cpu`] it proves nothing and may name a CPU of any architecture, for asking which
/// kernels that one would get.
///
/// ```
/// use trit_simd::{Level, Levels, registry};
///
/// let old = Levels::of(|feature| ["sse4.2", "avx", "avx2", "f16c", "fma"].contains(&feature));
/// assert_eq!(old, Level::Avx2.levels());
/// assert!(old.has(Level::Avx2) && !old.has(Level::AvxVnni));
/// assert_eq!(registry::chosen(old, 1)[0], "ternary_t4_i8_f32__avx2");
///
/// // A set of instructions brings along the lesser ones, and all of them the baseline.
/// assert_eq!(old.union(Level::AvxVnni.levels()), Level::AvxVnni.levels());
/// assert_eq!(old.union(Levels::BASELINE), old);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Levels(u32);

// A bit each.
const _: () = assert!(Level::ALL.len() <= u32::BITS as usize);

impl Levels {
    /// What every CPU has: scalar code alone.
    pub const BASELINE: Self = Self(1 << Level::Scalar as u32);

    /// The levels of a CPU, from which of the features in [`Level::features`] it has.
    pub fn of(has_feature: impl Fn(&str) -> bool) -> Self {
        Level::ALL
            .into_iter()
            .filter(|level| level.features().iter().all(|feature| has_feature(feature)))
            .fold(Self::BASELINE, |levels, level| levels.union(level.levels()))
    }

    /// Whether `level` is among them.
    pub const fn has(self, level: Level) -> bool {
        self.0 & (1 << level as u32) != 0
    }

    /// The levels of either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Cpu {
    /// The best level the CPU has.
    pub fn level(&self) -> Level {
        Level::ALL.into_iter().find(|&level| self.has(level)).unwrap_or(Level::Scalar)
    }

    /// All levels the CPU has.
    pub fn levels(&self) -> Levels {
        Level::ALL
            .into_iter()
            .filter(|&level| self.has(level))
            .fold(Levels::BASELINE, |levels, level| levels.union(level.levels()))
    }
}

// A level's features include those of the levels it brings along, so that a CPU with its token has
// theirs too.
levels! {
    /// x86-64 with AVX-512 F, BW, VNNI and VBMI.
    Avx512Vbmi = "avx512vbmi": avx512_vbmi on target_arch = "x86_64",
        features ["avx512f", "avx512bw", "avx512vbmi", "avx512vnni", "avx2", "f16c"],
        above [Avx512Vnni], tokens 8;
    /// x86-64 with AVX-512 F, BW and VNNI.
    Avx512Vnni = "avx512vnni": avx512_vnni on target_arch = "x86_64",
        features ["avx512f", "avx512bw", "avx512vnni", "avx2", "f16c"], above [Avx2], tokens 8;
    /// x86-64 with AVX2 and AVX-VNNI, the VEX form of VNNI.
    AvxVnni = "avxvnni": avx_vnni on target_arch = "x86_64",
        features ["avxvnni", "avx2", "f16c"], above [Avx2], tokens 6;
    /// x86-64 with AVX2 and F16C, which no CPU with AVX2 lacks.
    Avx2 = "avx2": avx2 on target_arch = "x86_64", features ["avx2", "f16c"], above [], tokens 4;
    /// 64-bit ARM with NEON and FEAT_I8MM.
    I8mm = "i8mm": i8mm on target_arch = "aarch64",
        features ["i8mm", "dotprod", "neon"], above [Dotprod], tokens 8;
    /// 64-bit ARM with SVE, vectors of any length. It comes after i8mm, whose products on 128 bits
    /// are as many as SVE's on 256; no CPU that has both has longer vectors.
    Sve = "sve": sve on target_arch = "aarch64", features ["sve", "neon"], above [Neon], tokens 4;
    /// 64-bit ARM with NEON and FEAT_DotProd.
    Dotprod = "dotprod": dotprod on target_arch = "aarch64",
        features ["dotprod", "neon"], above [Neon], tokens 8;
    /// 64-bit ARM with NEON (ARMv8.0; no dot product).
    Neon = "neon": neon on target_arch = "aarch64", features ["neon"], above [], tokens 4;
    /// WebAssembly with fixed-width SIMD. Only in modules compiled for it: an engine without it
    /// refuses a module with one such instruction, called or not.
    Simd128 = "simd128": simd128 on all(target_arch = "wasm32", target_feature = "simd128"),
        features ["simd128"], above [], tokens 4;
}
