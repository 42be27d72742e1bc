//! Keys and values of attention heads in 7 bits: what a cache holds and attention reads.
//!
//! A key or value of one head and position has `width` numbers and one scale, absmax / 63. A number
//! is stored as the code `round(x / scale) + 64`, in 1 to 127; padding may be any code, 0 to 127.
//!
//! A tile is one 64-byte cache line of 16 × 4 codes. Of keys, 16 positions lie in lanes, so that a
//! query's scores come out side by side; of values, 16 columns do, so that outputs come out so:
//!
//! ```text
//! byte 4·r + j of a tile      r in 0..16, j in 0..4
//! keys     position 16·t + r, column 4·p + j       tiles ordered by head, then t, then p
//! values   column 16·t + r, position 4·p + j       tiles ordered by head, then t, then p
//! ```
//!
//! Seven bits and not eight, because then two products with an int8 fit an i16
//! (2·127·128 = 32,512), which is what the byte products of CPUs without a dot product
//! instruction hold, and a code is a valid int8 where both operands are signed.

mod shape;
mod views;

pub use shape::HeadShape;
pub use views::{Heads, HeadsMut};

use crate::{MAX_INT8_K, TILE_ROWS};

/// The code of 0.
pub const OFFSET: u8 = 64;

/// The largest magnitude of a quantised number.
pub const MOST: f32 = 63.0;

/// The largest code.
pub const MAX_CODE: u8 = 127;

/// Positions whose weights are quantised together.
pub const BLOCK: usize = 64;

/// Columns of a key, or positions of a value, whose codes lie side by side.
const QUAD: usize = 4;

/// Bytes of a tile.
pub const TILE: usize = TILE_ROWS * QUAD;

/// Most positions of a cache.
const MAX_POSITIONS: usize = 1 << 20;

// |Σ c·q| ≤ 127·128·k over a head's columns or a block of positions.
const _: () = assert!(127 * 128 * (MAX_INT8_K as u64) < 1 << 31);

