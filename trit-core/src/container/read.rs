//! Reading a container in place.

use core::ops::Range;

use super::{
    ALIGNMENT, ContainerError, DType, Form, HEADER_BYTES, Header, MAGIC, MAX_ENTRIES, Name,
    RECORD_BYTES, Record, ScaleKind, VERSION, aligned, check_shape,
};
use crate::layout::first;
use crate::{F16Matrix, F32Matrix, Int4Matrix, Int8Matrix, Scales, TernaryMatrix};

/// An opened `.trit` file.
///
/// ```
/// use trit_core::container::{Container, ContainerError, DType, Field, Form};
/// use trit_core::container::{Name, Plan, ScaleKind};
///
/// let form = Form::new(DType::U8, &[5], ScaleKind::None).unwrap();
/// let fields = [Field { name: "meta.name", form, crc: crc32fast::hash(b"hello") }];
/// let plan = Plan::new(&fields)?;
/// #[repr(align(64))]
/// struct File([u8; 320]);
/// let mut file = File([0; 320]);
/// plan.write_head(&mut file.0[..256]);
/// file.0[256..261].copy_from_slice(b"hello");
///
/// let container = Container::open(&file.0)?;
/// assert_eq!((container.len(), container.file_len()), (1, 320));
/// assert_eq!(container.get("meta.name")?.bytes()?, b"hello");
/// assert!(container.get("meta.other").is_err());
/// assert_eq!(container.span("meta."), 256..261);
///
/// // Opening does not read payloads, verifying does.
/// file.0[256] = b'j';
/// let error = Container::open(&file.0)?.verify().unwrap_err();
/// assert_eq!(error, ContainerError::Payload(Name::new("meta.name")));
/// # Ok::<(), trit_core::container::ContainerError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Container<'a> {
    bytes: &'a [u8],
    records: &'a [Record],
}

