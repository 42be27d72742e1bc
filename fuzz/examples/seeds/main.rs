//! Writes the seeds `corpus/<target>/seed-*` anew, from the fixtures of `trit-whisper`.
//!
//! ```sh
//! cargo run --example seeds                # writes them
//! cargo run --example seeds -- --check     # only sees that they are there and the same
//! ```

mod checkpoints;
mod draft;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use draft::Draft;
use trit_fuzz::{ggml_bin, hugging_face};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = root.join("../trit-whisper/tests/fixtures");
    let check = env::args().any(|argument| argument == "--check");
    let made = RefCell::new(BTreeSet::new());
    let write = |target: &str, name: &str, seed: &[u8]| {
        let folder = root.join("corpus").join(target);
        let path = folder.join(format!("seed-{name}"));
        if check {
            let same = fs::read(&path).is_ok_and(|stored| stored == seed);
            assert!(same, "{} is not what the fixtures give", path.display());
        } else {
            fs::create_dir_all(&folder)?;
            fs::write(&path, seed)?;
        }
        made.borrow_mut().insert(path);
        Ok::<_, std::io::Error>(())
    };

    for (target, name, draft) in kernels() {
        write(target, name, &draft.bytes)?;
    }
    for target in
        ["attention", "dense", "int4", "int8", "layout", "norms", "quantize", "ternary", "weights"]
    {
        for seed in 1..=3 {
            write(target, &format!("mixed-{seed}"), &Draft::mixed(seed).bytes)?;
        }
    }
    for (index, name) in ["f32", "f16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"].iter().enumerate() {
        let draft = Draft::default().byte(0).byte(index as u8).number(3).byte(1);
        write("foreign", name, &draft.pattern(0, &Draft::mixed(9).bytes[..48]).bytes)?;
    }
    // A scale of 1 in half precision wherever a block has its scale, and codes 0, 1 and 2.
    for (index, name, block) in [(7u8, "tq1_0", 54), (8, "tq2_0", 66), (9, "q2_0", 18)] {
        let mut bytes = vec![0b10_01_00_01; block];
        let at = if name == "q2_0" { 0 } else { block - 2 };
        bytes[at..at + 2].copy_from_slice(&[0x00, 0x3C]);
        let draft = Draft::default().byte(0).byte(index).number(2).byte(1);
        write("foreign", name, &draft.pattern(0, &bytes).bytes)?;
    }
    for (index, name) in ["blocks128", "blocks64", "rows4"].iter().enumerate() {
        let draft = Draft::default().byte(1).byte(index as u8).number(4).number(4).byte(0).byte(1);
        write("foreign", &format!("i2_s-{name}"), &draft.pattern(0, &[0b10_01_00_01]).bytes)?;
    }
    let bitnet = Draft::default().byte(2).number(8).number(6).byte(1);
    write("foreign", "bitnet", &bitnet.pattern(0, &[0b10_01_00_01]).byte(1).bytes)?;

    let checkpoint = checkpoints::hugging_face(&fixtures.join("dense"))?;
    for (name, older) in [("tokenizer", false), ("vocabulary", true)] {
        let seed = checkpoint.seed(older);
        assert!(hugging_face::run(&seed), "the checkpoint of seed {name} is refused");
        write("hugging_face", name, &seed)?;
    }
    let (ternary, dense) = checkpoint.converted()?;
    for (name, file) in [("ternary", &ternary), ("dense", &dense)] {
        write("container", name, file)?;
        write("model", name, &[&[0; 5][..], file].concat())?;
    }
    write("tokens", "table", &checkpoints::tokens(&ternary)?)?;
    write("tuning", "choices", TUNING)?;
    for (name, is_ternary) in [("dense", false), ("ternary", true)] {
        let seed = checkpoints::ggml_bin(&ternary, is_ternary)?;
        // The ternary one has no embedding, and so cannot be converted.
        assert!(is_ternary || ggml_bin::run(&seed), "the checkpoint of seed {name} is refused");
        write("ggml_bin", name, &seed)?;
    }

    // Enough of each file for its headers and some packets.
    for (name, most) in [
        ("chained.ogg", 8400),
        ("silent_film.mp4", 1000),
        ("tone.aac", 1500),
        ("tone.adpcm.wav", 2200),
        ("tone.aiff", 1000),
        ("tone.alac.m4a", 8100),
        ("tone.caf", 1000),
        ("tone.flac", 4000),
        ("tone.m4a", 4500),
        ("tone.mka", 3800),
        ("tone.mp3", 2000),
        ("tone.mulaw.wav", 1000),
        ("tone.ogg", 4500),
        ("tone.opus", 1900),
    ] {
        let file = fs::read(fixtures.join(name))?;
        let seed = [&[0][..], &file[..file.len().min(most)]].concat();
        write("audio", name, &seed)?;
    }

    let made = made.into_inner();
    for target in fs::read_dir(root.join("corpus"))? {
        for seed in fs::read_dir(target?.path())? {
            let seed = seed?;
            let is_seed = seed.file_name().to_string_lossy().starts_with("seed-");
            let path = seed.path();
            assert!(!is_seed || made.contains(&path), "{} is made by nothing", path.display());
        }
    }
    Ok(())
}

