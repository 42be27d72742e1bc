//! How to transcribe: the options that `transcribe`, `wer` and `stream` have in common.

use std::path::PathBuf;

use trit_simd::parallel::Join;
use trit_whisper::threads::Threads;
use trit_whisper::{Error, Model, Options, VadOptions};

use super::decoding::{Decoding, DecodingOptions};
use super::session::{Session, language};
use super::speech::VadArguments;
use super::tuning::{Tuned, TuningOptions};
use super::{AttentionOptions, AudioCtxOptions, Failure, ModelBytes, values};

/// What is said, by which model, and on how many threads that is found out.
#[derive(clap::Args)]
pub(crate) struct RecognitionOptions {
    /// A `.trit` model; without it, the embedded model of 35 spoken words
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The spoken language, such as `en` or `English`; detected if it is `auto` or not given
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Translate to English
    #[arg(long)]
    translate: bool,
    /// Threads; 0 means one for each core
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = values::threads)]
    threads: usize,
    /// Threads that decode, if fewer; decoding may end at the memory before it ends at the cores
    #[arg(long, value_name = "N", value_parser = values::decoder_threads)]
    decoder_threads: Option<usize>,
    /// Find out when each word is spoken; takes about as long again as decoding
    #[arg(long)]
    word_timestamps: bool,
    /// Do not decode timestamps
    #[arg(long)]
    no_timestamps: bool,
    #[command(flatten)]
    vad: VadArguments,
    #[command(flatten)]
    attention: AttentionOptions,
    #[command(flatten)]
    audio_ctx: AudioCtxOptions,
    #[command(flatten)]
    decoding: DecodingOptions,
    #[command(flatten)]
    tuning: TuningOptions,
}

impl RecognitionOptions {
    /// When somebody speaks, of audio that is cut there as it comes.
    ///
    /// # Errors
    /// Options that a stream cannot follow.
    pub(crate) fn live(&self) -> Result<VadOptions, Failure> {
        let refused = |why: &str| Err(Failure::Usage(why.into()));
        if self.word_timestamps {
            return refused("--word-timestamps: a stream has no times to print");
        }
        if self.decoding.has_prefix() {
            return refused(
                "--prefix: nobody knows what a stream begins with; --initial-prompt and --hotwords say \
                 what to expect",
            );
        }
        match self.vad.options(VadOptions::LIVE) {
            Some(vad) => Ok(vad),
            None => refused("--vad off: a stream is cut where nobody speaks"),
        }
    }

    /// The bytes of the model.
    pub(crate) fn open(&self) -> Result<ModelBytes, Failure> {
        ModelBytes::open(self.model.as_deref())
    }

    /// What they say of text and tokens, looked up in the model.
    pub(crate) fn decoding(&self, model: &Model<'_>) -> Result<Decoding<'_>, Failure> {
        Decoding::new(&self.decoding, model)
    }

    /// The same for a transcription by the model, which messages call `name`, with what `decoding` found.
    pub(crate) fn options<'o>(
        &self,
        name: &str,
        model: &Model<'_>,
        decoding: &'o Decoding<'_>,
    ) -> Result<Options<'o>, Failure> {
        let language = language(model, name, self.language.as_deref())?;
        if self.translate && !model.config().is_multilingual() {
            return Err(Failure::Usage(format!("--translate: {name} cannot translate")));
        }
        Ok(Options {
            language,
            translate: self.translate,
            timestamps: !self.no_timestamps,
            words: self.word_timestamps,
            vad: self.vad.options(VadOptions::WHOLE),
            precision: self.attention.precision(),
            audio_ctx: self.audio_ctx.audio_ctx,
            decoder_threads: self.decoder_threads,
            ..decoding.options()
        })
    }

    /// The model ready to transcribe by `options`, if it can follow them.
    pub(crate) fn session<'s>(
        &self,
        bytes: &'s ModelBytes,
        model: &'s Model<'s>,
        options: Options<'s>,
    ) -> Result<Session<'s>, Failure> {
        options.check(model.config()).map_err(unusable)?;
        let threads = Threads::new(self.threads)
            .map_err(|error| Failure::Other(format!("cannot start threads: {error}")))?;
        let tuned = Tuned::load(&self.tuning, threads.threads())?;
        Session::new(bytes, model, threads, tuned, options)
    }
}

/// What is wrong with options that have been read one by one. The library's names of those that depend
/// on each other or on the model are the program's.
fn unusable(error: Error) -> Failure {
    Failure::Usage(match error {
        Error::Option { option, expected } => {
            format!("--{}: expected {expected}", option.replace('_', "-"))
        }
        error => error.to_string(),
    })
}
