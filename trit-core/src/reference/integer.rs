//! Products of int8 activations with ternary, int8 and 4-bit weights.

use core::ops::Range;

use crate::{GroupSize, Int4Matrix, Int8Matrix, QuantizedActs, TernaryMatrix};

/// `y[m, n] = Σ_g (sx[m,g] · sw[n,g]) · (Σ_{k∈g} w[n,k] · q[m,k]) + bias[n]`.
///
/// Groups g are the finer of the weights' and the activations'; they are summed in ascending order
/// from +0. The inner sum is an exact integer. y is `[tokens, rows.len()]`.
///
/// ```
/// use trit_core::{Layout, QuantizedActs, Scales, TernaryMatrix, layout, reference};
///
/// let mut codes = [0; 64];
/// layout::pack(Layout::T4, 2, 3, &[1, 0, -1, 1, 1, 1], &mut codes)?;
/// let w = TernaryMatrix::new(2, 3, Layout::T4, &codes, Scales::Tensor(0.5))?;
/// let mut values = [0; 64];
/// values[..3].copy_from_slice(&[100, 20, 3]);
/// let x = QuantizedActs::new(1, 3, None, &values, &[2.0], &[123, 0])?;
///
/// let mut y = [0.0; 2];
/// reference::ternary(&w, &x, Some(&[0.0, 0.25]), 0..2, &mut y);
/// assert_eq!(y, [97.0, 123.25]);
/// // The second row alone.
/// reference::ternary(&w, &x, None, 1..2, &mut y[..1]);
/// assert_eq!(y[0], 123.0);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If k or a length does not fit.
pub fn ternary(
    w: &TernaryMatrix<'_>,
    x: &QuantizedActs<'_>,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    let weight = |row, input| i32::from(w.weight(row, input));
    let scale = |row, input| w.scale(row, input);
    product(w.k(), w.scales().group(), weight, scale, x, bias, rows, y);
}

/// As [`ternary`], with int8 weights and their row scales.
///
/// ```
/// use trit_core::{Int8Matrix, QuantizedActs, reference};
///
/// let (mut weights, mut scales) = ([0; 16], [0.0; 16]);
/// weights[..2].copy_from_slice(&[3, -127]);
/// scales[0] = 0.5;
/// let w = Int8Matrix::new(1, 2, &weights, &scales)?;
/// let mut values = [0; 64];
/// values[..2].copy_from_slice(&[100, 2]);
/// let x = QuantizedActs::new(1, 2, None, &values, &[2.0], &[102, 0])?;
///
/// let mut y = [0.0];
/// reference::int8(&w, &x, None, 0..1, &mut y);
/// assert_eq!(y, [300.0 - 254.0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If k or a length does not fit.
pub fn int8(
    w: &Int8Matrix<'_>,
    x: &QuantizedActs<'_>,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    let weight = |row, input| i32::from(w.row(row)[input]);
    product(w.k(), None, weight, |row, _| w.scales()[row], x, bias, rows, y);
}

/// As [`ternary`], with 4-bit weights and their scales per row and group.
///
/// `Σ w·q` of a group is at most 8·128·256 = 2¹⁸ in size and converts to f32 exactly.
///
/// ```
/// use trit_core::{GroupSize, Int4Matrix, QuantizedActs, int4, reference};
///
/// let (mut codes, mut scales) = ([0; 64], [0.0; 16]);
/// int4::pack(1, 2, &[7, -8], &mut codes)?;
/// scales[0] = 0.5;
/// let w = Int4Matrix::new(1, 2, GroupSize::G32, &codes, &scales)?;
/// let mut values = [0; 64];
/// values[..2].copy_from_slice(&[100, 2]);
/// let x = QuantizedActs::new(1, 2, None, &values, &[2.0], &[102, 0])?;
///
/// let mut y = [0.0];
/// reference::int4(&w, &x, None, 0..1, &mut y);
/// assert_eq!(y, [700.0 - 16.0]);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
///
/// # Panics
/// If k or a length does not fit.
pub fn int4(
    w: &Int4Matrix<'_>,
    x: &QuantizedActs<'_>,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    let weight = |row, input| i32::from(w.weight(row, input));
    let scale = |row, input| w.scale(row, input);
    product(w.k(), Some(w.group()), weight, scale, x, bias, rows, y);
}

fn product(
    k: usize,
    group: Option<GroupSize>,
    weight: impl Fn(usize, usize) -> i32,
    scale: impl Fn(usize, usize) -> f32,
    x: &QuantizedActs<'_>,
    bias: Option<&[f32]>,
    rows: Range<usize>,
    y: &mut [f32],
) {
    assert_eq!(k, x.k());
    assert_eq!(y.len(), x.tokens() * rows.len());
    let part = [group, x.group()].into_iter().flatten().min().map_or(k, GroupSize::inputs);
    for m in 0..x.tokens() {
        for (at, n) in rows.clone().enumerate() {
            let mut acc = 0.0;
            for start in (0..k).step_by(part) {
                let inputs = start..k.min(start + part);
                let sum: i32 = inputs.map(|i| weight(n, i) * i32::from(x.token(m)[i])).sum();
                let sx = x.scales(m)[x.group().map_or(0, |group| start / group.inputs())];
                acc += (sx * scale(n, start)) * sum as f32;
            }
            y[m * rows.len() + at] = match bias {
                Some(bias) => acc + bias[n],
                None => acc,
            };
        }
    }
}
