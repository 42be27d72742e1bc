//! Sums of lines of tables, tokens side by side: what a product adds up that looks its terms up.

/// Entries of a table: 81 for four trits, and room for every index of 7 bits.
pub(crate) const ENTRIES: usize = 128;

/// Entries that are loaded at once.
const EIGHT: usize = size_of::<u64>();

/// Lines of B tokens, one for each entry of each of Q quads of inputs.
pub(crate) type Tables<const B: usize, const Q: usize> = [[[i16; B]; Q]; ENTRIES];

/// Adds to the sums of each row a line of each quad, those of the row's entries, or starts them with
/// that: `sums[r][t] += Σ_quad tables[entries[r][quad]][quad][t]`. An entry counts modulo 128, and
/// sums may wrap.
#[inline(always)]
pub(super) fn add<const B: usize, const Q: usize, const FIRST: bool>(
    tables: &Tables<B, Q>,
    entries: &[[u8; Q]],
    sums: &mut [[i16; B]],
) {
    const { assert!(Q.is_multiple_of(EIGHT)) };
    for (entries, sums) in entries.iter().zip(sums) {
        let mut sum = if FIRST { [0; B] } else { *sums };
        for (eight, entries) in entries.as_chunks::<EIGHT>().0.iter().enumerate() {
            // Loaded at once and shifted, which spares the load ports.
            let word = u64::from_le_bytes(*entries);
            for quad in 0..EIGHT {
                let entry = (word >> (8 * quad)) as usize % ENTRIES;
                let line = &tables[entry][eight * EIGHT + quad];
                for t in 0..B {
                    sum[t] = sum[t].wrapping_add(line[t]);
                }
            }
        }
        *sums = sum;
    }
}
