//! Checkpoints that cannot be converted.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "convert missing x.trit",
        "no such checkpoint",
        "error: missing: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert a-folder x.trit",
        "a folder without a checkpoint",
        "error: a-folder/config.json: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert text.trit x.trit",
        "text as checkpoint",
        "error: text.trit: not a whisper.cpp model: it does not start with `ggml`",
        4,
    ),
    (
        "convert empty.trit x.trit",
        "an empty checkpoint",
        "error: empty.trit: the file ends within its magic",
        4,
    ),
    (
        "convert half x.trit",
        "a configuration without its tokens",
        "error: half/vocab.json: No such file or directory (os error 2)",
        4,
    ),
    (
        "convert json x.trit",
        "a damaged configuration",
        "error: json/config.json: EOF while parsing an object at line 1 column 1",
        4,
    ),
    (
        "convert relu x.trit",
        "another network",
        "error: relu/config.json: activation_function is relu, expected gelu",
        4,
    ),
    (
        "convert cut x.trit",
        "truncated weights",
        "error: cut/model.safetensors: incomplete metadata, file not fully covered",
        4,
    ),
    (
        "convert --ternary exact checkpoint x.trit",
        "weights that are not ternary",
        "error: checkpoint: decoder.blocks.0.attn.key.weight is not exactly ternary: a part holds more than one magnitude",
        4,
    ),
    (
        "convert --ternary twn --group 33 checkpoint x.trit",
        "a group size that does not exist",
        "error: invalid value '33' for '--group <N>': expected 32, 64, 128 or 256",
        2,
    ),
    (
        "convert checkpoint nowhere/x.trit",
        "no such folder",
        "error: nowhere/x.trit: No such file or directory (os error 2)",
        5,
    ),
    (
        "convert checkpoint checkpoint/model.safetensors",
        "a destination that is read",
        "error: checkpoint/model.safetensors: would be written over, and is to be converted",
        2,
    ),
    (
        "convert checkpoint a-folder",
        "a folder as destination",
        "error: a-folder: is a directory",
        5,
    ),
    ("convert checkpoint pipe", "a pipe as destination", "error: pipe: is not a regular file", 5),
    (
        "convert checkpoint x.trit",
        "the disk is full",
        "error: x.trit: File too large (os error 27)",
        5,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
