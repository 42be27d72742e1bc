//! The container: what is written is read, and nothing hostile gets through.

use proptest::prelude::*;
use trit_core::container::{Container, ContainerError, DType, Field, Form, Name, Plan, ScaleKind};
use trit_core::{GroupSize, Layout, int4, layout};

/// A buffer whose bytes begin at a multiple of 64.
struct Aligned {
    buffer: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn zeroed(len: usize) -> Self {
        let buffer = vec![0; len + 64];
        let start = buffer.as_ptr().align_offset(64);
        Self { buffer, start, len }
    }

    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..self.start + self.len]
    }
}

/// Writes entries of name, form, data and scales.
fn write(entries: &[(&str, Form, Vec<u8>, Vec<u8>)]) -> Aligned {
    let fields: Vec<Field<'_>> = entries
        .iter()
        .map(|(name, form, data, scales)| {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(data);
            hasher.update(scales);
            Field { name, form: *form, crc: hasher.finalize() }
        })
        .collect();
    let plan = Plan::new(&fields).unwrap();
    let mut file = Aligned::zeroed(plan.file_len() as usize);
    plan.write_head(&mut file.bytes_mut()[..plan.head_len()]);
    for (index, (_, _, data, scales)) in entries.iter().enumerate() {
        let (data_at, scales_at) = plan.place(index);
        file.bytes_mut()[data_at as usize..][..data.len()].copy_from_slice(data);
        file.bytes_mut()[scales_at as usize..][..scales.len()].copy_from_slice(scales);
    }
    file
}

