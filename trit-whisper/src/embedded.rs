//! The model that comes with the crate: 35 spoken English words.
//!
//! ```
//! use trit_whisper::{Model, embedded};
//!
//! let model = Model::parse(embedded::model())?;
//! let tokens = (0..model.config().eot).map(|id| model.tokens().bytes(id));
//! assert_eq!(tokens.filter(|token| token.starts_with(b" ")).count(), 35);
//! # Ok::<(), trit_whisper::ModelError>(())
//! ```

/// Bytes at an alignment that a container can be read in place from.
#[repr(align(64))]
struct Aligned<T: ?Sized>(T);

static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!("../models/words.trit"));

/// The bytes of the embedded model, for [`Model::parse`](crate::Model::parse). `models/words.md`
/// says what it knows, how it was trained and how well it does.
///
/// ```
/// use trit_whisper::{Model, embedded};
///
/// let model = Model::parse(embedded::model())?;
/// assert!(model.tokens().find(b" happy").is_some());
/// # Ok::<(), trit_whisper::ModelError>(())
/// ```
pub fn model() -> &'static [u8] {
    &MODEL.0
}

/// What the embedded model's self-test gives: `tests/bits.rs` holds every level to it.
#[cfg(feature = "std")]
pub const SELF_TEST: crate::SelfTest =
    crate::SelfTest { arithmetic: crate::SelfTest::ARITHMETIC, logits: 0xb56d_a24f };
