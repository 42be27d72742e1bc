//! whisper.cpp models of random ternary weights: the same numbers as halves, and in 4-bit blocks, which
//! hold −s, 0 and s exactly.

use std::io::{self, Write};

/// A size of Whisper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Size {
    Tiny,
    Base,
    Small,
}

impl Size {
    /// Width, heads, and blocks of encoder and decoder each.
    const fn dimensions(self) -> (u32, u32, u32) {
        match self {
            Self::Tiny => (384, 6, 4),
            Self::Base => (512, 8, 6),
            Self::Small => (768, 12, 12),
        }
    }
}

/// What weights are stored as; a tensor's type and a file's have the same number in ggml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    F32 = 0,
    F16 = 1,
    Q4 = 2,
}

const MELS: u32 = 80;
const BINS: u32 = 201;
const AUDIO_CTX: u32 = 1500;
const TEXT_CTX: u32 = 448;
const VOCABULARY: u32 = 51_865;

/// Tokens of the vocabulary that a file holds; the rest are special.
const STORED_TOKENS: u32 = 50_257;

/// s = 2⁻⁵ as a half, about 1/√width, so that layers keep the size of their inputs.
const SCALE: u16 = 0x2800;

/// Weights that share a scale in a 4-bit block.
const BLOCK: usize = 32;

/// Writes a model whose linear weights are stored as `kind`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write(out: &mut impl Write, size: Size, kind: Kind) -> io::Result<()> {
    let (width, heads, blocks) = size.dimensions();
    out.write_all(&0x6767_6d6c_u32.to_le_bytes())?;
    let numbers = [
        VOCABULARY,
        AUDIO_CTX,
        width,
        heads,
        blocks,
        TEXT_CTX,
        width,
        heads,
        blocks,
        MELS,
        kind as u32,
    ];
    number(out, &numbers)?;

    // Triangles would do no better for time.
    number(out, &[MELS, BINS])?;
    for mel in 0..MELS {
        for bin in 0..BINS {
            let weight = if bin * MELS / BINS == mel { 0.01f32 } else { 0.0 };
            out.write_all(&weight.to_le_bytes())?;
        }
    }
    number(out, &[STORED_TOKENS])?;
    for token in 0..STORED_TOKENS {
        let token = token.to_string();
        number(out, &[token.len() as u32])?;
        out.write_all(token.as_bytes())?;
    }

    let mut tensors = Tensors { out, seed: 1 };
    tensors.floats("encoder.positional_embedding", &[width, AUDIO_CTX], |i| (i as f32).sin())?;
    tensors.trits("encoder.conv1.weight", &[3, MELS, width], Kind::F16)?;
    tensors.floats("encoder.conv1.bias", &[1, width], |_| 0.0)?;
    tensors.trits("encoder.conv2.weight", &[3, width, width], Kind::F16)?;
    tensors.floats("encoder.conv2.bias", &[1, width], |_| 0.0)?;
    tensors.norm("encoder.ln_post", width)?;
    tensors.floats("decoder.positional_embedding", &[width, TEXT_CTX], |i| (i as f32).sin())?;
    tensors.trits("decoder.token_embedding.weight", &[width, VOCABULARY], kind)?;
    tensors.norm("decoder.ln", width)?;
    for (part, attentions) in [("encoder", &["attn"][..]), ("decoder", &["attn", "cross_attn"])] {
        for block in 0..blocks {
            let block = format!("{part}.blocks.{block}");
            for attention in attentions {
                tensors.norm(&format!("{block}.{attention}_ln"), width)?;
                for matrix in ["query", "key", "value", "out"] {
                    let name = format!("{block}.{attention}.{matrix}");
                    tensors.linear(&name, width, width, matrix != "key", kind)?;
                }
            }
            tensors.norm(&format!("{block}.mlp_ln"), width)?;
            tensors.linear(&format!("{block}.mlp.0"), width, 4 * width, true, kind)?;
            tensors.linear(&format!("{block}.mlp.2"), 4 * width, width, true, kind)?;
        }
    }
    Ok(())
}

fn number(out: &mut impl Write, numbers: &[u32]) -> io::Result<()> {
    numbers.iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
}

