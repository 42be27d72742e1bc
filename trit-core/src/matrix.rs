//! Views of weight matrices `[rows, k]`; every constructor checks every length.

use crate::error::{MatrixError, check_dimension, check_len};
use crate::layout::{self, Layout};
use crate::scale::{GroupSize, Scales};
use crate::{MAX_INT4_K, MAX_INT8_K, MAX_TERNARY_K, int4, padded_rows};

/// Rows beyond this are refused, so that no product of dimensions can overflow where a pointer has 64 bits;
/// where it has 32, lengths are computed with checks.
pub(crate) const MAX_ROWS: usize = 1 << 28;

/// A packed matrix of trits with its scales.
///
/// ```
/// use trit_core::{Layout, MatrixError, Scales, TernaryMatrix, layout};
///
/// let mut codes = [0; layout::bytes(Layout::T5, 2, 3).unwrap()];
/// layout::pack(Layout::T5, 2, 3, &[1, 0, -1, -1, 1, 0], &mut codes)?;
/// let matrix = TernaryMatrix::new(2, 3, Layout::T5, &codes, Scales::Tensor(0.5))?;
/// assert_eq!((matrix.rows(), matrix.k(), matrix.codes().len()), (2, 3, 64));
/// assert_eq!((matrix.weight(1, 0), matrix.scale(1, 0)), (-1, 0.5));
///
/// // 17 rows take two tiles.
/// let error = TernaryMatrix::new(17, 3, Layout::T5, &codes, Scales::Tensor(0.5)).unwrap_err();
/// assert_eq!(error, MatrixError::Length { what: "codes", expected: 128, found: 64 });
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TernaryMatrix<'a> {
    rows: usize,
    k: usize,
    layout: Layout,
    codes: &'a [u8],
    scales: Scales<'a>,
}

impl<'a> TernaryMatrix<'a> {
    /// A view of `codes` packed as [`layout::pack`] does, with `scales`.
    ///
    /// Codes are not looked at: a 2-bit code 3 acts as the weight +2. Files are checked for it by
    /// [`Container::verify`](crate::container::Container::verify).
    ///
    /// # Errors
    /// A dimension out of range or a buffer of the wrong length.
    pub fn new(
        rows: usize,
        k: usize,
        layout: Layout,
        codes: &'a [u8],
        scales: Scales<'a>,
    ) -> Result<Self, MatrixError> {
        check_dimension("rows", rows, MAX_ROWS)?;
        check_dimension("k", k, MAX_TERNARY_K)?;
        let needed = layout::bytes(layout, rows, k).unwrap_or(usize::MAX);
        check_len("codes", codes.len(), needed)?;
        scales.check(rows, k)?;
        Ok(Self { rows, k, layout, codes, scales })
    }

    /// Output rows.
    #[inline]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a row.
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// How the codes are packed.
    #[inline]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// The packed codes.
    #[inline]
    pub const fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// The scales.
    #[inline]
    pub const fn scales(&self) -> Scales<'a> {
        self.scales
    }

    /// The weight at (`row`, `input`): −1, 0 or +1.
    ///
    /// # Panics
    /// If `row` or `input` is out of range.
    pub fn weight(&self, row: usize, input: usize) -> i8 {
        assert!(row < self.rows && input < self.k, "({row}, {input}) lies outside the matrix");
        let (offset, plane) = layout::position(self.layout, self.k, row, input);
        self.layout.code(self.codes[offset], plane) as i8 - 1
    }

    /// The scale that applies at (`row`, `input`).
    ///
    /// # Panics
    /// If `row` or `input` is out of range.
    pub fn scale(&self, row: usize, input: usize) -> f32 {
        assert!(row < self.rows && input < self.k, "({row}, {input}) lies outside the matrix");
        match self.scales {
            Scales::Tensor(scale) => scale,
            Scales::Row(values) => values[row],
            Scales::Group { size, values } => values[Scales::group_index(self.k, size, row, input)],
        }
    }
}

