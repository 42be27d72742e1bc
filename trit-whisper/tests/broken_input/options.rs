//! Options of transcriptions that no model can follow, or not this one.

use super::{Case, check_documented};

const CASES: &[Case] = &[
    (
        "transcribe --temperature 0,nan ok.wav",
        "a temperature that is no number",
        "error: invalid value 'nan' for '--temperature <T,…>': expected a finite number from 0 on",
        2,
    ),
    (
        "transcribe --beam-size 0 ok.wav",
        "no beams",
        "error: invalid value '0' for '--beam-size <N>': expected a whole number from 1 to 32",
        2,
    ),
    (
        "transcribe --best-of 33 ok.wav",
        "too many draws",
        "error: invalid value '33' for '--best-of <N>': expected a whole number from 1 to 32",
        2,
    ),
    (
        "transcribe --patience 0 ok.wav",
        "no patience",
        "error: invalid value '0' for '--patience <X>': expected a finite number above 0",
        2,
    ),
    (
        "transcribe --patience 0.5 ok.wav",
        "a patience that ends the search before it begins",
        "error: --patience: expected a finite number above 0.5 divided by the number of beams",
        2,
    ),
    (
        "transcribe --length-penalty 1.5 ok.wav",
        "a length penalty beyond 1",
        "error: invalid value '1.5' for '--length-penalty <X>': expected a number from 0 to 1",
        2,
    ),
    (
        "transcribe --repetition-penalty 0 ok.wav",
        "a repetition penalty of 0",
        "error: invalid value '0' for '--repetition-penalty <X>': expected a finite number above 0",
        2,
    ),
    (
        "transcribe --max-tokens 0 ok.wav",
        "no tokens",
        "error: invalid value '0' for '--max-tokens <N>': expected a whole number from 1 to 18446744073709551615",
        2,
    ),
    (
        "transcribe --max-len 0 ok.wav",
        "segments of no characters",
        "error: invalid value '0' for '--max-len <N>': expected a whole number from 1 to 18446744073709551615",
        2,
    ),
    (
        "transcribe --compression-ratio-threshold nan ok.wav",
        "a ratio that is no number",
        "error: invalid value 'nan' for '--compression-ratio-threshold <X>': expected a number, or inf or -inf",
        2,
    ),
    (
        "transcribe --logprob-threshold nan ok.wav",
        "a log probability that is no number",
        "error: invalid value 'nan' for '--logprob-threshold <X>': expected a number, or inf or -inf",
        2,
    ),
    (
        "transcribe --no-speech-threshold nan ok.wav",
        "a probability that is no number",
        "error: invalid value 'nan' for '--no-speech-threshold <P>': expected a number, or inf or -inf",
        2,
    ),
    (
        "transcribe --suppress-tokens 99999 ok.wav",
        "a token that the model has not",
        "error: --suppress-tokens: 99999 is no token of the model, which has 0 to 119",
        2,
    ),
    (
        "transcribe --suppress-regex '(' ok.wav",
        "a regular expression that is none",
        "error: invalid value '(' for '--suppress-regex <REGEX>': expected a regular expression: unclosed group",
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
        "error: invalid value '-3' for '--offset <SECONDS>': expected a number of seconds from 0 to 4294967295",
        2,
    ),
    (
        "transcribe --duration long ok.wav",
        "a duration that is none",
        "error: invalid value 'long' for '--duration <SECONDS>': expected a number of seconds from 0 to 4294967295",
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
        "error: invalid value '0' for '--decoder-threads <N>': expected a whole number from 1 to 256",
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
        "error: invalid value '0' for '--beam-size <N>': expected a whole number from 1 to 32",
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
