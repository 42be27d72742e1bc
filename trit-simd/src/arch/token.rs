//! Tokens: zero-sized proofs that the CPU has a level's instructions.

use crate::cpu::Level;

/// What every token can do.
pub(crate) trait Token: Copy {
    /// The level it is the proof of.
    const LEVEL: Level;

    /// Calls `f`, compiled for this level.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;
}

/// Declares the token of a level on the targets that have it.
///
/// The field is private to the module of the declaration, so that `detect` is the only way to one.
macro_rules! token {
    ($(#[$doc:meta])* $token:ident on $target:meta, [$($feature:tt),+]) => {
        $(#[$doc])*
        #[cfg($target)]
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $token(());

        #[cfg($target)]
        impl $token {
            /// The token, if the CPU has all features of the level.
            fn detect() -> Option<Self> {
                let has = true $(&& token!(@detected $feature))+;
                has.then_some(Self(()))
            }
        }

        #[cfg($target)]
        impl $crate::arch::Token for $token {
            const LEVEL: $crate::cpu::Level = $crate::cpu::Level::$token;

            #[inline(always)]
            #[allow(unused_unsafe, reason = "on WebAssembly, where an engine checks the module")]
            fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
                #[target_feature($(enable = $feature),+)]
                fn inner<R>(f: impl FnOnce() -> R) -> R {
                    f()
                }
                // SAFETY: a token exists only where `detect` found these features.
                unsafe { inner(f) }
            }
        }
    };
    // Whether the CPU has a feature: asked at run time where `std` can, else what the crate was
    // compiled for.
    (@detected $feature:tt) => {{
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        {
            std::is_x86_feature_detected!($feature)
        }
        #[cfg(all(feature = "std", target_arch = "aarch64"))]
        {
            std::arch::is_aarch64_feature_detected!($feature)
        }
        #[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
        {
            cfg!(target_feature = $feature)
        }
    }};
}

pub(crate) use token;
