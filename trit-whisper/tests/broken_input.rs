//! Broken input of every kind, given to the program: the message names what is at fault, the exit
//! code is the documented one, and nothing is left half-written. `docs/errors.md` shows the same
//! cases with the same messages.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use trit_core::container::{Container, Field, Form, Plan};
use trit_whisper::embedded;

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

/// A folder of broken files.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let model = embedded::model();
    let first_payload = word(&model[128..256], 96);
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixture = |name| fs::read(package.join("tests/fixtures").join(name)).unwrap();
    let flac = fixture("tone.flac");
    let silence = wav(16_000, &[0.0; 4000]);
    let text = b"Call me Ishmael. Some years ago, never mind how long precisely\n".repeat(200);
    let files: [(&str, Vec<u8>); 34] = [
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
        ("tokens.trit", edited(|parts| part(parts, "whisper.tokens").data[8..12].fill(0xFF))),
        (
            "huge-weights.trit",
            edited(|parts| {
                let bias = part(parts, "encoder.conv2.bias");
                bias.data.chunks_mut(4).for_each(|x| x.copy_from_slice(&f32::MAX.to_le_bytes()));
            }),
        ),
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
    for name in ["a-folder", "out", "out/ok.txt", "more"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    fs::copy(folder.path().join("ok.wav"), folder.path().join("more/ok.wav")).unwrap();
    folder
}

/// A shell command run in the folder, what is wrong, the last line it writes to standard error (or
/// the one line that begins with `error:` or `warning:`) and its exit code.
type Case = (&'static str, &'static str, &'static str, i32);

const MODELS: &[Case] = &[
    (
        "info missing.trit",
        "no such model",
        "error: missing.trit: No such file or directory (os error 2)",
        4,
    ),
    ("info a-folder", "a folder as model", "error: a-folder: is a directory", 4),
    ("info /dev/zero", "a device as model", "error: /dev/zero: is not a regular file", 4),
    (
        "info empty.trit",
        "an empty model",
        "error: empty.trit: not a .trit file: it does not start with the magic bytes",
        4,
    ),
    (
        "info text.trit",
        "text as model",
        "error: text.trit: not a .trit file: it does not start with the magic bytes",
        4,
    ),
    (
        "info truncated.trit",
        "a truncated model",
        "error: truncated.trit: the file should have {len} bytes and has {half}",
        4,
    ),
    (
        "info stub.trit",
        "less than a header",
        "error: stub.trit: the file should have 128 bytes and has 100",
        4,
    ),
    (
        "info longer.trit",
        "bytes after the end",
        "error: longer.trit: the file should have {len} bytes and has {longer}",
        4,
    ),
    (
        "info version.trit",
        "another format version",
        "error: version.trit: format version 17; this program reads version 1",
        4,
    ),
    (
        "info header.trit",
        "a damaged header",
        "error: header.trit: damaged header: its checksum does not match",
        4,
    ),
    (
        "info directory.trit",
        "a damaged directory",
        "error: directory.trit: damaged directory: its checksum does not match",
        4,
    ),
    (
        "transcribe --model checksum.trit ok.wav",
        "a damaged tensor",
        "error: checksum.trit: decoder.blocks.0.attn.key.weight: damaged, its checksum does not match",
        4,
    ),
    (
        "transcribe --model nan-scale.trit ok.wav",
        "a scale that is NaN",
        "error: nan-scale.trit: encoder.blocks.0.attn.query.weight: number 7 is NaN or infinite",
        4,
    ),
    (
        "transcribe --model code.trit ok.wav",
        "a code that is not ternary",
        "error: code.trit: encoder.blocks.0.attn.query.weight: byte 5 holds a code that is not ternary",
        4,
    ),
    (
        "info missing-tensor.trit",
        "a missing tensor",
        "error: missing-tensor.trit: encoder.blocks.0.attn.query.weight is missing",
        4,
    ),
    (
        "info no-config.trit",
        "no configuration",
        "error: no-config.trit: whisper.config is missing",
        4,
    ),
    (
        "info layers.trit",
        "an absurd number of layers",
        "error: layers.trit: whisper.config: n_audio_layer is 4000000000, expected 1 to 48",
        4,
    ),
    (
        "info heads.trit",
        "heads that do not divide the width",
        "error: heads.trit: whisper.config: n_audio_head is 7, expected a divisor of the width",
        4,
    ),
    (
        "info width.trit",
        "an absurd width",
        "error: width.trit: whisper.config: n_audio_state is 2147483648, expected 2 to 8192",
        4,
    ),
    (
        "info vocabulary.trit",
        "a vocabulary unlike the token table",
        "error: vocabulary.trit: whisper.tokens: its count is not n_vocab",
        4,
    ),
    (
        "info shape.trit",
        "a tensor of another shape",
        "error: shape.trit: decoder.token_embedding.weight has shape [104, 160], expected [120, 160]",
        4,
    ),
    (
        "info tokens.trit",
        "a damaged token table",
        "error: tokens.trit: whisper.tokens: its offsets do not ascend within the bytes",
        4,
    ),
    (
        "transcribe --model huge-weights.trit ok.wav",
        "weights that overflow",
        "error: huge-weights.trit: the network computed a value that is not finite: damaged weights",
        4,
    ),
];

const AUDIO: &[Case] = &[
    (
        "transcribe missing.wav",
        "no such audio file",
        "error: missing.wav: No such file or directory (os error 2)",
        3,
    ),
    ("transcribe a-folder", "a folder as audio", "error: a-folder: is a directory", 3),
    (
        "transcribe /proc/self/mem",
        "a file that cannot be read",
        "error: /proc/self/mem: Input/output error (os error 5)",
        3,
    ),
    ("transcribe empty.wav", "an empty file", "error: empty.wav: the audio is empty", 3),
    (
        "transcribe - < /dev/null",
        "empty standard input",
        "error: standard input: the audio is empty",
        3,
    ),
    (
        "transcribe text.wav",
        "text as audio",
        "error: text.wav: not an audio file of a known kind",
        3,
    ),
    (
        "transcribe code.trit",
        "a model as audio",
        "error: code.trit: not an audio file of a known kind",
        3,
    ),
    (
        "transcribe no-samples.wav",
        "a WAV file without samples",
        "error: no-samples.wav: the audio is empty",
        3,
    ),
    (
        "transcribe nan.wav",
        "a sample that is NaN",
        "error: nan.wav: sample 2 is NaN, infinite or absurdly large",
        3,
    ),
    (
        "transcribe loud.wav",
        "a sample beyond any loudness",
        "error: loud.wav: sample 1 is NaN, infinite or absurdly large",
        3,
    ),
    (
        "transcribe rate-0.wav",
        "a sample rate of 0",
        "error: rate-0.wav: a sample rate of 0 Hz cannot be right",
        3,
    ),
    (
        "transcribe rate-4e9.wav",
        "an absurd sample rate",
        "error: rate-4e9.wav: a sample rate of 4000000000 Hz cannot be right",
        3,
    ),
    (
        "transcribe header.flac",
        "less than a FLAC header",
        "error: header.flac: damaged audio file: unexpected end of file",
        3,
    ),
    (
        "transcribe opus.ogg",
        "Opus, which is not decoded",
        "error: opus.ogg: there is no decoder for Opus audio",
        3,
    ),
    (
        "transcribe silent-film.mp4",
        "a film without sound",
        "error: silent-film.mp4: the file has no audio track",
        3,
    ),
    (
        "transcribe truncated.wav",
        "a truncated WAV file",
        "warning: truncated.wav: the file ends early, at 0.1 s: unexpected end of file",
        0,
    ),
    (
        "transcribe truncated.flac",
        "a truncated FLAC file",
        "warning: truncated.flac: the file ends early, at 0.3 s: unexpected end of file",
        0,
    ),
    ("transcribe missing.wav nan.wav", "several bad files", "error: 2 of 2 files failed", 3),
];

const OUTPUT: &[Case] = &[
    (
        "transcribe ok.wav > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    (
        "info > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    (
        "bench --runs 1 > /dev/full",
        "standard output is full",
        "error: standard output: No space left on device (os error 28)",
        5,
    ),
    ("transcribe --output-dir nowhere ok.wav", "no such folder", "error: nowhere: not a folder", 5),
    ("transcribe --output-dir ok.wav ok.wav", "a file as folder", "error: ok.wav: not a folder", 5),
    (
        "transcribe --output-dir out ok.wav",
        "a folder has the transcript's name",
        "error: out/ok.txt: Is a directory (os error 21)",
        5,
    ),
    (
        "transcribe --output-dir more ok.wav",
        "the disk is full",
        "error: more/ok.txt: File too large (os error 27)",
        5,
    ),
];

const USAGE: &[Case] = &[
    ("transcribe", "no file", "error: the following required arguments were not provided:", 2),
    ("sing ok.wav", "an unknown subcommand", "error: unrecognized subcommand 'sing'", 2),
    (
        "transcribe --louder ok.wav",
        "an unknown option",
        "error: unexpected argument '--louder' found",
        2,
    ),
    (
        "transcribe --output doc ok.wav",
        "an unknown format",
        "error: invalid value 'doc' for '--output <FORM>'",
        2,
    ),
    (
        "transcribe --threads 257 ok.wav",
        "too many threads",
        "error: invalid value '257' for '--threads <N>': expected a number from 0 to 256",
        2,
    ),
    (
        "bench --runs 0",
        "no runs",
        "error: invalid value '0' for '--runs <N>': 0 is not in 1..=4294967295",
        2,
    ),
    (
        "transcribe --language xx ok.wav",
        "a language, for a model of one",
        "error: --language xx: the embedded model knows one language only; leave it out",
        2,
    ),
    (
        "transcribe --translate ok.wav",
        "translation, by a model that cannot",
        "error: --translate: the embedded model cannot translate",
        2,
    ),
    (
        "transcribe --output srt ok.wav second.wav",
        "subtitles of several files in one stream",
        "error: several files need --output-dir: srt of one after another is no valid file",
        2,
    ),
    (
        "transcribe --output-dir out ok.wav more/ok.wav",
        "two transcripts of one name",
        "error: ok.wav and more/ok.wav would both be written to out/ok.txt",
        2,
    ),
];

/// Names of all files below `folder`, with their sizes.
fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(listing(&path));
        } else {
            names.push((path.display().to_string(), fs::metadata(&path).unwrap().len()));
        }
    }
    names.sort();
    names
}

