//! whisper.cpp files that fuzz input describes.

use std::fs;

use trit_core::foreign::ggml::GgmlType;

use crate::{Operands, import};

/// Most bytes of a file's tensors.
const MOST: usize = 1 << 20;

/// ggml's numbers of its types, and one that is unknown.
const KINDS: [u32; 11] = [0, 1, 2, 3, 6, 7, 8, 34, 35, 42, 13];

/// Makes a file of the input, opens and converts it; returns whether that could be done.
///
/// # Panics
/// As [`import::convert_into`].
pub fn run(data: &[u8]) -> bool {
    let mut input = Operands::new(data);
    let options = import::options(&mut input);
    let file = if input.byte() % 8 == 7 { input.rest().to_vec() } else { whole(&mut input) };
    let work = import::folder();
    let source = work.path().join("model.bin");
    fs::write(&source, file).expect("a folder of our own");
    import::convert_into(work.path(), &source, &options)
}

/// The file that the input describes.
fn whole(input: &mut Operands<'_>) -> Vec<u8> {
    let mut file = b"lmgg".to_vec();
    let numbers: [u32; 11] = core::array::from_fn(|_| {
        let bytes = core::array::from_fn(|_| input.byte());
        u32::from_le_bytes(bytes)
    });
    let [.., mels, _] = numbers;
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));

    // Filters as many as stated, or one too few.
    let stated = mels.wrapping_sub(u32::from(input.byte() == 0xFF));
    file.extend([stated.to_le_bytes(), 201u32.to_le_bytes()].concat());
    let filters = input.floats(8);
    let filters = filters.iter().cycle().take(mels.min(256) as usize * 201);
    file.extend(filters.flat_map(|value| value.to_le_bytes()));

    // The first tokens are bytes of the input, the others empty.
    let count = if input.byte() == 0xFF { input.number(50_000, 50_300) } else { 50_257 };
    file.extend((count as u32).to_le_bytes());
    let first = input.byte();
    for _ in 0..first {
        let length = input.byte() % 16;
        let token = input.take(length.into());
        file.extend((token.len() as u32).to_le_bytes());
        file.extend(token);
    }
    file.resize(file.len() + 4 * (count - usize::from(first)), 0);

    let most = file.len() + MOST;
    while !input.is_empty() {
        tensor(input, &mut file, most);
    }
    file
}

/// Appends a tensor: its head, and its data unless the file would have more than `most` bytes.
fn tensor(input: &mut Operands<'_>, file: &mut Vec<u8>, most: usize) {
    let kind = input.pick(&KINDS);
    let rank = input.byte() % 6;
    // Innermost first.
    let dimensions: Vec<u32> = (0..rank).map(|_| input.number(0, 0xFFFF) as u32).collect();
    let length = input.byte();
    let name = input.take(length.into());
    let head = [rank.into(), name.len() as u32, kind];
    file.extend(head.iter().chain(&dimensions).flat_map(|number| number.to_le_bytes()));
    file.extend(name);
    let elements = dimensions.iter().fold(1, |n: usize, &d| n.saturating_mul(d as usize));
    let length = GgmlType::new(kind).and_then(|kind| kind.bytes(elements));
    if let Some(length) = length.filter(|length| *length <= most.saturating_sub(file.len())) {
        file.extend(input.bytes(length));
    }
}