/// What a cache holds.
///
/// ```
/// use trit_core::heads::Side;
/// use trit_core::{HeadShape, HeadsMut};
///
/// let shape = HeadShape::new(1, 4, 4)?;
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// let mut heads = HeadsMut::new(shape, &mut codes, &mut scales)?;
/// // Column 2 of position 1: lane 1 of keys, lane 2 of values.
/// heads.set(Side::Keys, 0, 1, 2, 5);
/// heads.set(Side::Values, 0, 1, 2, -5);
/// assert_eq!(codes[4 + 2], 64 + 5);
/// assert_eq!(codes[4 * 2 + 1], 64 - 5);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Keys: positions in lanes.
    Keys,
    /// Values: columns in lanes.
    Values,
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn every_code_has_a_place_of_its_own() {
        let shape = HeadShape::new(3, 21, 37).unwrap();
        for place in [HeadShape::key_at, HeadShape::value_at] {
            let mut taken = vec![false; shape.codes_len()];
            for head in 0..3 {
                for position in 0..shape.padded_positions() {
                    for column in 0..shape.padded_width() {
                        let at = place(&shape, head, position, column);
                        assert!(!core::mem::replace(&mut taken[at], true));
                    }
                }
            }
            assert!(taken.into_iter().all(|taken| taken));
        }
    }

    #[test]
    fn numbers_are_stored_where_the_shape_says() {
        let shape = HeadShape::new(2, 18, 20).unwrap();
        let mut row = [0i8; 18];
        for (column, number) in row.iter_mut().enumerate() {
            *number = column as i8 * 7 - 63;
        }
        let (mut codes, mut scales) = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut keys = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
        keys.set_lanes(Side::Keys, 1, 17, 0, &row[..16]);
        keys.set_lanes(Side::Keys, 1, 17, 16, &row[16..]);
        keys.set_scale(1, 17, 0.5);
        for (column, &number) in row.iter().enumerate() {
            let code = keys.as_ref().codes()[shape.key_at(1, 17, column)];
            assert_eq!(i32::from(code) - i32::from(OFFSET), i32::from(number));
        }
        assert_eq!(keys.as_ref().scales()[shape.scale_at(1, 17)], 0.5);
        let (mut codes, mut scales) = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut values = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
        for (column, &number) in row.iter().enumerate() {
            values.set(Side::Values, 1, 17, column, number);
        }
        for (column, &number) in row.iter().enumerate() {
            let code = values.as_ref().codes()[shape.value_at(1, 17, column)];
            assert_eq!(i32::from(code) - i32::from(OFFSET), i32::from(number));
        }
    }

    #[test]
    fn parts_hold_the_heads_of_the_whole() {
        let shape = HeadShape::new(3, 5, 18).unwrap();
        let mut buffers = (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
        let mut whole = HeadsMut::new(shape, &mut buffers.0, &mut buffers.1).unwrap();
        assert!(whole.split_at(0).is_none() && whole.split_at(3).is_none());
        assert!(whole.split_at(usize::MAX).is_none());
        let (mut first, mut second) = whole.split_at(1).unwrap();
        assert_eq!((first.shape().heads(), second.shape().heads()), (1, 2));
        first.set(Side::Values, 0, 17, 4, 9);
        second.set(Side::Keys, 1, 17, 4, -9);
        second.set_scale(1, 17, 0.25);
        let whole = whole.as_ref();
        assert_eq!(whole.codes()[shape.value_at(0, 17, 4)], OFFSET + 9);
        assert_eq!(whole.codes()[shape.key_at(2, 17, 4)], OFFSET - 9);
        assert_eq!(whole.scales()[shape.scale_at(2, 17)], 0.25);
    }

    #[test]
    fn parts_and_copies_are_whole_heads() {
        let shape = HeadShape::new(6, 18, 37).unwrap();
        for side in [Side::Keys, Side::Values] {
            let (mut codes, mut scales) =
                (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
            let mut whole = HeadsMut::new(shape, &mut codes, &mut scales).unwrap();
            let number = |head: usize, position: usize, column: usize| {
                ((head * 41 + position * 7 + column) % 127) as i8 - 63
            };
            for slot in 0..3 {
                let mut part = whole.part(slot * 2..slot * 2 + 2);
                assert_eq!(part.shape().heads(), 2);
                for head in 0..2 {
                    for position in 0..37 {
                        part.set_scale(head, position, (slot * 2 + head) as f32);
                        for column in 0..18 {
                            part.set(
                                side,
                                head,
                                position,
                                column,
                                number(slot * 2 + head, position, column),
                            );
                        }
                    }
                }
            }
            // The last two heads become the second two from position 21 on, and a tile or quad before.
            whole.copy(side, 2..4, 4, 21..37);
            let first = if side == Side::Keys { 16 } else { 20 };
            let whole = whole.as_ref();
            for head in 0..6 {
                for position in 0..37 {
                    let source = if head >= 4 && position >= first { head - 2 } else { head };
                    assert_eq!(whole.scales()[shape.scale_at(head, position)], source as f32);
                    for column in 0..18 {
                        let at = match side {
                            Side::Keys => shape.key_at(head, position, column),
                            Side::Values => shape.value_at(head, position, column),
                        };
                        let found = i32::from(whole.codes()[at]) - i32::from(OFFSET);
                        assert_eq!(found, i32::from(number(source, position, column)));
                    }
                }
            }
        }
    }

    /// What lies beyond a head is another head, and nothing is stored there.
    #[test]
    fn places_of_other_heads_are_out_of_range() {
        let shape = HeadShape::new(2, 4, 4).unwrap();
        let refused = |set: &dyn Fn(&mut HeadsMut<'_>)| {
            let (mut codes, mut scales) =
                (vec![0; shape.codes_len()], vec![0.0; shape.scales_len()]);
            let set = std::panic::AssertUnwindSafe(|| {
                set(&mut HeadsMut::new(shape, &mut codes, &mut scales).unwrap());
            });
            std::panic::catch_unwind(set).is_err()
        };
        for side in [Side::Keys, Side::Values] {
            for (head, position, column) in [(2, 0, 0), (0, 16, 0), (0, 0, 16)] {
                assert!(refused(&|heads| heads.set(side, head, position, column, 1)));
                assert!(refused(&|heads| heads.set_lanes(side, head, position, column, &[1])));
            }
            assert!(refused(&|heads| heads.copy(side, 0..1, 2, 0..4)));
            assert!(refused(&|heads| heads.copy(side, 0..2, 1, 0..4)));
            assert!(refused(&|heads| heads.copy(side, 0..1, usize::MAX, 0..4)));
        }
        assert!(refused(&|heads| heads.set_scale(0, 16, 0.5)));
        assert!(refused(&|heads| heads.set_value_tile(0, 16, 0, 4, &[[0; 16]; 4])));
        assert!(refused(&|heads| heads.set_value_tile(0, 0, 0, 17, &[[0; 16]; 4])));
        assert!(!refused(&|heads| heads.set_value_tile(1, 12, 0, 16, &[[0; 16]; 4])));
    }

    #[test]
    fn misfits_are_errors() {
        assert!(HeadShape::new(0, 1, 1).is_err() && HeadShape::new(1, 1, (1 << 20) + 1).is_err());
        let shape = HeadShape::new(1, 4, 4).unwrap();
        let mut codes = vec![0; shape.codes_len()];
        assert!(HeadsMut::new(shape, &mut codes[1..], &mut [0.0; 16]).is_err());
        assert!(HeadsMut::new(shape, &mut codes, &mut [0.0; 15]).is_err());
        codes[9] = 128;
        assert!(HeadsMut::new(shape, &mut codes, &mut [0.0; 16]).is_err());
        assert!(HeadsMut::resume(shape, &mut codes, &mut [0.0; 16]).is_ok());
        assert!(HeadsMut::resume(shape, &mut codes[1..], &mut [0.0; 16]).is_err());
        assert!(HeadsMut::resume(shape, &mut codes, &mut [0.0; 15]).is_err());
    }
}
