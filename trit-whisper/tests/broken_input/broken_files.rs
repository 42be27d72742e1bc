//! A folder full of broken files.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use trit_core::container::{Container, DType, Field, Form, Plan, ScaleKind};
use trit_whisper::{SelfTest, embedded};

/// CRC-32 as in the container, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

/// An entry taken out of a file.
struct Part {
    name: String,
    form: Form,
    data: Vec<u8>,
    scales: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// The embedded model, taken apart, edited and put together again with correct checksums.
fn edited(edit: impl FnOnce(&mut Vec<Part>)) -> Vec<u8> {
    let file = embedded::model();
    let container = Container::open(file).unwrap();
    let part = |(index, entry): (usize, trit_core::container::Entry<'_>)| {
        let record = &file[128 + 128 * index..][..128];
        let range = |at| file[word(record, at)..][..word(record, at + 8)].to_vec();
        let (name, form) = (entry.name().to_owned(), entry.form());
        Part { name, form, data: range(96), scales: range(112) }
    };
    let mut parts: Vec<_> = container.entries().enumerate().map(part).collect();
    edit(&mut parts);
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let fields: Vec<_> = parts
        .iter()
        .map(|part| {
            let crc = crc32(&[part.data.as_slice(), &part.scales].concat());
            Field { name: &part.name, form: part.form, crc }
        })
        .collect();
    let plan = Plan::new(&fields).unwrap();
    let mut file = vec![0; plan.file_len() as usize];
    plan.write_head(&mut file[..plan.head_len()]);
    for (index, part) in parts.iter().enumerate() {
        let (data, scales) = plan.place(index);
        file[data as usize..][..part.data.len()].copy_from_slice(&part.data);
        file[scales as usize..][..part.scales.len()].copy_from_slice(&part.scales);
    }
    file
}

/// An entry of what a self-test of today's arithmetic gave.
fn self_test(logits: u32) -> Part {
    let bytes = SelfTest { arithmetic: SelfTest::ARITHMETIC, logits }.bytes();
    let form = Form::new(DType::U8, &[bytes.len()], ScaleKind::None).unwrap();
    Part { name: SelfTest::ENTRY.into(), form, data: bytes.to_vec(), scales: vec![] }
}

const QUERY: &str = "encoder.blocks.0.attn.query.weight";

fn part<'p>(parts: &'p mut [Part], name: &str) -> &'p mut Part {
    parts.iter_mut().find(|part| part.name == name).unwrap()
}

/// The embedded model with one number of its configuration changed.
fn configured(field: usize, value: u32) -> Vec<u8> {
    edited(|parts| {
        part(parts, "whisper.config").data[4 * field..][..4].copy_from_slice(&value.to_le_bytes());
    })
}

/// The embedded model with the byte at `at` changed and no checksum corrected.
fn flipped(at: usize) -> Vec<u8> {
    let mut file = embedded::model().to_vec();
    file[at] ^= 0x10;
    file
}

