//! Laying out a new container: offsets first, then header and directory, without allocation.

use super::{
    ContainerError, Form, HEADER_BYTES, Header, MAGIC, MAX_ENTRIES, MAX_NAME, Name, RECORD_BYTES,
    Record, VERSION, aligned, check_shape,
};

/// One entry of a file to be written.
///
/// ```
/// use trit_core::container::{DType, Field, Form, Plan, ScaleKind};
///
/// // Offsets do not need the checksum.
/// let form = Form::new(DType::F32, &[10], ScaleKind::None).unwrap();
/// let fields = ["a", "b"].map(|name| Field { name, form, crc: 0 });
/// let plan = Plan::new(&fields)?;
/// assert_eq!((plan.place(0), plan.place(1)), ((384, 0), (448, 0)));
/// # Ok::<(), trit_core::container::ContainerError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The entry's name, 1 to 55 bytes.
    pub name: &'a str,
    /// Type, shape and scales.
    pub form: Form,
    /// CRC-32 of the data bytes followed by the scale bytes; 0 until it is known.
    pub crc: u32,
}

/// Where everything goes in a file with these entries.
///
/// ```
/// use trit_core::container::{Container, DType, Field, Form, Plan, ScaleKind};
///
/// let text = b"hello";
/// let form = Form::new(DType::U8, &[text.len()], ScaleKind::None).unwrap();
/// let fields = [Field { name: "meta.name", form, crc: crc32fast::hash(text) }];
/// let plan = Plan::new(&fields)?;
///
/// #[repr(align(64))]
/// struct File([u8; 320]);
/// let mut file = File([0; 320]);
/// assert_eq!(plan.file_len(), 320);
/// plan.write_head(&mut file.0[..plan.head_len()]);
/// let (data, _scales) = plan.place(0);
/// file.0[data as usize..][..text.len()].copy_from_slice(text);
///
/// let container = Container::open(&file.0)?;
/// container.verify()?;
/// assert_eq!(container.get("meta.name")?.bytes()?, text);
/// # Ok::<(), trit_core::container::ContainerError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    fields: &'a [Field<'a>],
    file_len: u64,
}

impl<'a> Plan<'a> {
    /// Plans a file of `fields`, which must be in strictly ascending order of name.
    ///
    /// # Errors
    /// A name or form that a file cannot have, or a size that overflows.
    pub fn new(fields: &'a [Field<'a>]) -> Result<Self, ContainerError> {
        if fields.len() > MAX_ENTRIES {
            return Err(ContainerError::TooManyEntries(fields.len() as u32));
        }
        let mut end = (HEADER_BYTES + fields.len() * RECORD_BYTES) as u64;
        for (entry, field) in fields.iter().enumerate() {
            let sorted = entry == 0 || fields[entry - 1].name.as_bytes() < field.name.as_bytes();
            let plain = !field.name.is_empty() && !field.name.contains('\0');
            if field.name.len() > MAX_NAME || !sorted || !plain {
                return Err(ContainerError::BadName { entry });
            }
            let name = Name::new(field.name);
            let bad = |field| ContainerError::BadEntry { name, field };
            check_shape(field.form.rank, &field.form.shape).map_err(bad)?;
            let places = field.form.lengths().and_then(|lengths| place(end, lengths));
            end = places.ok_or(bad("shape or scales for its type"))?.2;
        }
        let file_len = aligned(end).ok_or(ContainerError::Header("the file length overflows"))?;
        Ok(Self { fields, file_len })
    }

    /// Bytes of the whole file.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Bytes of header and directory, which [`write_head`](Self::write_head) fills.
    pub fn head_len(&self) -> usize {
        HEADER_BYTES + self.fields.len() * RECORD_BYTES
    }

    fn places(&self) -> impl Iterator<Item = (u64, u64, (usize, usize))> {
        let mut end = self.head_len() as u64;
        self.fields.iter().map(move |field| {
            // Planning has checked that every length and offset fits.
            let lengths = field.form.lengths().unwrap_or_default();
            let (data, scales, next) = place(end, lengths).unwrap_or_default();
            end = next;
            (data, scales, lengths)
        })
    }

    /// Offsets of the data and of the scales (0 if it has none) of entry `index`.
    ///
    /// # Panics
    /// If there is no such entry.
    pub fn place(&self, index: usize) -> (u64, u64) {
        assert!(index < self.fields.len(), "the file has no entry {index}");
        self.places().nth(index).map_or((0, 0), |(data, scales, _)| (data, scales))
    }

    /// Writes header and directory into `head`, of [`head_len`](Self::head_len) bytes.
    ///
    /// # Panics
    /// If `head` has another length.
    pub fn write_head(&self, head: &mut [u8]) {
        assert_eq!(head.len(), self.head_len(), "the head has a fixed length");
        let (header_bytes, directory) = head.split_at_mut(HEADER_BYTES);
        for ((field, (data, scales, lengths)), bytes) in
            self.fields.iter().zip(self.places()).zip(directory.chunks_exact_mut(RECORD_BYTES))
        {
            let mut name = [0; 56];
            name[..field.name.len()].copy_from_slice(field.name.as_bytes());
            let (scale_kind, group_size) = field.form.scales.numbers();
            let record = Record {
                name,
                flags: 0,
                dtype: field.form.dtype as u32,
                rank: field.form.rank,
                scale_kind,
                group_size,
                crc: field.crc,
                shape: field.form.shape,
                data_offset: data,
                data_len: lengths.0 as u64,
                scale_offset: scales,
                scale_len: lengths.1 as u64,
            };
            bytes.copy_from_slice(bytemuck::bytes_of(&record));
        }
        let mut header = Header {
            magic: MAGIC,
            version: VERSION,
            entries: self.fields.len() as u32,
            file_len: self.file_len,
            directory_offset: HEADER_BYTES as u64,
            directory_crc: crc32fast::hash(directory),
            header_crc: 0,
            reserved: [0; 88],
        };
        header.header_crc = crc32fast::hash(bytemuck::bytes_of(&header));
        header_bytes.copy_from_slice(bytemuck::bytes_of(&header));
    }
}

/// Offsets of data and scales after `end`, and their new end.
fn place(end: u64, (data, scales): (usize, usize)) -> Option<(u64, u64, u64)> {
    let data_offset = aligned(end)?;
    let data_end = data_offset.checked_add(data as u64)?;
    if scales == 0 {
        return Some((data_offset, 0, data_end));
    }
    let scale_offset = aligned(data_end)?;
    Some((data_offset, scale_offset, scale_offset.checked_add(scales as u64)?))
}
