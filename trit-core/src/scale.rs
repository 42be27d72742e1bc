//! Scales of a ternary matrix.

use crate::error::{MatrixError, check_len};
use crate::{TILE_ROWS, padded_rows};

/// Consecutive inputs that share a scale.
///
/// ```
/// use trit_core::GroupSize;
///
/// assert_eq!(GroupSize::new(64), Some(GroupSize::G64));
/// assert_eq!(GroupSize::ALL.map(GroupSize::inputs), [32, 64, 128, 256]);
/// assert!(GroupSize::G32 < GroupSize::G256);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupSize {
    /// 32 inputs.
    G32 = 32,
    /// 64 inputs.
    G64 = 64,
    /// 128 inputs.
    G128 = 128,
    /// 256 inputs.
    G256 = 256,
}

impl GroupSize {
    /// All sizes, ascending.
    pub const ALL: [Self; 4] = [Self::G32, Self::G64, Self::G128, Self::G256];

    /// The group of `inputs` inputs, if there is one.
    ///
    /// ```
    /// use trit_core::GroupSize;
    ///
    /// assert_eq!(GroupSize::new(128), Some(GroupSize::G128));
    /// assert_eq!(GroupSize::new(48), None);
    /// ```
    pub const fn new(inputs: usize) -> Option<Self> {
        match inputs {
            32 => Some(Self::G32),
            64 => Some(Self::G64),
            128 => Some(Self::G128),
            256 => Some(Self::G256),
            _ => None,
        }
    }

    /// Inputs of a group.
    #[inline]
    pub const fn inputs(self) -> usize {
        self as usize
    }
}

/// The scales of a ternary matrix `[rows, k]`.
///
/// ```
/// use trit_core::{GroupSize, Scales};
///
/// assert_eq!(Scales::Tensor(0.5).group(), None);
/// // 17 rows fill two tiles of 16; 100 inputs are two groups of 64.
/// assert_eq!(Scales::len(17, 100, None), 32);
/// assert_eq!(Scales::len(17, 100, Some(GroupSize::G64)), 64);
/// let values = [0.0; 64];
/// let scales = Scales::Group { size: GroupSize::G64, values: &values };
/// assert_eq!(scales.group(), Some(GroupSize::G64));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scales<'a> {
    /// One for the whole matrix.
    Tensor(f32),
    /// One a row, padded with 0 to whole tiles: `[round16(rows)]`.
    Row(&'a [f32]),
    /// One a row and group, the 16 rows of a tile side by side:
    /// `[round16(rows) / 16][⌈k / size⌉][16]`, padded with 0.
    Group {
        /// Inputs of a group.
        size: GroupSize,
        /// The scales.
        values: &'a [f32],
    },
}

impl<'a> Scales<'a> {
    /// Number of scales that a group size (`None`: one a row) needs.
    ///
    /// ```
    /// use trit_core::{GroupSize, Scales};
    ///
    /// assert_eq!(Scales::len(3, 100, None), 16);
    /// assert_eq!(Scales::len(3, 100, Some(GroupSize::G32)), 4 * 16);
    /// ```
    pub const fn len(rows: usize, k: usize, group: Option<GroupSize>) -> usize {
        match group {
            None => padded_rows(rows),
            Some(size) => padded_rows(rows) * k.div_ceil(size.inputs()),
        }
    }

    /// Index of the scale of (`row`, `input`) among grouped scales.
    ///
    /// ```
    /// use trit_core::{GroupSize, Scales};
    ///
    /// // 100 inputs are two groups of 64: the first of 16 rows, their second, then the next rows.
    /// let index = |row, input| Scales::group_index(100, GroupSize::G64, row, input);
    /// assert_eq!([index(0, 0), index(1, 63), index(0, 64), index(16, 0)], [0, 1, 16, 32]);
    /// ```
    #[inline]
    pub const fn group_index(k: usize, size: GroupSize, row: usize, input: usize) -> usize {
        let groups = k.div_ceil(size.inputs());
        (row / TILE_ROWS * groups + input / size.inputs()) * TILE_ROWS + row % TILE_ROWS
    }

    /// The group size, `None` for scales per tensor or row.
    #[inline]
    pub const fn group(&self) -> Option<GroupSize> {
        match self {
            Self::Group { size, .. } => Some(*size),
            _ => None,
        }
    }

    pub(crate) fn check(&self, rows: usize, k: usize) -> Result<(), MatrixError> {
        match self {
            Self::Tensor(_) => Ok(()),
            Self::Row(values) => check_len("row scales", values.len(), Self::len(rows, k, None)),
            Self::Group { size, values } => {
                check_len("group scales", values.len(), Self::len(rows, k, Some(*size)))
            }
        }
    }
}