impl<'a> Container<'a> {
    /// Opens `bytes`, which must be the whole file and start at a multiple of 64.
    ///
    /// The header, the directory and every offset and length are checked; payloads are not read.
    /// Nothing is allocated and at most 512 KiB of directory are looked at.
    ///
    /// ```
    /// use trit_core::container::{Container, ContainerError, MAGIC};
    ///
    /// assert_eq!(Container::open(b"RIFF").unwrap_err(), ContainerError::NotTrit);
    /// let error = ContainerError::Truncated { expected: 128, found: 8 };
    /// assert_eq!(Container::open(&MAGIC).unwrap_err(), error);
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ContainerError> {
        let found = bytes.len() as u64;
        if bytes.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(ContainerError::NotTrit);
        }
        let truncated = |expected| ContainerError::Truncated { expected, found };
        let head = bytes.get(..HEADER_BYTES).ok_or(truncated(HEADER_BYTES as u64))?;
        let mut header: Header = bytemuck::pod_read_unaligned(head);
        if header.version != VERSION {
            return Err(ContainerError::Version(header.version));
        }
        let stated = core::mem::take(&mut header.header_crc);
        if crc32fast::hash(bytemuck::bytes_of(&header)) != stated {
            return Err(ContainerError::Header("its checksum does not match"));
        }
        if header.reserved != [0; 88] {
            return Err(ContainerError::Header("a reserved field is not zero"));
        }
        if header.directory_offset != HEADER_BYTES as u64 {
            return Err(ContainerError::Header("the directory does not follow it"));
        }
        if header.entries as usize > MAX_ENTRIES {
            return Err(ContainerError::TooManyEntries(header.entries));
        }
        if header.file_len != found {
            return Err(truncated(header.file_len));
        }
        if !bytes.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Err(ContainerError::Misaligned);
        }
        let directory_end = HEADER_BYTES + header.entries as usize * RECORD_BYTES;
        let directory =
            bytes.get(HEADER_BYTES..directory_end).ok_or(truncated(directory_end as u64))?;
        if crc32fast::hash(directory) != header.directory_crc {
            return Err(ContainerError::Directory);
        }
        let records: &[Record] =
            bytemuck::try_cast_slice(directory).map_err(|_| ContainerError::Misaligned)?;
        check_names(records)?;
        let end = check_places(records)?;
        if end != found {
            return Err(truncated(end));
        }
        Ok(Self { bytes, records })
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the file.
    pub fn file_len(&self) -> usize {
        self.bytes.len()
    }

    /// The entries in ascending order of name.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'a>> + use<'a> {
        let bytes = self.bytes;
        self.records.iter().map(move |record| Entry { bytes, record })
    }

    /// The entry at `index` in ascending order of name.
    pub fn entry(&self, index: usize) -> Option<Entry<'a>> {
        self.records.get(index).map(|record| Entry { bytes: self.bytes, record })
    }

    /// The index of the entry called `name`.
    ///
    /// # Errors
    /// [`ContainerError::Missing`].
    pub fn find(&self, name: &str) -> Result<usize, ContainerError> {
        let wanted = name.as_bytes();
        self.records
            .binary_search_by(|record| trimmed(&record.name).cmp(wanted))
            .map_err(|_| ContainerError::Missing(Name::new(name)))
    }

    /// The entry called `name`.
    ///
    /// # Errors
    /// [`ContainerError::Missing`].
    pub fn get(&self, name: &str) -> Result<Entry<'a>, ContainerError> {
        let index = self.find(name)?;
        self.entry(index).ok_or(ContainerError::Missing(Name::new(name)))
    }

    /// Where in the file the payloads lie whose names begin with `prefix`, from the first to the last.
    pub fn span(&self, prefix: &str) -> Range<usize> {
        let spans = self.entries().filter(|entry| entry.name().starts_with(prefix)).map(|entry| {
            let (data, scales) = (entry.data(), entry.scale_bytes());
            let start = entry.record.data_offset as usize;
            let scales_end = entry.record.scale_offset as usize + scales.len();
            start..scales_end.max(start + data.len())
        });
        spans.reduce(|all, span| all.start..span.end).unwrap_or(0..0)
    }

    /// Reads every payload: checksums, finiteness of all scales and
    /// float values, and that packed bytes hold trits. Then [what lies between](Self::verify_padding).
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), ContainerError> {
        self.entries().try_for_each(|entry| entry.verify())?;
        self.verify_padding()
    }

    /// Reads the bytes between payloads, which must be zeros.
    ///
    /// ```
    /// # use trit_core::container::{Container, ContainerError, DType, Field, Form, Plan, ScaleKind};
    /// # let form = Form::new(DType::U8, &[5], ScaleKind::None).unwrap();
    /// # let fields = [Field { name: "meta.name", form, crc: crc32fast::hash(b"hello") }];
    /// # #[repr(align(64))]
    /// # struct File([u8; 320]);
    /// # let mut file = File([0; 320]);
    /// # Plan::new(&fields)?.write_head(&mut file.0[..256]);
    /// # file.0[256..261].copy_from_slice(b"hello");
    /// file.0[319] = b'!';
    /// let error = Container::open(&file.0)?.verify_padding().unwrap_err();
    /// assert_eq!(error, ContainerError::Padding { at: 319 });
    /// # Ok::<(), ContainerError>(())
    /// ```
    ///
    /// # Errors
    /// The first byte that is not zero.
    pub fn verify_padding(&self) -> Result<(), ContainerError> {
        let mut end = HEADER_BYTES + size_of_val(self.records);
        let payloads = self.records.iter().flat_map(|record| {
            let data = (record.data_offset, record.data_len);
            [data, (record.scale_offset, record.scale_len)].into_iter().filter(|&(_, len)| len > 0)
        });
        // What follows the last payload ends with the file.
        for (start, len) in payloads.chain([(self.bytes.len() as u64, 0)]) {
            let start = start as usize;
            if let Some(at) = self.bytes[end..start].iter().position(|&byte| byte != 0) {
                return Err(ContainerError::Padding { at: end + at });
            }
            end = start + len as usize;
        }
        Ok(())
    }
}

fn trimmed(name: &[u8; 56]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    &name[..end]
}

fn check_names(records: &[Record]) -> Result<(), ContainerError> {
    for (entry, record) in records.iter().enumerate() {
        let name = trimmed(&record.name);
        let valid = !name.is_empty()
            && record.name[name.len()..].iter().all(|&byte| byte == 0)
            && name.len() < record.name.len()
            && core::str::from_utf8(name).is_ok()
            && (entry == 0 || trimmed(&records[entry - 1].name) < name);
        if !valid {
            return Err(ContainerError::BadName { entry });
        }
    }
    Ok(())
}

