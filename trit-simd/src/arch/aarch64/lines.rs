//! Sums of lines of tables on 64-bit ARM: blocks of 32 tokens, 8 or 16 quads of inputs.
//!
//! A line of 32 tokens takes four `ldr` and four `add`, and stands for 128 multiplications and
//! additions. That bounds a Cortex-A73, which loads one register a cycle, at 32 of them a cycle, and a
//! Neoverse N1, which loads two and adds two, at 64. Sums come and go once for all quads, so that 16
//! quads come nearer to that than 8, with tables twice as large: 83 KiB of them are used. By LLVM 19's
//! models:
//!
//! | quads | Cortex-A73 | Neoverse N1 | Cortex-A53 | Cortex-A55 |
//! |---|---|---|---|---|
//! | 8 | 28.0 | 45.5 | 10.4 | 17.7 |
//! | 16 | 29.7 | 52.5 | 11.0 | 19.3 |

use super::asm::lines::{TOKENS, add_eight, add_sixteen, start_eight, start_sixteen};
use crate::arch::lines::{self, ENTRIES, Tables};

// An entry counts modulo 2⁷, here as there.
const _: () = assert!(ENTRIES == 1 << 7);

/// [`lines::add`], two rows at a time where there is a loop for it.
#[inline(always)]
pub(super) fn add<const B: usize, const Q: usize, const FIRST: bool>(
    tables: &Tables<B, Q>,
    entries: &[[u8; Q]],
    sums: &mut [[i16; B]],
) {
    let run = match (B, Q, FIRST) {
        (TOKENS, 8, true) => start_eight,
        (TOKENS, 8, false) => add_eight,
        (TOKENS, 16, true) => start_sixteen,
        (TOKENS, 16, false) => add_sixteen,
        _ => return lines::add::<B, Q, FIRST>(tables, entries, sums),
    };
    let rows = entries.len().min(sums.len());
    let pairs = rows / 2;
    if pairs > 0 {
        let (tables, entries) = (tables.as_flattened().as_flattened(), entries.as_flattened());
        // SAFETY: every 64-bit ARM of ours has NEON. B and Q are the numbers of tokens and quads that
        // the loop is for, and there are entries and sums of 2·`pairs` rows.
        unsafe {
            run(tables.as_ptr(), entries.as_ptr(), sums.as_flattened_mut().as_mut_ptr(), pairs);
        }
    }
    lines::add::<B, Q, FIRST>(tables, &entries[2 * pairs..], &mut sums[2 * pairs..]);
}