/// Writes tensors one after another; dimensions come innermost first, as ggml has them.
struct Tensors<'a, W> {
    out: &'a mut W,
    /// Of the weights, so that no two tensors are alike.
    seed: usize,
}

impl<W: Write> Tensors<'_, W> {
    fn head(&mut self, name: &str, dimensions: &[u32], kind: Kind) -> io::Result<usize> {
        number(self.out, &[dimensions.len() as u32, name.len() as u32, kind as u32])?;
        number(self.out, dimensions)?;
        self.out.write_all(name.as_bytes())?;
        Ok(dimensions.iter().map(|&n| n as usize).product())
    }

    fn floats(
        &mut self,
        name: &str,
        dimensions: &[u32],
        value: fn(usize) -> f32,
    ) -> io::Result<()> {
        let len = self.head(name, dimensions, Kind::F32)?;
        let bytes: Vec<u8> = (0..len).flat_map(|i| value(i).to_le_bytes()).collect();
        self.out.write_all(&bytes)
    }

    fn norm(&mut self, name: &str, width: u32) -> io::Result<()> {
        self.floats(&format!("{name}.weight"), &[width], |_| 1.0)?;
        self.floats(&format!("{name}.bias"), &[width], |_| 0.0)
    }

    fn linear(&mut self, name: &str, k: u32, rows: u32, bias: bool, kind: Kind) -> io::Result<()> {
        self.trits(&format!("{name}.weight"), &[k, rows], kind)?;
        if bias { self.floats(&format!("{name}.bias"), &[rows], |_| 0.0) } else { Ok(()) }
    }

    /// Random weights −s, 0 and s.
    fn trits(&mut self, name: &str, dimensions: &[u32], kind: Kind) -> io::Result<()> {
        let len = self.head(name, dimensions, kind)?;
        let trits: Vec<i8> = trit_benches::noise(len + self.seed)
            .skip(self.seed)
            .map(|byte| (byte % 3) as i8 - 1)
            .collect();
        self.seed += 1;
        let bytes: Vec<u8> = match kind {
            Kind::F32 => trits.iter().flat_map(|&w| (f32::from(w) / 32.0).to_le_bytes()).collect(),
            Kind::F16 => trits.iter().flat_map(|&w| half(w).to_le_bytes()).collect(),
            Kind::Q4 => trits.chunks(BLOCK).flat_map(block).collect(),
        };
        self.out.write_all(&bytes)
    }
}

/// A trit times s as a half.
fn half(trit: i8) -> u16 {
    match trit {
        0 => 0,
        1.. => SCALE,
        _ => SCALE | 0x8000,
    }
}

/// A block of `Q4_0`: its scale, then the codes w + 8 of inputs i and i + 16 in a byte.
fn block(trits: &[i8]) -> Vec<u8> {
    let code = |i: usize| trits.get(i).map_or(8, |&w| (w + 8).cast_unsigned());
    let codes = (0..BLOCK / 2).map(|i| code(i) | code(i + BLOCK / 2) << 4);
    SCALE.to_le_bytes().into_iter().chain(codes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_blocks_hold_the_trits() {
        assert_eq!(
            [-1, 0, 1].map(|w| ::half::f16::from_bits(half(w)).to_f32() * 32.0),
            [-1.0, 0.0, 1.0]
        );
        let mut trits = [0; BLOCK];
        (trits[0], trits[16], trits[31]) = (-1, 1, -1);
        let block = block(&trits);
        assert_eq!((block.len(), block[2], block[3], block[17]), (18, 0x97, 0x88, 0x78));
    }

    #[test]
    fn the_importer_takes_a_model() {
        use trit_whisper::import::{Values, open};
        let folder = tempfile::tempdir().unwrap();
        for kind in [Kind::F16, Kind::Q4] {
            let path = folder.path().join("tiny.bin");
            write(&mut std::fs::File::create(&path).unwrap(), Size::Tiny, kind).unwrap();
            let model = open(&path).unwrap();
            assert_eq!(model.header().config.n_audio_state, 384);
            let name = "decoder.blocks.3.cross_attn.out.weight";
            let Values::Dense(values) = model.read(name, &[384, 384]).unwrap() else {
                panic!("{name} is stored as trits");
            };
            assert!(values.iter().all(|w| [-1.0, 0.0, 1.0].contains(&(w * 32.0))));
        }
    }
}
