//! Options of transcriptions that no model can follow, or not this one.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "transcribe --temperature 0,nan ok.wav",
        "a temperature that is no number",
        "error: temperatures must be one or more finite numbers from 0 on",
        2,
    ),
    ("transcribe --beam-size 0 ok.wav", "no beams", "error: beam_size must be 1 to 32", 2),
    ("transcribe --best-of 33 ok.wav", "too many draws", "error: best_of must be 1 to 32", 2),
    (
        "transcribe --patience 0 ok.wav",
        "no patience",
        "error: patience must be a number above 0",
        2,
    ),
    (
        "transcribe --length-penalty 1.5 ok.wav",
        "a length penalty beyond 1",
        "error: length_penalty must be 0 to 1",
        2,
    ),
    (
        "transcribe --repetition-penalty 0 ok.wav",
        "a repetition penalty of 0",
        "error: repetition_penalty must be a finite number above 0",
        2,
    ),
    ("transcribe --max-tokens 0 ok.wav", "no tokens", "error: max_tokens must be 1 or more", 2),
    (
        "transcribe --max-len 0 ok.wav",
        "segments of no characters",
        "error: max_segment_chars must be 1 or more",
        2,
    ),
    (
        "transcribe --compression-ratio-threshold nan ok.wav",
        "a ratio that is no number",
        "error: compression_ratio_threshold must be a number",
        2,
    ),
    (
        "transcribe --logprob-threshold nan ok.wav",
        "a log probability that is no number",
        "error: logprob_threshold must be a number",
        2,
    ),
    (
        "transcribe --no-speech-threshold nan ok.wav",
        "a probability that is no number",
        "error: no_speech_threshold must be a number",
        2,
    ),
    (
        "transcribe --suppress-tokens 99999 ok.wav",
        "a token that the model has not",
        "error: --suppress-tokens: the model has no token 99999",
        2,
    ),
    (
        "transcribe --suppress-regex '(' ok.wav",
        "a regular expression that is none",
        "error: unclosed group",
        2,
    ),
    (
        "transcribe --initial-prompt café ok.wav",
        "text that the model has no tokens for",
        "error: --initial-prompt: the model has no token for the byte 0x20 at 0",
        2,
    ),
    (
        "transcribe --hotwords yes --prefix no ok.wav",
        "hotwords and a prefix",
        "error: the argument '--hotwords <TEXT>' cannot be used with '--prefix <TEXT>'",
        2,
    ),
    (
        "transcribe --offset -3 ok.wav",
        "an offset before the beginning",
        "error: unexpected argument '-3' found",
        2,
    ),
    (
        "transcribe --duration long ok.wav",
        "a duration that is none",
        "error: invalid value 'long' for '--duration <SECONDS>': not a number of seconds",
        2,
    ),
    (
        "transcribe --offset 99 ok.wav",
        "an offset beyond the end",
        "error: ok.wav: there is no audio: no samples",
        3,
    ),
    (
        "transcribe --vad-threshold 2 ok.wav",
        "a score that cannot be",
        "error: invalid value '2' for '--vad-threshold <SCORE>': expected a number from 0 to 1",
        2,
    ),
    (
        "transcribe --audio-ctx 0 ok.wav",
        "no encoder positions",
        "error: invalid value '0' for '--audio-ctx <N>': expected auto, full or a number from 1 on",
        2,
    ),
    (
        "transcribe --decoder-threads 0 ok.wav",
        "no threads that decode",
        "error: invalid value '0' for '--decoder-threads <N>': expected a number from 1 to 256",
        2,
    ),
    (
        "transcribe --detect-language ok.wav",
        "detecting the language of a model of one",
        "error: --detect-language: the embedded model knows one language only",
        2,
    ),
    (
        "stream --vad off",
        "a stream that is not cut",
        "error: --vad off: a stream is cut where nobody speaks",
        2,
    ),
    (
        "wer --beam-size 0 --audio spoken",
        "no beams to compare by",
        "error: beam_size must be 1 to 32",
        2,
    ),
    (
        "wer --beam-size 5 text.trit text.trit",
        "texts, which are not decoded",
        "error: the argument '[REF]' cannot be used with:",
        2,
    ),
];

#[test]
fn have_their_messages() {
    check_documented(CASES);
}