/// An int8 matrix with a scale per row.
///
/// ```
/// use trit_core::Int8Matrix;
///
/// // Two rows of three inputs, 16 elements apart.
/// let (mut values, mut scales) = ([0; 2 * 16], [0.0; 16]);
/// values[16..19].copy_from_slice(&[-127, 5, 127]);
/// scales[1] = 0.5;
/// let matrix = Int8Matrix::new(2, 3, &values, &scales)?;
/// assert_eq!(matrix.stride(), 16);
/// assert_eq!(matrix.row(1), [-127, 5, 127]);
/// assert_eq!(matrix.scales()[1], 0.5);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Int8Matrix<'a> {
    rows: usize,
    k: usize,
    values: &'a [i8],
    scales: &'a [f32],
}

impl<'a> Int8Matrix<'a> {
    /// Elements from one row to the next: k rounded up to 16.
    #[inline]
    pub const fn stride_of(k: usize) -> usize {
        k.next_multiple_of(16)
    }

    /// A view of `values` `[rows, stride]`, zero beyond k, and `scales` `[round16(rows)]`.
    ///
    /// # Errors
    /// A dimension out of range or a buffer of the wrong length.
    pub fn new(
        rows: usize,
        k: usize,
        values: &'a [i8],
        scales: &'a [f32],
    ) -> Result<Self, MatrixError> {
        check_dimension("rows", rows, MAX_ROWS)?;
        check_dimension("k", k, MAX_INT8_K)?;
        let needed = rows.saturating_mul(Self::stride_of(k));
        check_len("int8 values", values.len(), needed)?;
        check_len("row scales", scales.len(), padded_rows(rows))?;
        Ok(Self { rows, k, values, scales })
    }

    /// Output rows.
    #[inline]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a row.
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Elements from one row to the next.
    #[inline]
    pub const fn stride(&self) -> usize {
        Self::stride_of(self.k)
    }

    /// The values of `row`, k of them.
    ///
    /// # Panics
    /// If `row` is out of range.
    #[inline]
    pub fn row(&self, row: usize) -> &'a [i8] {
        &self.values[row * self.stride()..][..self.k]
    }

    /// All values, `[rows, stride]`.
    #[inline]
    pub const fn values(&self) -> &'a [i8] {
        self.values
    }

    /// The row scales, `[round16(rows)]`.
    #[inline]
    pub const fn scales(&self) -> &'a [f32] {
        self.scales
    }
}

/// A packed 4-bit matrix with a scale per row and group of inputs.
///
/// ```
/// use trit_core::{GroupSize, Int4Matrix, int4};
///
/// let mut codes = [0; int4::bytes(1, 3).unwrap()];
/// int4::pack(1, 3, &[-8, 0, 7], &mut codes)?;
/// let mut scales = [0.0; 16];
/// scales[0] = 0.25;
/// let matrix = Int4Matrix::new(1, 3, GroupSize::G32, &codes, &scales)?;
/// assert_eq!([0, 1, 2].map(|input| matrix.weight(0, input)), [-8, 0, 7]);
/// assert_eq!(matrix.scale(0, 2), 0.25);
/// # Ok::<(), trit_core::MatrixError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Int4Matrix<'a> {
    rows: usize,
    k: usize,
    group: GroupSize,
    codes: &'a [u8],
    scales: &'a [f32],
}

impl<'a> Int4Matrix<'a> {
    /// A view of `codes` packed as [`int4::pack`] does, with `scales` in the order of
    /// [`Scales::Group`]: `[round16(rows) / 16][⌈k / group⌉][16]`.
    ///
    /// Every byte is two valid codes.
    ///
    /// # Errors
    /// A dimension out of range or a buffer of the wrong length.
    pub fn new(
        rows: usize,
        k: usize,
        group: GroupSize,
        codes: &'a [u8],
        scales: &'a [f32],
    ) -> Result<Self, MatrixError> {
        check_dimension("rows", rows, MAX_ROWS)?;
        check_dimension("k", k, MAX_INT4_K)?;
        check_len("codes", codes.len(), int4::bytes(rows, k).unwrap_or(usize::MAX))?;
        Scales::Group { size: group, values: scales }.check(rows, k)?;
        Ok(Self { rows, k, group, codes, scales })
    }

