//! Rewriting one layout as another: `trit_core::layout`'s body, compiled per instruction set.

use trit_core::{MatrixError, layout};

use crate::arch::Isa;

/// As `trit_core::layout::t5_to_t4`.
#[inline(always)]
pub(crate) fn t5_to_t4<I: Isa>(
    isa: I,
    k: usize,
    t5: &[u8],
    t4: &mut [u8],
) -> Result<(), MatrixError> {
    isa.vectorize(
        #[inline(always)]
        || layout::t5_to_t4(k, t5, t4),
    )
}
