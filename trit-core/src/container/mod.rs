//! The `.trit` container: one little-endian file, read in place. `docs/format.md` is its
//! specification.
//!
//! A [`Container`] is opened over bytes wherever they lie: a memory map, flash, a buffer. Opening
//! checks the header, the directory and every offset, and allocates nothing. [`Container::verify`]
//! reads the payloads as well. [`Plan`] lays a new file out.

mod error;
mod read;
mod write;

pub use error::{ContainerError, Name};
pub use read::{Container, Entry};
pub use write::{Field, Plan};

use bytemuck::{Pod, Zeroable};

use crate::matrix::MAX_ROWS;
use crate::scale::{GroupSize, Scales};
use crate::{Int8Matrix, Layout, MAX_INT8_K, MAX_TERNARY_K, TILE_ROWS, int4, layout, padded_rows};

/// First eight bytes of a file.
pub const MAGIC: [u8; 8] = *b"\x89TRIT\r\n\x1a";
/// The version this crate reads and writes.
pub const VERSION: u32 = 1;
/// Every payload starts at a multiple of this, and the file ends at one.
pub const ALIGNMENT: usize = 64;
/// Most entries of a file.
pub const MAX_ENTRIES: usize = 4096;
/// Longest name in bytes.
pub const MAX_NAME: usize = 55;

/// The fixed header at offset 0.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Header {
    magic: [u8; 8],
    version: u32,
    entries: u32,
    file_len: u64,
    directory_offset: u64,
    directory_crc: u32,
    header_crc: u32,
    reserved: [u8; 88],
}

/// One directory entry as it lies in the file.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Record {
    name: [u8; 56],
    flags: u32,
    dtype: u32,
    rank: u32,
    scale_kind: u32,
    group_size: u32,
    crc: u32,
    shape: [u32; 4],
    data_offset: u64,
    data_len: u64,
    scale_offset: u64,
    scale_len: u64,
}

const HEADER_BYTES: usize = size_of::<Header>();
const RECORD_BYTES: usize = size_of::<Record>();
const _: () = assert!(HEADER_BYTES == 128 && RECORD_BYTES == 128);

/// Element type of an entry.
///
/// ```
/// use trit_core::Layout;
/// use trit_core::container::DType;
///
/// assert_eq!((DType::T5.name(), DType::T5.layout()), ("t5", Some(Layout::T5)));
/// assert_eq!(DType::F16 as u32, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DType {
    /// Bytes: text, tables, configuration.
    U8 = 0,
    /// IEEE single precision.
    F32 = 1,
    /// IEEE half precision.
    F16 = 2,
    /// Signed bytes with a scale per row.
    I8 = 3,
    /// Trits, 2 bits each ([`Layout::T4`]).
    T4 = 4,
    /// Trits, 1.6 bits each ([`Layout::T5`]).
    T5 = 5,
    /// Signed 4-bit weights with a scale per row and group ([`int4`]).
    I4 = 6,
}

impl DType {
    const fn new(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::U8,
            1 => Self::F32,
            2 => Self::F16,
            3 => Self::I8,
            4 => Self::T4,
            5 => Self::T5,
            6 => Self::I4,
            _ => return None,
        })
    }

    /// The layout of a ternary type.
    ///
    /// ```
    /// use trit_core::Layout;
    /// use trit_core::container::DType;
    ///
    /// assert_eq!(DType::T4.layout(), Some(Layout::T4));
    /// assert_eq!(DType::I8.layout(), None);
    /// ```
    pub const fn layout(self) -> Option<Layout> {
        match self {
            Self::T4 => Some(Layout::T4),
            Self::T5 => Some(Layout::T5),
            _ => None,
        }
    }

    /// The type's short name.
    ///
    /// ```
    /// assert_eq!(trit_core::container::DType::I4.name(), "i4");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I8 => "i8",
            Self::T4 => "t4",
            Self::T5 => "t5",
            Self::I4 => "i4",
        }
    }
}

/// What scales an entry has.
///
/// ```
/// use trit_core::GroupSize;
/// use trit_core::container::{DType, Form, ScaleKind};
///
/// // 16 rows of 256 inputs: bytes of data, and of scales.
/// let lengths = |dtype, kind| Form::new(dtype, &[16, 256], kind).unwrap().lengths();
/// assert_eq!(lengths(DType::T4, ScaleKind::Tensor), Some((1024, 4)));
/// assert_eq!(lengths(DType::T4, ScaleKind::Row), Some((1024, 16 * 4)));
/// assert_eq!(lengths(DType::T4, ScaleKind::Group(GroupSize::G128)), Some((1024, 2 * 16 * 4)));
/// // Packed trits need scales.
/// assert_eq!(lengths(DType::T4, ScaleKind::None), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleKind {
    /// None: the elements are values.
    None,
    /// One for the tensor.
    Tensor,
    /// One a row.
    Row,
    /// One a row and group.
    Group(GroupSize),
}

impl ScaleKind {
    const fn new(kind: u32, group: u32) -> Option<Self> {
        Some(match (kind, group) {
            (0, 0) => Self::None,
            (1, 0) => Self::Tensor,
            (2, 0) => Self::Row,
            (3, size) => match GroupSize::new(size as usize) {
                Some(size) => Self::Group(size),
                None => return None,
            },
            _ => return None,
        })
    }

    const fn numbers(self) -> (u32, u32) {
        match self {
            Self::None => (0, 0),
            Self::Tensor => (1, 0),
            Self::Row => (2, 0),
            Self::Group(size) => (3, size as u32),
        }
    }
}