/// Runs the cases and returns their rows of the table in `docs/errors.md`.
fn check(cases: &[Case]) -> Vec<String> {
    let folder = folder();
    let before = listing(folder.path());
    let mut rows = Vec::new();
    for &(arguments, wrong, expected, code) in cases {
        let program = env!("CARGO_BIN_EXE_trit-whisper");
        // A limit on file size stands for a full disk: writing fails after the file is created.
        let limit = if wrong == "the disk is full" { "trap '' XFSZ; ulimit -f 0; " } else { "" };
        let done = Command::new("sh")
            .args(["-c", &format!("{limit}exec '{program}' {arguments}")])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .env_remove("RUST_BACKTRACE")
            .output()
            .unwrap();
        let errors = String::from_utf8(done.stderr).unwrap();
        assert!(!errors.contains("panicked"), "{arguments}:\n{errors}");
        let len = embedded::model().len();
        let expected = expected
            .replace("{len}", &len.to_string())
            .replace("{half}", &(len / 2).to_string())
            .replace("{longer}", &(len + 64).to_string());
        let is_message = |line: &&str| line.starts_with("error:") || line.starts_with("warning:");
        let message = errors.lines().rev().find(is_message).unwrap_or_default();
        assert_eq!((message, done.status.code()), (expected.as_str(), Some(code)), "{arguments}");
        if code != 0 {
            assert!(done.stdout.is_empty(), "{arguments}: {:?}", done.stdout);
        }
        assert_eq!(listing(folder.path()), before, "{arguments}");
        let message = message.replace(&len.to_string(), "N").replace(&(len / 2).to_string(), "M");
        let message = message.replace(&(len + 64).to_string(), "M");
        rows.push(format!("| {wrong} | `trit-whisper {arguments}` | `{message}` | {code} |"));
    }
    rows
}

/// Checks that `docs/errors.md` has these rows.
fn check_documented(cases: &[Case]) {
    let rows = check(cases).join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = fs::read_to_string(path).unwrap();
    assert!(page.contains(&rows), "docs/errors.md does not have these rows:\n{rows}");
}

#[test]
fn models() {
    check_documented(MODELS);
}

#[test]
fn audio() {
    check_documented(AUDIO);
}

#[test]
fn output() {
    check_documented(OUTPUT);
}

#[test]
fn usage() {
    check_documented(USAGE);
}