/// Checks each record's fields and that payloads lie one after another; returns the file's end.
fn check_places(records: &[Record]) -> Result<u64, ContainerError> {
    let mut end = (HEADER_BYTES + size_of_val(records)) as u64;
    for record in records {
        let name = Name::from_record(record.name);
        let bad = |field| ContainerError::BadEntry { name, field };
        let form = record.form().map_err(bad)?;
        let (data, scales) = form.lengths().ok_or(bad("shape or scales for its type"))?;
        let place = |expected: u64, found: u64| {
            if expected == found {
                Ok(())
            } else {
                Err(ContainerError::Misplaced { name, expected, found })
            }
        };
        let start = aligned(end).ok_or(bad("offset"))?;
        place(start, record.data_offset)?;
        place(data as u64, record.data_len)?;
        end = start.checked_add(data as u64).ok_or(bad("length"))?;
        if scales == 0 {
            place(0, record.scale_offset)?;
        } else {
            let start = aligned(end).ok_or(bad("scale offset"))?;
            place(start, record.scale_offset)?;
            end = start.checked_add(scales as u64).ok_or(bad("scale length"))?;
        }
        place(scales as u64, record.scale_len)?;
    }
    aligned(end).ok_or(ContainerError::Header("the file length overflows"))
}

impl Record {
    /// The record's form, or the name of the field that is wrong.
    fn form(&self) -> Result<Form, &'static str> {
        if self.flags != 0 {
            return Err("flags");
        }
        let dtype = DType::new(self.dtype).ok_or("element type")?;
        check_shape(self.rank, &self.shape)?;
        let scales = ScaleKind::new(self.scale_kind, self.group_size).ok_or("scale kind")?;
        Ok(Form { dtype, rank: self.rank, shape: self.shape, scales })
    }
}

/// One entry of an opened file.
///
/// ```
/// use trit_core::container::{Container, DType, Field, Form, Plan, ScaleKind};
///
/// let form = Form::new(DType::U8, &[5], ScaleKind::None).unwrap();
/// let fields = [Field { name: "meta.name", form, crc: crc32fast::hash(b"hello") }];
/// let plan = Plan::new(&fields)?;
/// #[repr(align(64))]
/// struct File([u8; 320]);
/// let mut file = File([0; 320]);
/// plan.write_head(&mut file.0[..256]);
/// file.0[256..261].copy_from_slice(b"hello");
///
/// let entry = Container::open(&file.0)?.entry(0).unwrap();
/// assert_eq!((entry.name(), entry.form(), entry.stored_len()), ("meta.name", form, 5));
/// assert_eq!(entry.bytes()?, b"hello");
/// assert_eq!(entry.f32().unwrap_err().to_string(), "meta.name is u8, expected f32");
/// # Ok::<(), trit_core::container::ContainerError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    record: &'a Record,
}