/// The lines of a tuning file after its head, with variants that every CPU has.
const TUNING: &[u8] = b"ternary_t4_i8_f32__scalar 768 768 64 1 0.25 - - 0 only
matmul_i8_i8_f32__scalar 51865 768 1 2 0.5 - - 198 unclear
end 2
";

/// Cases at the bounds: the longest rows, the largest sums, codes that no packing makes.
fn kernels() -> [(&'static str, &'static str, Draft); 8] {
    const LOWEST: u8 = 0x80;
    // Picks 8640 inputs, 7 rows, 1 token.
    let longest = |draft: Draft| draft.byte(0).byte(4).number(6).number(0);
    let ternary = |layout: u8, codes: u8| {
        let draft = longest(Draft::default().byte(layout).byte(1));
        // All scales 1; one scale a token; no bias; all rows.
        let draft = draft.fill(codes).byte(0).fill(61).byte(4).fill(LOWEST).byte(0).fill(61);
        draft.byte(0).number(0).number(6)
    };
    let int8 = longest(Draft::default()).fill(LOWEST).byte(0).fill(61);
    let int8 = int8.byte(4).fill(LOWEST).byte(0).fill(61).byte(0).number(0).number(6);
    let int4 = longest(Draft::default().byte(0)).fill(0).byte(0).fill(61);
    let int4 = int4.byte(4).fill(LOWEST).byte(0).fill(61).byte(0).number(0).number(6);
    [
        ("int4", "lowest", int4),
        ("ternary", "code-three", ternary(0, 0xFF)),
        ("ternary", "t5-largest", ternary(1, 0xFF)),
        ("ternary", "t4-largest", ternary(0, 0b10_10_10_10)),
        ("int8", "lowest", int8),
        (
            "mel",
            "tone",
            Draft::default()
                .number(3)
                .byte(0)
                .pattern(1, b"\x00\x40\x7F\x40\x00\xC0\x81\xC0")
                .byte(0)
                .pattern(3, &[0, 0, 5, 9, 5]),
        ),
        ("attention", "causal", {
            let draft = Draft::default().number(1).number(16).number(6).number(33).number(3);
            let draft = draft.byte(2).number(5);
            let draft = draft.byte(0).pattern(7, &[3, 250, 90, 17, 200]);
            let draft = draft.byte(0).pattern(5, &[1, 120, 130, 44, 9, 77, 201]);
            draft.byte(0).pattern(3, &[250, 6, 81]).byte(0).fill(20)
        }),
        // Ties: multiples of half the scale.
        ("quantize", "ties", {
            let draft = Draft::default().byte(0).number(64).number(2).number(40);
            draft.byte(0).pattern(2, &[127, 1, 3, 5, 129, 255])
        }),
    ]
}
