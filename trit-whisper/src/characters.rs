//! Characters of text that comes in pieces which may cut them, or have none.

use core::char::REPLACEMENT_CHARACTER;

use heapless::Vec;

/// The characters of these bytes. What is no UTF-8 is U+FFFD, once for each part of a character and for
/// each byte that is part of none, as in Python's `decode(errors="replace")` and
/// `String::from_utf8_lossy`.
pub(crate) fn characters<'t>(bytes: impl Iterator<Item = &'t u8>) -> impl Iterator<Item = char> {
    // The last byte was read with what is no character before it.
    let (mut bytes, mut again) = (bytes.copied(), None);
    core::iter::from_fn(move || {
        let mut character = Vec::<u8, 4>::new();
        while let Some(byte) = again.take().or_else(|| bytes.next()) {
            // A character has four bytes at most; four are one, or none.
            let _ = character.push(byte);
            match core::str::from_utf8(&character) {
                Ok(text) => return text.chars().next(),
                Err(error) => {
                    let Some(wrong) = error.error_len() else { continue };
                    again = (wrong < character.len()).then_some(byte);
                    return Some(REPLACEMENT_CHARACTER);
                }
            }
        }
        (!character.is_empty()).then_some(REPLACEMENT_CHARACTER)
    })
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_character_is_replaced() {
        let text = |bytes: &[u8]| characters(bytes.iter()).collect::<String>();
        assert_eq!(text("aé谢😀".as_bytes()), "aé谢😀");
        assert_eq!(text(b"\xE6\x97 \xE6\xFFa\xF0\x9F\x98"), "\u{FFFD} \u{FFFD}\u{FFFD}a\u{FFFD}");
        assert_eq!(text(b"\xE0\x80\xC3"), "\u{FFFD}\u{FFFD}\u{FFFD}");
    }

    proptest! {
        #[test]
        fn characters_are_those_of_lossy_text(
            bytes in prop::collection::vec(
                prop_oneof![
                    any::<u8>(),
                    prop::sample::select(&b"a\xC3\xA9\xE0\xA0\x80\xED\x9F\xF0\x90\xF4\x8F"[..]),
                ],
                0..40,
            ),
        ) {
            let found: String = characters(bytes.iter()).collect();
            prop_assert_eq!(found, String::from_utf8_lossy(&bytes));
        }
    }
}