impl<'a> Entry<'a> {
    /// The entry's name.
    pub fn name(&self) -> &'a str {
        core::str::from_utf8(trimmed(&self.record.name)).unwrap_or_default()
    }

    /// Type, shape and scales.
    pub fn form(&self) -> Form {
        // Opening has checked the record; the fallback cannot be reached.
        self.record.form().unwrap_or(Form {
            dtype: DType::U8,
            rank: 1,
            shape: [0; 4],
            scales: ScaleKind::None,
        })
    }

    /// Bytes of the file that data and scales take, padding excluded.
    pub fn stored_len(&self) -> usize {
        (self.record.data_len + self.record.scale_len) as usize
    }

    fn data(&self) -> &'a [u8] {
        let (start, len) = (self.record.data_offset as usize, self.record.data_len as usize);
        &self.bytes[start..start + len]
    }

    fn scale_bytes(&self) -> &'a [u8] {
        let (start, len) = (self.record.scale_offset as usize, self.record.scale_len as usize);
        &self.bytes[start..start + len]
    }

    fn scales(&self) -> Result<&'a [f32], ContainerError> {
        bytemuck::try_cast_slice(self.scale_bytes()).map_err(|_| ContainerError::Misaligned)
    }

    fn wrong_type(&self, expected: &'static str) -> ContainerError {
        let name = Name::from_record(self.record.name);
        ContainerError::Type { name, expected, found: self.form().dtype }
    }

    fn matrix_error(&self, error: crate::MatrixError) -> ContainerError {
        ContainerError::Matrix { name: Name::from_record(self.record.name), error }
    }

    /// The bytes of a [`DType::U8`] entry.
    ///
    /// # Errors
    /// The entry is of another type.
    pub fn bytes(&self) -> Result<&'a [u8], ContainerError> {
        match self.form().dtype {
            DType::U8 => Ok(self.data()),
            _ => Err(self.wrong_type("u8")),
        }
    }

    /// The values of a [`DType::F32`] entry, row-major.
    ///
    /// # Errors
    /// The entry is of another type.
    pub fn f32(&self) -> Result<F32Matrix<'a>, ContainerError> {
        let (form, DType::F32) = (self.form(), self.form().dtype) else {
            return Err(self.wrong_type("f32"));
        };
        let values =
            bytemuck::try_cast_slice(self.data()).map_err(|_| ContainerError::Misaligned)?;
        F32Matrix::new(form.rows(), form.k().unwrap_or(0), values)
            .map_err(|error| self.matrix_error(error))
    }

    /// The values of a [`DType::F16`] entry, row-major.
    ///
    /// # Errors
    /// The entry is of another type.
    pub fn f16(&self) -> Result<F16Matrix<'a>, ContainerError> {
        let (form, DType::F16) = (self.form(), self.form().dtype) else {
            return Err(self.wrong_type("f16"));
        };
        let values =
            bytemuck::try_cast_slice(self.data()).map_err(|_| ContainerError::Misaligned)?;
        F16Matrix::new(form.rows(), form.k().unwrap_or(0), values)
            .map_err(|error| self.matrix_error(error))
    }

    /// The matrix of a [`DType::I8`] entry.
    ///
    /// # Errors
    /// The entry is of another type, or too wide for exact int8 products.
    pub fn int8(&self) -> Result<Int8Matrix<'a>, ContainerError> {
        let (form, DType::I8) = (self.form(), self.form().dtype) else {
            return Err(self.wrong_type("i8"));
        };
        let values = bytemuck::cast_slice(self.data());
        Int8Matrix::new(form.rows(), form.k().unwrap_or(0), values, self.scales()?)
            .map_err(|error| self.matrix_error(error))
    }

    /// The matrix of a [`DType::I4`] entry.
    ///
    /// # Errors
    /// The entry is of another type, or wider than activations can be.
    pub fn int4(&self) -> Result<Int4Matrix<'a>, ContainerError> {
        let form = self.form();
        let (DType::I4, ScaleKind::Group(group)) = (form.dtype, form.scales) else {
            return Err(self.wrong_type("i4"));
        };
        Int4Matrix::new(form.rows(), form.k().unwrap_or(0), group, self.data(), self.scales()?)
            .map_err(|error| self.matrix_error(error))
    }

    /// The matrix of a [`DType::T4`] or [`DType::T5`] entry.
    ///
    /// # Errors
    /// The entry is of another type, or too wide for exact ternary products.
    pub fn ternary(&self) -> Result<TernaryMatrix<'a>, ContainerError> {
        let form = self.form();
        let Some(layout) = form.dtype.layout() else {
            return Err(self.wrong_type("t4 or t5"));
        };
        let values = self.scales()?;
        let scales = match form.scales {
            ScaleKind::Group(size) => Scales::Group { size, values },
            ScaleKind::Row => Scales::Row(values),
            ScaleKind::Tensor | ScaleKind::None => {
                Scales::Tensor(values.first().copied().unwrap_or(0.0))
            }
        };
        TernaryMatrix::new(form.rows(), form.k().unwrap_or(0), layout, self.data(), scales)
            .map_err(|error| self.matrix_error(error))
    }

    /// Reads the payload: its checksum, its numbers, its trits.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), ContainerError> {
        let name = Name::from_record(self.record.name);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.data());
        hasher.update(self.scale_bytes());
        if hasher.finalize() != self.record.crc {
            return Err(ContainerError::Payload(name));
        }
        if let Some(index) = self.scales()?.iter().position(|scale| !scale.is_finite()) {
            return Err(ContainerError::NonFinite { name, index });
        }
        let form = self.form();
        let non_finite = match form.dtype {
            DType::F32 => first(self.f32()?.values(), |value| !value.is_finite()),
            // An exponent of all ones is an infinity or a NaN.
            DType::F16 => first(self.f16()?.values(), |bits| bits & 0x7C00 == 0x7C00),
            _ => None,
        };
        if let Some(index) = non_finite {
            return Err(ContainerError::NonFinite { name, index });
        }
        if let Some(layout) = form.dtype.layout()
            && let Some(byte) = layout.first_not_canonical(self.data())
        {
            return Err(ContainerError::NotTernary { name, byte });
        }
        Ok(())
    }
}
