//! Whisper with ternary weights on small CPUs: log-mel, encoder, decoder, Whisper's decoding rules,
//! segments with timestamps.
//!
//! Inference is `no_std` and allocates nothing: a [`Model`] reads a `.trit` file where it lies, and
//! a [`Transcriber`] works in one arena whose size [`MemoryPlan`] tells beforehand.
//!
//! ```
//! use trit_simd::{Cpu, Kernels, parallel::Sequential};
//! use trit_whisper::{Event, MemoryPlan, Model, Options, Transcriber, embedded};
//!
//! let model = Model::parse(embedded::model())?;
//! let mut arena = vec![0; MemoryPlan::new(model.config()).total()];
//! let kernels = Kernels::new(&Cpu::detect());
//! let mut transcriber =
//!     Transcriber::new(&model, kernels, &Sequential, &mut arena, Options::default())?;
//!
//! let silence = [0.0; 16_000];
//! let mut segments = 0;
//! transcriber.transcribe(&silence, &mut |event| {
//!     if let Event::Segment(_) = event {
//!         segments += 1;
//!     }
//! })?;
//! assert_eq!(segments, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

mod arena;
mod audio_ctx;
mod characters;
mod config;
mod decode;
pub mod embedded;
mod error;
mod language;
mod model;
mod network;
mod options;
mod plan;
mod repeats;
mod samples;
mod segment;
mod tokens;
mod transcribe;
mod vad;
mod words;

#[cfg(feature = "std")]
pub mod audio;
#[cfg(feature = "std")]
pub mod convert;
#[cfg(feature = "std")]
pub mod import;
#[cfg(feature = "std")]
pub mod mmap;
#[cfg(feature = "std")]
pub mod new_file;
#[cfg(feature = "std")]
pub mod output;
#[cfg(feature = "std")]
pub mod self_test;
#[cfg(feature = "std")]
mod stream;
#[cfg(feature = "std")]
pub mod threads;
#[cfg(feature = "std")]
mod tokenizer;
#[cfg(feature = "std")]
pub mod wer;
#[cfg(feature = "std")]
mod whisper;

pub use audio_ctx::AudioCtx;
pub use config::Config;
pub use error::{Error, ModelError};
pub use language::Languages;
pub use model::Model;
pub use network::Precision;
pub use options::Options;
pub use plan::MemoryPlan;
pub use samples::Samples;
pub use segment::{Segment, Window};
#[cfg(feature = "std")]
pub use self_test::SelfTest;
#[cfg(feature = "std")]
pub use stream::{Partial, Stream, StreamEvent, StreamOptions};
#[cfg(feature = "std")]
pub use tokenizer::{Tokenizer, UnknownByte};
pub use tokens::TokenTable;
#[cfg(feature = "std")]
pub use transcribe::Segments;
pub use transcribe::{Event, Summary, Transcriber};
pub use vad::{Vad, VadOptions};
#[cfg(feature = "std")]
pub use whisper::{LoadError, Whisper};
pub use words::{Alignment, Word};

/// Samples per second of the audio that models take.
pub const SAMPLE_RATE: usize = 16_000;

/// The example of the page for those who come from whisper-rs.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../../docs/migration.md")]
struct Migration;
