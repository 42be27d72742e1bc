//! Models that are no models, or damaged.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "info missing.trit",
        "no such model",
        "error: missing.trit: No such file or directory (os error 2)",
        4,
    ),
    ("info a-folder", "a folder as model", "error: a-folder: is a directory", 4),
    ("info pipe", "a pipe as model", "error: pipe: is not a regular file", 4),
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
        "transcribe --model padding.trit ok.wav",
        "bytes between tensors",
        "error: padding.trit: damaged between payloads: byte 941370 is not zero",
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
        "info taps.trit",
        "a convolution in PyTorch's order",
        "error: taps.trit: encoder.conv1.weight: invalid order of dimensions, expected [out, tap, in]",
        4,
    ),
    (
        "info tokens.trit",
        "a damaged token table",
        "error: tokens.trit: whisper.tokens: its offsets do not ascend within the bytes",
        4,
    ),
    (
        "transcribe --vad off --model huge-weights.trit ok.wav",
        "weights that overflow",
        "error: huge-weights.trit: the network computed a value that is not finite: damaged weights",
        4,
    ),
    (
        "verify checksum.trit",
        "a damaged tensor",
        "error: checksum.trit: decoder.blocks.0.attn.key.weight: damaged, its checksum does not match",
        4,
    ),
    (
        "verify no-speech.trit",
        "a configuration that names another token",
        "error: no-speech.trit: token 43 is `<|notimestamps|>`, expected `<|nospeech|>`",
        4,
    ),
    (
        "verify self-test.trit",
        "other values than where it was converted",
        "error: self-test.trit: the self-test gives {selftest} where 04030201 is stored: this program computes other values here than where the model was converted",
        6,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
