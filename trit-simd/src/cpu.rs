//! What the CPU at hand can do.

use core::fmt;

#[cfg(target_arch = "aarch64")]
use crate::arch::Neon;
#[cfg(target_arch = "x86_64")]
use crate::arch::{Avx2, Avx512Vnni};

/// A set of instructions that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Plain Rust, compiled for the target's baseline.
    Scalar,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 F, BW and VNNI.
    Avx512Vnni,
    /// 64-bit ARM with NEON (ARMv8.0; no dot product).
    Neon,
}

impl Level {
    /// All levels, on any architecture.
    pub const ALL: [Self; 4] = [Self::Avx512Vnni, Self::Avx2, Self::Neon, Self::Scalar];

    /// The level's name as it stands in kernel names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512Vnni => "avx512vnni",
            Self::Neon => "neon",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A CPU, as the tokens of the instruction sets it has.
///
/// A token can only be made where the instructions exist, so a kernel that takes its token from
/// here cannot run where it must not.
#[derive(Debug, Clone, Copy)]
pub struct Cpu {
    #[cfg(target_arch = "x86_64")]
    avx2: Option<Avx2>,
    #[cfg(target_arch = "x86_64")]
    avx512_vnni: Option<Avx512Vnni>,
    #[cfg(target_arch = "aarch64")]
    neon: Option<Neon>,
}

impl Cpu {
    /// The CPU this runs on. Without the feature `std`, what the crate was compiled for.
    pub fn detect() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: Avx2::detect(),
            #[cfg(target_arch = "x86_64")]
            avx512_vnni: Avx512Vnni::detect(),
            #[cfg(target_arch = "aarch64")]
            neon: Neon::detect(),
        }
    }

    /// A CPU of which only the baseline is used: every operation gets its scalar variant.
    pub const fn baseline() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            avx2: None,
            #[cfg(target_arch = "x86_64")]
            avx512_vnni: None,
            #[cfg(target_arch = "aarch64")]
            neon: None,
        }
    }

    /// This CPU with nothing above `level` in use, or `None` if it lacks the level.
    pub fn at(&self, level: Level) -> Option<Self> {
        if !self.has(level) {
            return None;
        }
        Some(match level {
            Level::Scalar => Self::baseline(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self { avx512_vnni: None, ..*self },
            _ => *self,
        })
    }

    /// Whether the CPU has `level`.
    pub const fn has(&self, level: Level) -> bool {
        match level {
            Level::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => self.avx2.is_some(),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Vnni => self.avx512_vnni.is_some(),
            #[cfg(target_arch = "aarch64")]
            Level::Neon => self.neon.is_some(),
            #[allow(unreachable_patterns, reason = "which levels are left depends on the target")]
            _ => false,
        }
    }

    /// The best level the CPU has.
    pub fn level(&self) -> Level {
        Level::ALL.into_iter().find(|&level| self.has(level)).unwrap_or(Level::Scalar)
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn avx2(&self) -> Option<Avx2> {
        self.avx2
    }

    #[cfg(target_arch = "x86_64")]
    pub(crate) const fn avx512_vnni(&self) -> Option<Avx512Vnni> {
        self.avx512_vnni
    }

    #[cfg(target_arch = "aarch64")]
    pub(crate) const fn neon(&self) -> Option<Neon> {
        self.neon
    }
}
