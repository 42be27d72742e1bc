//! Languages by their English names, as openai-whisper takes them.

/// The code of a language, which may be one already, in small letters.
pub(crate) fn code(language: &str) -> String {
    let name = language.to_lowercase();
    NAMES.iter().find(|&&(_, other)| other == name).map_or(name, |&(code, _)| code.to_owned())
}

/// Codes and names of Whisper's languages; where there are several names, one after the other.
const NAMES: [(&str, &str); 112] = [
    ("af", "afrikaans"),
    ("am", "amharic"),
    ("ar", "arabic"),
    ("as", "assamese"),
    ("az", "azerbaijani"),
    ("ba", "bashkir"),
    ("be", "belarusian"),
    ("bg", "bulgarian"),
    ("bn", "bengali"),
    ("bo", "tibetan"),
    ("br", "breton"),
    ("bs", "bosnian"),
    ("ca", "catalan"),
    ("ca", "valencian"),
    ("cs", "czech"),
    ("cy", "welsh"),
    ("da", "danish"),
    ("de", "german"),
    ("el", "greek"),
    ("en", "english"),
    ("es", "spanish"),
    ("es", "castilian"),
    ("et", "estonian"),
    ("eu", "basque"),
    ("fa", "persian"),
    ("fi", "finnish"),
    ("fo", "faroese"),
    ("fr", "french"),
    ("gl", "galician"),
    ("gu", "gujarati"),
    ("ha", "hausa"),
    ("haw", "hawaiian"),
    ("he", "hebrew"),
    ("hi", "hindi"),
    ("hr", "croatian"),
    ("ht", "haitian creole"),
    ("ht", "haitian"),
    ("hu", "hungarian"),
    ("hy", "armenian"),
    ("id", "indonesian"),
    ("is", "icelandic"),
    ("it", "italian"),
    ("ja", "japanese"),
    ("jw", "javanese"),
    ("ka", "georgian"),
    ("kk", "kazakh"),
    ("km", "khmer"),
    ("kn", "kannada"),
    ("ko", "korean"),
    ("la", "latin"),
    ("lb", "luxembourgish"),
    ("lb", "letzeburgesch"),
    ("ln", "lingala"),
    ("lo", "lao"),
    ("lt", "lithuanian"),
    ("lv", "latvian"),
    ("mg", "malagasy"),
    ("mi", "maori"),
    ("mk", "macedonian"),
    ("ml", "malayalam"),
    ("mn", "mongolian"),
    ("mr", "marathi"),
    ("ms", "malay"),
    ("mt", "maltese"),
    ("my", "myanmar"),
    ("my", "burmese"),
    ("ne", "nepali"),
    ("nl", "dutch"),
    ("nl", "flemish"),
    ("nn", "nynorsk"),
    ("no", "norwegian"),
    ("oc", "occitan"),
    ("pa", "punjabi"),
    ("pa", "panjabi"),
    ("pl", "polish"),
    ("ps", "pashto"),
    ("ps", "pushto"),
    ("pt", "portuguese"),
    ("ro", "romanian"),
    ("ro", "moldavian"),
    ("ro", "moldovan"),
    ("ru", "russian"),
    ("sa", "sanskrit"),
    ("sd", "sindhi"),
    ("si", "sinhala"),
    ("si", "sinhalese"),
    ("sk", "slovak"),
    ("sl", "slovenian"),
    ("sn", "shona"),
    ("so", "somali"),
    ("sq", "albanian"),
    ("sr", "serbian"),
    ("su", "sundanese"),
    ("sv", "swedish"),
    ("sw", "swahili"),
    ("ta", "tamil"),
    ("te", "telugu"),
    ("tg", "tajik"),
    ("th", "thai"),
    ("tk", "turkmen"),
    ("tl", "tagalog"),
    ("tr", "turkish"),
    ("tt", "tatar"),
    ("uk", "ukrainian"),
    ("ur", "urdu"),
    ("uz", "uzbek"),
    ("vi", "vietnamese"),
    ("yi", "yiddish"),
    ("yo", "yoruba"),
    ("yue", "cantonese"),
    ("zh", "chinese"),
    ("zh", "mandarin"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_names_are_codes() {
        assert_eq!(
            ["English", "GERMAN", "pt", "Haitian Creole"].map(code),
            ["en", "de", "pt", "ht"]
        );
        assert_eq!(code("Elvish"), "elvish");
    }

    #[test]
    fn no_name_is_two_languages() {
        let names: BTreeSet<_> = NAMES.iter().map(|(_, name)| name).collect();
        let codes: BTreeSet<_> = NAMES.iter().map(|(code, _)| code).collect();
        assert_eq!((names.len(), codes.len()), (NAMES.len(), 100));
        assert!(NAMES.is_sorted_by_key(|(code, _)| code));
    }
}