/// Type, shape and scales of an entry.
///
/// ```
/// use trit_core::container::{DType, Form, ScaleKind};
///
/// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
/// assert_eq!((form.rank, form.shape), (3, [4, 5, 6, 1]));
/// // The matrix view is [4, 30].
/// assert_eq!((form.rows(), form.k()), (4, Some(30)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Element type.
    pub dtype: DType,
    /// Number of dimensions, 1 to 4.
    pub rank: u32,
    /// Dimensions; those beyond the rank are 1.
    pub shape: [u32; 4],
    /// Scales.
    pub scales: ScaleKind,
}

/// Checks the dimensions that an entry states; the name of the field that is wrong.
fn check_shape(rank: u32, shape: &[u32; 4]) -> Result<(), &'static str> {
    if !(1..=4).contains(&rank) {
        return Err("rank");
    }
    let (used, beyond) = shape.split_at(rank as usize);
    if used.contains(&0) || beyond.iter().any(|&extra| extra != 1) { Err("shape") } else { Ok(()) }
}

impl Form {
    /// A form of the given dimensions; `None` unless there are 1 to 4 that fit 32 bits.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = |dimensions: &[usize]| Form::new(DType::F32, dimensions, ScaleKind::None);
    /// assert!(form(&[7]).is_some());
    /// assert!(form(&[]).is_none() && form(&[1; 5]).is_none());
    /// ```
    pub fn new(dtype: DType, dimensions: &[usize], scales: ScaleKind) -> Option<Self> {
        if !(1..=4).contains(&dimensions.len()) {
            return None;
        }
        let mut shape = [1; 4];
        for (to, &from) in shape.iter_mut().zip(dimensions) {
            *to = u32::try_from(from).ok()?;
        }
        Some(Self { dtype, rank: dimensions.len() as u32, shape, scales })
    }

    /// The dimensions.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
    /// assert_eq!(form.dimensions(), [4, 5, 6]);
    /// ```
    pub fn dimensions(&self) -> &[u32] {
        &self.shape[..self.rank as usize]
    }

    /// Rows of the matrix view: the first dimension.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
    /// assert_eq!(form.rows(), 4);
    /// ```
    pub const fn rows(&self) -> usize {
        self.shape[0] as usize
    }

    /// Inputs of a row of the matrix view: the product of the other dimensions, if it fits.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
    /// assert_eq!(form.k(), Some(5 * 6));
    /// ```
    pub const fn k(&self) -> Option<usize> {
        match (self.shape[1] as usize).checked_mul(self.shape[2] as usize) {
            Some(k) => k.checked_mul(self.shape[3] as usize),
            None => None,
        }
    }

    /// Number of elements, if it fits.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
    /// assert_eq!(form.elements(), Some(4 * 5 * 6));
    /// ```
    pub const fn elements(&self) -> Option<usize> {
        match self.k() {
            Some(k) => k.checked_mul(self.rows()),
            None => None,
        }
    }

    /// Bytes of data and of scales, or `None` where the type cannot have these scales or the size
    /// overflows.
    ///
    /// ```
    /// use trit_core::container::{DType, Form, ScaleKind};
    ///
    /// let form = Form::new(DType::T4, &[4, 5, 6], ScaleKind::Row).unwrap();
    /// // Two tiles of 16 rows × 16 inputs, and 16 scales.
    /// assert_eq!(form.lengths(), Some((2 * 64, 16 * 4)));
    /// // Wider than products are exact for.
    /// let form = Form::new(DType::T4, &[1, (1 << 20) + 1], ScaleKind::Row).unwrap();
    /// assert_eq!(form.lengths(), None);
    /// ```
    pub const fn lengths(&self) -> Option<(usize, usize)> {
        let (rows, Some(k)) = (self.rows(), self.k()) else { return None };
        // Keeps the arithmetic below far from overflow on 64-bit; checked for 32-bit targets.
        let Some(elements) = self.elements() else { return None };
        if elements > isize::MAX as usize / 8 || rows > u32::MAX as usize - TILE_ROWS {
            return None;
        }
        // What products are exact for; bytes are multiplied by nothing.
        let most_k = match self.dtype {
            DType::I8 => MAX_INT8_K,
            _ => MAX_TERNARY_K,
        };
        if !matches!(self.dtype, DType::U8) && (rows > MAX_ROWS || k > most_k) {
            return None;
        }
        let scales = match (self.dtype, self.scales) {
            (DType::U8 | DType::F32 | DType::F16, ScaleKind::None) => 0,
            (DType::I8 | DType::T4 | DType::T5, ScaleKind::Row) => padded_rows(rows),
            (DType::T4 | DType::T5, ScaleKind::Tensor) => 1,
            (DType::T4 | DType::T5 | DType::I4, ScaleKind::Group(size)) => {
                match padded_rows(rows).checked_mul(k.div_ceil(size.inputs())) {
                    Some(_) => Scales::len(rows, k, Some(size)),
                    None => return None,
                }
            }
            _ => return None,
        };
        let data = match self.dtype {
            DType::U8 => Some(elements),
            DType::F16 => elements.checked_mul(2),
            DType::F32 => elements.checked_mul(4),
            DType::I8 => rows.checked_mul(Int8Matrix::stride_of(k)),
            DType::T4 => layout::bytes(Layout::T4, rows, k),
            DType::T5 => layout::bytes(Layout::T5, rows, k),
            DType::I4 => int4::bytes(rows, k),
        };
        match (data, scales.checked_mul(4)) {
            (Some(data), Some(scales)) => Some((data, scales)),
            _ => None,
        }
    }
}

/// `offset` rounded up to the next payload boundary, if that fits.
const fn aligned(offset: u64) -> Option<u64> {
    offset.checked_next_multiple_of(ALIGNMENT as u64)
}
