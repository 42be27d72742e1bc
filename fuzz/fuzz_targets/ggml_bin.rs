//! Any bytes as a whisper.cpp file, opened and converted.
//!
//! A sound file has at least 50,256 tokens, far more than fuzz input holds, so the target puts in
//! what is large and dull: filters, vocabulary, and the embedding of every token.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use trit_core::foreign::ggml::GgmlType;
use trit_fuzz::{Operands, import};

/// Most weights of the embedding that the target adds.
const MOST: usize = 1 << 19;

/// ggml's numbers of its types, and one that is unknown.
const KINDS: [u32; 11] = [0, 1, 2, 3, 6, 7, 8, 34, 35, 42, 13];

fuzz_target!(|data: &[u8]| {
    let mut input = Operands::new(data);
    let options = import::options(&mut input);
    let file = if input.byte() % 8 == 7 { input.rest().to_vec() } else { whole(&mut input) };
    let work = import::folder();
    let source = work.path().join("model.bin");
    fs::write(&source, file).expect("a folder of our own");
    import::convert_into(work.path(), &source, &options);
});

/// A file of the input's hyperparameters and tensors, and the rest to go with them.
fn whole(input: &mut Operands<'_>) -> Vec<u8> {
    let mut file = b"lmgg".to_vec();
    let numbers: [u32; 11] = core::array::from_fn(|_| {
        let bytes = core::array::from_fn(|_| input.byte());
        u32::from_le_bytes(bytes)
    });
    let [vocab, _, state, .., mels, _] = numbers;
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));

    // Filters as many as stated, or one too few.
    let stated = mels.wrapping_sub(u32::from(input.byte() == 0xFF));
    file.extend([stated.to_le_bytes(), 201u32.to_le_bytes()].concat());
    let filters = input.floats(8);
    let filters = filters.iter().cycle().take(mels.min(256) as usize * 201);
    file.extend(filters.flat_map(|value| value.to_le_bytes()));

    // The first tokens are bytes of the input, the others single letters.
    let count = if input.byte() == 0xFF { input.number(50_000, 50_300) } else { 50_257 };
    file.extend((count as u32).to_le_bytes());
    let first = input.byte();
    for id in 0..count {
        let token = if id < usize::from(first) {
            let len = input.byte() % 16;
            input.take(len.into())
        } else {
            &b" abcdefghijklmnopqrstuvwxyz"[id % 27..][..1]
        };
        file.extend((token.len() as u32).to_le_bytes());
        file.extend(token);
    }

    let kind = input.pick(&KINDS);
    let elements = (vocab as usize).saturating_mul(state as usize);
    let known = GgmlType::new(kind).and_then(|kind| kind.bytes(elements));
    if let Some(len) = known.filter(|_| elements <= MOST) {
        tensor(&mut file, "decoder.token_embedding.weight", kind, &[state, vocab]);
        file.extend(input.bytes(len));
    }
    file.extend(input.rest());
    file
}

/// The head of a tensor; `dimensions` innermost first.
fn tensor(file: &mut Vec<u8>, name: &str, kind: u32, dimensions: &[u32]) {
    let head = [dimensions.len() as u32, name.len() as u32, kind];
    file.extend(head.iter().chain(dimensions).flat_map(|number| number.to_le_bytes()));
    file.extend(name.as_bytes());
}