fn form(dtype: DType, dimensions: &[usize], scales: ScaleKind) -> Form {
    Form::new(dtype, dimensions, scales).unwrap()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// One entry of every type.
fn sample() -> Aligned {
    let mut nibbles = vec![0; int4::bytes(2, 40).unwrap()];
    int4::pack(2, 40, &[-8; 80], &mut nibbles).unwrap();
    let mut codes = vec![0; layout::bytes(Layout::T4, 2, 40).unwrap()];
    layout::pack(Layout::T4, 2, 40, &[1; 80], &mut codes).unwrap();
    let group = ScaleKind::Group(GroupSize::G32);
    write(&[
        ("bytes", form(DType::U8, &[3], ScaleKind::None), vec![1, 2, 3], vec![]),
        (
            "f16",
            form(DType::F16, &[2, 2], ScaleKind::None),
            vec![0, 60, 0, 60, 0, 60, 0, 60],
            vec![],
        ),
        ("f32", form(DType::F32, &[2], ScaleKind::None), floats(&[0.5, 1.0]), vec![]),
        ("i4", form(DType::I4, &[2, 40], group), nibbles, floats(&[0.125; 32])),
        ("i8", form(DType::I8, &[1, 3], ScaleKind::Row), vec![7; 16], floats(&[0.5; 16])),
        ("t4", form(DType::T4, &[2, 40], group), codes, floats(&[0.25; 32])),
    ])
}

#[test]
fn every_type_is_read_back() {
    let file = sample();
    let container = Container::open(file.bytes()).unwrap();
    container.verify().unwrap();
    assert_eq!(container.len(), 6);
    assert_eq!(container.get("bytes").unwrap().bytes().unwrap(), [1, 2, 3]);
    assert_eq!(container.get("f16").unwrap().f16().unwrap().row(1), [0x3C00; 2]);
    assert_eq!(container.get("f32").unwrap().f32().unwrap().values(), [0.5, 1.0]);
    assert_eq!(container.get("i8").unwrap().int8().unwrap().row(0), [7; 3]);
    let ternary = container.get("t4").unwrap().ternary().unwrap();
    assert_eq!((ternary.weight(1, 39), ternary.scale(1, 39)), (1, 0.25));
    let four_bits = container.get("i4").unwrap().int4().unwrap();
    assert_eq!((four_bits.weight(1, 39), four_bits.scale(1, 39)), (-8, 0.125));
    assert_eq!((four_bits.rows(), four_bits.k(), four_bits.group()), (2, 40, GroupSize::G32));
    let wrong = container.get("i8").unwrap().int4().unwrap_err();
    assert_eq!(wrong.to_string(), "i8 is i8, expected i4");
    let wrong = container.get("f32").unwrap().int8().unwrap_err();
    assert_eq!(wrong.to_string(), "f32 is f32, expected i8");
    let missing = container.get("nothing").unwrap_err();
    assert_eq!(missing, ContainerError::Missing(Name::new("nothing")));
}

#[test]
fn a_misaligned_buffer_is_refused() {
    let file = sample();
    let mut shifted = Aligned::zeroed(file.len + 1);
    shifted.bytes_mut()[1..].copy_from_slice(file.bytes());
    let error = Container::open(&shifted.bytes()[1..]).unwrap_err();
    assert_eq!(error, ContainerError::Misaligned);
}

#[test]
fn values_that_cannot_be_are_found() {
    let nan =
        write(&[("x", form(DType::F32, &[2], ScaleKind::None), floats(&[0.0, f32::NAN]), vec![])]);
    let error = Container::open(nan.bytes()).unwrap().verify().unwrap_err();
    assert_eq!(error, ContainerError::NonFinite { name: Name::new("x"), index: 1 });

    let scales = floats(&[f32::INFINITY; 16]);
    let bad = write(&[("x", form(DType::I8, &[1, 3], ScaleKind::Row), vec![0; 16], scales)]);
    let error = Container::open(bad.bytes()).unwrap().verify().unwrap_err();
    assert_eq!(error, ContainerError::NonFinite { name: Name::new("x"), index: 0 });

    let mut codes = vec![0b01_01_01_01; 64];
    codes[5] = 0b01_11_01_01;
    let scale = floats(&[1.0]);
    let bad = write(&[("x", form(DType::T4, &[16, 16], ScaleKind::Tensor), codes, scale)]);
    let error = Container::open(bad.bytes()).unwrap().verify().unwrap_err();
    assert_eq!(error, ContainerError::NotTernary { name: Name::new("x"), byte: 5 });
}

#[test]
fn only_zeros_lie_between_payloads() {
    let found = |file: &Aligned, at: usize| {
        let mut changed = Aligned::zeroed(file.bytes().len());
        changed.bytes_mut().copy_from_slice(file.bytes());
        changed.bytes_mut()[at] ^= 0x10;
        Container::open(changed.bytes()).and_then(|container| container.verify()).unwrap_err()
    };
    let file = sample();
    Container::open(file.bytes()).unwrap().verify().unwrap();
    let is_padding = |at: &usize| match found(&file, *at) {
        ContainerError::Padding { at: told } => told == *at,
        _ => false,
    };
    // After the bytes, the halves, the floats and the row of i8; what else there is fills its place.
    assert_eq!((128..file.bytes().len()).filter(is_padding).count(), 61 + 56 + 56 + 48);
    let text = write(&[("x", form(DType::U8, &[3], ScaleKind::None), vec![1, 2, 3], vec![])]);
    let last = text.bytes().len() - 1;
    assert_eq!(found(&text, last), ContainerError::Padding { at: last });
}

#[test]
fn impossible_plans_are_refused() {
    let bytes = form(DType::U8, &[3], ScaleKind::None);
    let field = |name, form| Field { name, form, crc: 0 };
    let bad = |fields: &[Field<'_>]| Plan::new(fields).unwrap_err();
    assert_eq!(bad(&[field("", bytes)]), ContainerError::BadName { entry: 0 });
    assert_eq!(bad(&[field("b", bytes), field("a", bytes)]), ContainerError::BadName { entry: 1 });
    let long = "x".repeat(56);
    assert_eq!(bad(&[field(&long, bytes)]), ContainerError::BadName { entry: 0 });
    let scaled = form(DType::U8, &[3], ScaleKind::Row);
    assert!(matches!(bad(&[field("a", scaled)]), ContainerError::BadEntry { .. }));
    let by_row = form(DType::I4, &[2, 40], ScaleKind::Row);
    assert!(matches!(bad(&[field("a", by_row)]), ContainerError::BadEntry { .. }));
    let huge = form(DType::F32, &[u32::MAX as usize; 4], ScaleKind::None);
    assert!(matches!(bad(&[field("a", huge)]), ContainerError::BadEntry { .. }));
    assert_eq!(Form::new(DType::U8, &[], ScaleKind::None), None);
    // A form put together by hand.
    let plain = form(DType::U8, &[4], ScaleKind::None);
    for (rank, shape) in [(0, [1; 4]), (5, [1; 4]), (1, [4, 5, 1, 1]), (2, [4, 0, 1, 1])] {
        let fields = [Field { name: "x", form: Form { rank, shape, ..plain }, crc: 0 }];
        let error = Plan::new(&fields).unwrap_err();
        assert!(matches!(error, ContainerError::BadEntry { .. }), "{rank} {shape:?}: {error}");
    }
}

/// Recomputes both checksums, so that what lies behind them is reached.
fn reseal(bytes: &mut [u8]) {
    let entries = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    if let Some(directory) = bytes.get(128..128 + entries.min(5000) * 128) {
        let crc = crc32fast::hash(directory);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    }
    bytes[36..40].fill(0);
    let crc = crc32fast::hash(&bytes[..128]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever a header and directory say, with sound checksums, nothing panics and everything
    /// that opens can be read in full.
    #[test]
    fn hostile_directories_are_harmless(
        edits in prop::collection::vec((8usize..896, any::<u8>()), 1..4),
        small in any::<bool>(),
    ) {
        let mut file = sample();
        for (at, value) in edits {
            let byte = &mut file.bytes_mut()[at];
            *byte = if small { byte.wrapping_add(value % 3) } else { value };
        }
        reseal(file.bytes_mut());
        if let Ok(container) = Container::open(file.bytes()) {
            let _ = container.verify();
            for entry in container.entries() {
                let _ = (entry.name(), entry.form(), entry.bytes(), entry.f32(), entry.f16());
                let _ = (entry.int8().is_ok(), entry.int4().is_ok(), entry.ternary().is_ok());
            }
        }
    }

    #[test]
    fn changed_header_or_directory_is_found(at in 0usize..896, bit in 0u32..8) {
        let mut file = sample();
        file.bytes_mut()[at] ^= 1u8 << bit;
        prop_assert!(Container::open(file.bytes()).is_err());
    }

    #[test]
    fn any_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..400), magic in any::<bool>()) {
        let mut file = Aligned::zeroed(bytes.len());
        file.bytes_mut().copy_from_slice(&bytes);
        if magic && bytes.len() >= 128 {
            file.bytes_mut()[..8].copy_from_slice(&trit_core::container::MAGIC);
            file.bytes_mut()[8..12].copy_from_slice(&1u32.to_le_bytes());
            reseal(file.bytes_mut());
        }
        prop_assert!(Container::open(file.bytes()).is_err());
    }
}

/// The worked example of `docs/format.md` is what the code writes.
#[test]
fn the_documented_hex_dump_is_true() {
    let file = write(&[(
        "layer.weight",
        form(DType::T4, &[2, 4], ScaleKind::Row),
        {
            let mut codes = vec![0; 64];
            layout::pack(Layout::T4, 2, 4, &[1, 0, -1, 1, 0, 0, 1, -1], &mut codes).unwrap();
            codes
        },
        floats(&[0.5, 0.25, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]),
    )]);
    let mut dump = String::new();
    let mut skipped = false;
    for (line, bytes) in file.bytes().chunks(16).enumerate() {
        if line > 0 && bytes == &file.bytes()[(line - 1) * 16..line * 16] {
            if !skipped {
                dump += "*\n";
            }
            skipped = true;
            continue;
        }
        skipped = false;
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        dump += &format!("{:04x}  {}  {}\n", line * 16, hex[..8].join(" "), hex[8..].join(" "));
    }
    let documented = include_str!("../../docs/format.md");
    assert!(documented.contains(&dump), "docs/format.md should hold this dump:\n{dump}");
}
