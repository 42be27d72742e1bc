//! Rewriting one layout as another.

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
        || {
            layout::t5_to_t4_by(
                k,
                t5,
                t4,
                #[inline(always)]
                |t5, t4| isa.t5_block_to_t4(t5, t4),
            )
        },
    )
}