/// A 16 kHz WAV file of f32 samples.
fn wav(rate: u32, samples: &[f32]) -> Vec<u8> {
    let len = 4 * samples.len() as u32;
    let mut file = [b"RIFF", &(36 + len).to_le_bytes()[..], b"WAVEfmt ", &[16, 0, 0, 0]].concat();
    file.extend([3, 0, 1, 0]);
    file.extend(rate.to_le_bytes());
    file.extend(rate.wrapping_mul(4).to_le_bytes());
    file.extend([4, 0, 32, 0]);
    file.extend(b"data");
    file.extend(len.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// What the program calls this device.
fn device() -> String {
    let program = env!("CARGO_BIN_EXE_trit-whisper");
    let info = Command::new(program).args(["info", "--no-tuning"]).output().unwrap();
    let info = String::from_utf8(info.stdout).unwrap();
    info.lines().find_map(|line| line.strip_prefix("device ")).unwrap().trim().to_owned()
}

/// A tuning file of one line.
fn tuning(device: &str, line: &str) -> String {
    format!("trit tuning 1\ndevice {device}\n{line}\nend 1\n")
}

/// A folder of broken files.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let model = embedded::model();
    let first_payload = word(&model[128..256], 96);
    // The end of the first payload that does not fill its place.
    let ends = model[128..].chunks_exact(128).map(|entry| word(entry, 96) + word(entry, 104));
    let first_gap = ends.into_iter().find(|end| !end.is_multiple_of(64)).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixture = |name| fs::read(package.join("tests/fixtures").join(name)).unwrap();
    let flac = fixture("tone.flac");
    let silence = wav(16_000, &[0.0; 4000]);
    let text = b"Call me Ishmael. Some years ago, never mind how long precisely\n".repeat(200);
    let files: [(&str, Vec<u8>); 38] = [
        ("ok.wav", silence.clone()),
        ("empty.trit", vec![]),
        ("text.trit", text.clone()),
        ("truncated.trit", model[..model.len() / 2].to_vec()),
        ("stub.trit", model[..100].to_vec()),
        ("longer.trit", [model, &[0; 64]].concat()),
        ("version.trit", flipped(8)),
        ("header.trit", flipped(13)),
        ("directory.trit", flipped(128 + 85)),
        ("checksum.trit", flipped(first_payload + 1)),
        ("padding.trit", flipped(first_gap)),
        (
            "nan-scale.trit",
            edited(|parts| {
                part(parts, QUERY).scales[4 * 7..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
            }),
        ),
        ("code.trit", edited(|parts| part(parts, QUERY).data[5] = 0xFF)),
        ("missing-tensor.trit", edited(|parts| parts.retain(|part| part.name != QUERY))),
        ("no-config.trit", edited(|parts| parts.retain(|part| part.name != "whisper.config"))),
        ("layers.trit", configured(4, 4_000_000_000)),
        ("heads.trit", configured(3, 7)),
        ("width.trit", configured(2, 1 << 31)),
        ("vocabulary.trit", configured(5, 119)),
        (
            "shape.trit",
            edited(|parts| {
                // The head's rows are one for each token; the last 16 are left out.
                let head = part(parts, "decoder.token_embedding.weight");
                let k = head.form.shape[1] as usize;
                head.form.shape[0] -= 16;
                head.data.truncate(head.data.len() - 16 * k);
                head.scales.truncate(head.form.rows().next_multiple_of(16) * 4);
            }),
        ),
        (
            "taps.trit",
            edited(|parts| part(parts, "encoder.conv1.weight").form.shape[1..3].reverse()),
        ),
        ("tokens.trit", edited(|parts| part(parts, "whisper.tokens").data[8..12].fill(0xFF))),
        (
            "huge-weights.trit",
            edited(|parts| {
                let bias = part(parts, "encoder.conv2.bias");
                bias.data.chunks_mut(4).for_each(|x| x.copy_from_slice(&f32::MAX.to_le_bytes()));
            }),
        ),
        ("self-test.trit", edited(|parts| parts.push(self_test(0x0403_0201)))),
        ("no-speech.trit", configured(18, 43)),
        ("empty.wav", vec![]),
        ("text.wav", text),
        ("no-samples.wav", wav(16_000, &[])),
        ("nan.wav", wav(16_000, &[0.0, 0.5, f32::NAN, 0.0])),
        ("loud.wav", wav(16_000, &[0.0, 1e30, 0.0, 0.0])),
        ("rate-0.wav", wav(0, &[0.0; 100])),
        ("rate-4e9.wav", wav(4_000_000_000, &[0.0; 100])),
        ("truncated.wav", silence[..44 + 4 * 2304].to_vec()),
        ("truncated.flac", flac[..flac.len() - 600].to_vec()),
        ("header.flac", flac[..20].to_vec()),
        ("opus.ogg", fixture("tone.opus")),
        ("silent-film.mp4", fixture("silent_film.mp4")),
        ("second.wav", silence),
    ];
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let device = device();
    for (name, text) in [
        ("version.tuning", "trit tuning 2\n".into()),
        ("device.tuning", "trit tuning 1\ndevice abacus\nend 0\n".into()),
        ("truncated.tuning", format!("trit tuning 1\ndevice {device}\n")),
        ("variant.tuning", tuning(&device, "ternary_t4_i8_f32__abacus 16 64 1 1 2 - - 9 only")),
        ("rows.tuning", tuning(&device, "ternary_t4_i8_f32__scalar many 64 1 1 2 - - 9 only")),
        ("cost.tuning", tuning(&device, "ternary_t4_i8_f32__scalar 16 64 1 1 NaN - - 9 only")),
        ("verdict.tuning", tuning(&device, "ternary_t4_i8_f32__scalar 16 64 1 1 2 - - 9 won")),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for name in ["a-folder", "out", "out/ok.txt", "more"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::copy(folder.path().join("ok.wav"), folder.path().join("more/ok.wav")).unwrap();
    fs::create_dir(folder.path().join("spoken")).unwrap();
    fs::copy(folder.path().join("nan.wav"), folder.path().join("spoken/nan.wav")).unwrap();
    fs::write(folder.path().join("spoken/nan.txt"), "yes").unwrap();
    fs::create_dir(folder.path().join("circle")).unwrap();
    std::os::unix::fs::symlink("../circle", folder.path().join("circle/again")).unwrap();
    let made = Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let names = ["config.json", "tokenizer.json", "model.safetensors"];
    for (name, count) in [("checkpoint", 3), ("cut", 3), ("half", 1), ("json", 3), ("relu", 3)] {
        let to = folder.path().join(name);
        fs::create_dir(&to).unwrap();
        for name in &names[..count] {
            fs::copy(package.join("tests/fixtures/dense").join(name), to.join(name)).unwrap();
        }
    }
    fs::write(folder.path().join("json/config.json"), "{").unwrap();
    let relu = folder.path().join("relu/config.json");
    let config = fs::read_to_string(&relu).unwrap();
    fs::write(&relu, config.replace("\"gelu\"", "\"relu\"")).unwrap();
    let weights = folder.path().join("cut/model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() / 2]).unwrap();
    folder
}
