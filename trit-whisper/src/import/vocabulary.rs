//! Whisper's vocabulary and filters, as far as checkpoints do not bring them.

use std::collections::HashMap;

use crate::tokenizer::Tokenizer;

/// Languages in the order of their tokens.
pub(super) const LANGUAGES: [&str; 100] = [
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv", "it",
    "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no", "th", "ur",
    "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr", "az", "sl", "kn",
    "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw", "gl", "mr", "pa", "si",
    "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu", "am", "yi", "lo", "uz", "fo",
    "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl", "mg", "as", "tt", "haw", "ln",
    "ha", "ba", "jw", "su", "yue",
];

/// The special tokens after the languages, before the timestamps.
pub(super) const TASKS: [&str; 6] = [
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
];

/// Texts of the special tokens from `<|endoftext|>` on, for `languages` languages and a vocabulary
/// of which `count` tokens are special.
pub(super) fn specials(languages: usize, count: usize) -> impl Iterator<Item = String> {
    ["<|endoftext|>", "<|startoftranscript|>"]
        .into_iter()
        .map(str::to_owned)
        .chain(LANGUAGES.iter().take(languages).map(|code| format!("<|{code}|>")))
        .chain(TASKS.into_iter().map(str::to_owned))
        .chain((0..).map(|step| format!("<|{:.2}|>", f64::from(step) * 0.02)))
        .take(count)
}

/// The byte that each character of GPT-2's byte-level vocabulary stands for.
pub(super) fn byte_level() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let plain = (0..=u8::MAX).filter(printable).map(|byte| (char::from(byte), byte));
    let moved = (0..=u8::MAX).filter(|byte| !printable(byte));
    let moved = (0x100..).filter_map(char::from_u32).zip(moved);
    plain.chain(moved).collect()
}

/// Tokens of annotations rather than speech, which OpenAI suppresses by default
/// (`Tokenizer.non_speech_tokens` of openai-whisper): brackets, notes and the like, alone or after
/// a space, and a dash or quote that begins a word.
pub(super) fn non_speech(tokens: &[Vec<u8>]) -> Vec<u32> {
    let tokenizer = Tokenizer::of(tokens.iter().map(Vec::as_slice).zip(0..));
    // A vocabulary without the sign has nothing to suppress.
    let encode = |text: &str| tokenizer.encode(text).unwrap_or_default();
    let notes = ["♩", "♪", "♫", "♬", "♭", "♮", "♯"];
    let signs = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- -( \
                 -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
    let mut found: Vec<u32> =
        [" -", " '"].iter().filter_map(|text| encode(text).first().copied()).collect();
    for sign in signs.split(' ').chain(notes) {
        for text in [sign.to_owned(), format!(" {sign}")] {
            let ids = encode(&text);
            if let Some(&first) = ids.first()
                && (ids.len() == 1 || notes.contains(&sign))
            {
                found.push(first);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Slaney's mel filters `[mels, 201]` for 16 kHz and 400 points, as librosa makes them and OpenAI
/// stores them in `mel_filters.npz`.
pub(super) fn mel_filters(mels: usize) -> Vec<f32> {
    // Linear to 1 kHz, then 27 steps for each factor of 6.4.
    let log_step = 6.4f64.ln() / 27.0;
    let to_mel = |hz: f64| {
        if hz < 1000.0 { hz * 3.0 / 200.0 } else { 15.0 + (hz / 1000.0).ln() / log_step }
    };
    let to_hz = |mel: f64| {
        if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * log_step).exp() }
    };
    let top = to_mel(8000.0);
    let edge = |i: usize| to_hz(top * i as f64 / (mels + 1) as f64);
    let mut filters = Vec::with_capacity(mels * 201);
    for m in 0..mels {
        let (low, centre, high) = (edge(m), edge(m + 1), edge(m + 2));
        for bin in 0..201 {
            let hz = f64::from(bin) * 40.0;
            let rise = (hz - low) / (centre - low);
            let fall = (high - hz) / (high - centre);
            filters.push((rise.min(fall).max(0.0) * 2.0 / (high - low)) as f32);
        }
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_level_characters_cover_every_byte() {
        let map = byte_level();
        assert_eq!(map.len(), 256);
        assert_eq!((map[&'Ġ'], map[&'Ċ'], map[&'a'], map[&'Ã']), (b' ', b'\n', b'a', 0xC3));
    }

    #[test]
    fn specials_of_the_multilingual_vocabulary() {
        let texts: Vec<_> = specials(99, 51865 - 50257).collect();
        assert_eq!(texts[2], "<|en|>");
        assert_eq!(texts[50363 - 50257], "<|notimestamps|>");
        assert_eq!(texts.last().unwrap(), "<|30.00|>");
    }

    #[test]
    fn mel_filters_have_librosas_values() {
        let filters = mel_filters(80);
        // The first filters of OpenAI's 80-band file.
        assert!((filters[1] - 0.024_862_6).abs() < 1e-6, "{}", filters[1]);
        let area: f32 = filters[79 * 201..].iter().sum();
        assert!((area * 40.0 - 1.0).abs() < 0.02, "{area}");
    }
}