    /// Output rows.
    #[inline]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs of a row.
    #[inline]
    pub const fn k(&self) -> usize {
        self.k
    }

    /// Inputs that share a scale.
    #[inline]
    pub const fn group(&self) -> GroupSize {
        self.group
    }

    /// The packed codes.
    #[inline]
    pub const fn codes(&self) -> &'a [u8] {
        self.codes
    }

    /// The scales, the 16 rows of a tile side by side.
    #[inline]
    pub const fn scales(&self) -> &'a [f32] {
        self.scales
    }

    /// The weight at (`row`, `input`), −8 to 7.
    ///
    /// # Panics
    /// If `row` or `input` is out of range.
    pub fn weight(&self, row: usize, input: usize) -> i8 {
        assert!(row < self.rows && input < self.k, "({row}, {input}) lies outside the matrix");
        let (offset, plane) = int4::position(self.k, row, input);
        int4::code(self.codes[offset], plane) as i8 - int4::ZERO as i8
    }

    /// The scale that applies at (`row`, `input`).
    ///
    /// # Panics
    /// If `row` or `input` is out of range.
    pub fn scale(&self, row: usize, input: usize) -> f32 {
        assert!(row < self.rows && input < self.k, "({row}, {input}) lies outside the matrix");
        self.scales[Scales::group_index(self.k, self.group, row, input)]
    }
}

macro_rules! dense {
    ($name:ident, $element:ty, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy)]
        pub struct $name<'a> {
            rows: usize,
            k: usize,
            values: &'a [$element],
        }

        impl<'a> $name<'a> {
            /// A view of row-major `values` `[rows, k]`.
            ///
            /// # Errors
            /// A dimension out of range or a buffer of the wrong length.
            pub fn new(rows: usize, k: usize, values: &'a [$element]) -> Result<Self, MatrixError> {
                check_dimension("rows", rows, MAX_ROWS)?;
                check_dimension("k", k, MAX_TERNARY_K)?;
                check_len($what, values.len(), rows.checked_mul(k).unwrap_or(usize::MAX))?;
                Ok(Self { rows, k, values })
            }

            /// Output rows.
            #[inline]
            pub const fn rows(&self) -> usize {
                self.rows
            }

            /// Inputs of a row.
            #[inline]
            pub const fn k(&self) -> usize {
                self.k
            }

            /// The values of `row`.
            ///
            /// # Panics
            /// If `row` is out of range.
            #[inline]
            pub fn row(&self, row: usize) -> &'a [$element] {
                &self.values[row * self.k..][..self.k]
            }

            /// All values, row-major.
            #[inline]
            pub const fn values(&self) -> &'a [$element] {
                self.values
            }
        }
    };
}

dense!(
    F32Matrix,
    f32,
    "f32 values",
    "A dense f32 matrix, row-major without padding.

```
use trit_core::F32Matrix;

let matrix = F32Matrix::new(2, 3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
assert_eq!((matrix.rows(), matrix.k()), (2, 3));
assert_eq!(matrix.row(1), [4.0, 5.0, 6.0]);
# Ok::<(), trit_core::MatrixError>(())
```"
);
dense!(
    F16Matrix,
    u16,
    "f16 values",
    "A dense matrix of IEEE half-precision bits (see [`f16`](crate::f16)), row-major.

```
use trit_core::{F16Matrix, f16};

let bits = [1.0, 2.0, 3.0, 4.0].map(f16::from_f32);
let matrix = F16Matrix::new(2, 2, &bits)?;
assert_eq!(matrix.row(1), [0x4200, 0x4400]);
# Ok::<(), trit_core::MatrixError>(())
```"
);
