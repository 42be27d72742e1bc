//! `trit-whisper stream`.

#[cfg(feature = "microphone")]
mod microphone;
mod screen;

use std::io::{self, Read};
#[cfg(feature = "microphone")]
use std::mem::ManuallyDrop;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use trit_whisper::audio::{Encoding, Pcm};
use trit_whisper::{SAMPLE_RATE, Stream, StreamEvent, StreamOptions, Transcriber};

use super::recognition::RecognitionOptions;
use super::session::Session;
use super::{Failure, INTERRUPTED, count, machine, tell, unheard, values};
use screen::Screen;

const EXAMPLES: &str = "\
Examples:
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | trit-whisper stream
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | \\
    trit-whisper stream --model small.trit --language de --beam-size 5 --hotwords Köpenick
  ffmpeg -i radio.m3u8 -f f32le -ar 48000 -ac 2 - | \\
    trit-whisper stream --format f32le --rate 48000 --channels 2 --model small.trit";

/// Arguments of `stream`.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES, mut_arg("prefix", hidden), mut_arg("word_timestamps", hidden))]
pub(crate) struct Arguments {
    #[command(flatten)]
    recognition: RecognitionOptions,
    /// Show the model the text of the utterances before; otherwise each is decoded for itself
    #[arg(long, conflicts_with = "no_context")]
    keep_context: bool,
    /// How samples on standard input are written
    #[arg(long, value_enum, default_value_t = Format::S16le, value_name = "FORM")]
    format: Format,
    /// Samples per second and channel
    #[arg(long, default_value_t = SAMPLE_RATE as u32, value_name = "HZ",
          value_parser = values::whole(Pcm::RATES))]
    rate: u32,
    /// Interleaved channels
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = values::whole(1..=u16::MAX))]
    channels: u16,
    /// Listen to the default microphone instead of standard input
    #[cfg(feature = "microphone")]
    #[arg(long, conflicts_with_all = ["format", "rate", "channels"])]
    microphone: bool,
    /// Milliseconds between partial results on the terminal; 0 shows none
    #[arg(long, default_value_t = 1000, value_name = "MS", value_parser = values::whole(0..=u32::MAX))]
    partial_every: u32,
    /// Print nothing but the text and errors
    #[arg(long, short)]
    quiet: bool,
    /// Tell of each utterance's time and latency
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

/// Does not show an option that `stream` refuses.
fn hidden(arg: clap::Arg) -> clap::Arg {
    arg.hide(true)
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// 16-bit integers, little endian
    S16le,
    /// 32-bit floats, little endian
    F32le,
}

/// Pieces of audio that wait while the model is at work: 30 s of the usual pieces of a tenth.
const WAITING: usize = 300;

/// A microphone gives samples in silence too; some are lost without an error, and others take seconds to start.
const SILENT_DEVICE: Duration = Duration::from_secs(10);

/// What comes of audio.
enum Piece {
    /// 16 kHz samples, and when they came.
    Samples(Instant, Vec<f32>),
    /// There are no more.
    End,
    /// There are no more, because of this.
    Failed(Failure),
}

impl From<Result<Vec<f32>, Failure>> for Piece {
    fn from(samples: Result<Vec<f32>, Failure>) -> Self {
        match samples {
            Ok(samples) => Self::Samples(Instant::now(), samples),
            Err(failure) => Self::Failed(failure),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let recognition = &arguments.recognition;
    let vad = recognition.live()?;
    let bytes = recognition.open()?;
    let model = bytes.model()?;
    let decoding = recognition.decoding(&model)?;
    let options = recognition.options(&bytes.name(), &model, &decoding)?;
    let mut session = recognition.session(&bytes, &model, options)?;
    let Session { threads, tuned, options, arena, .. } = &mut session;
    let failure = |error| Failure::Model(format!("{}: {error}", bytes.name()));
    let transcriber = Transcriber::new(&model, tuned.kernels, &*threads, arena, *options);
    let keep_context = arguments.keep_context;
    let options = StreamOptions { vad, keep_context, ..StreamOptions::default() };
    let stream = Stream::new(transcriber.map_err(failure)?, options).map_err(failure)?;

    let (sender, receiver) = sync_channel(WAITING);
    end_at_interrupt(sender.clone())?;
    // Not dropped, which for a device that was lost may wait for ever: it ends with the program.
    #[cfg(feature = "microphone")]
    let _recording = arguments
        .microphone
        .then(|| microphone::record(sender.clone()).map(ManuallyDrop::new))
        .transpose()?;
    #[cfg(feature = "microphone")]
    let from_stdin = !arguments.microphone;
    #[cfg(not(feature = "microphone"))]
    let from_stdin = true;
    if from_stdin {
        let encoding = match arguments.format {
            Format::S16le => Encoding::S16le,
            Format::F32le => Encoding::F32le,
        };
        let pcm = Pcm::new(encoding, arguments.rate, arguments.channels)
            .map_err(|error| Failure::Usage(format!("--rate: {error}")))?;
        // Not joined: it may wait for input forever after a failure.
        thread::spawn(move || read_stdin(pcm, &sender));
    } else {
        drop(sender);
    }
    let mut live = Live {
        stream,
        screen: Screen::new(),
        // A pipe may be silent for as long as it likes.
        patience: if from_stdin { Duration::MAX } else { SILENT_DEVICE },
        partial_every: arguments.partial_every as usize * (SAMPLE_RATE / 1000),
        verbose: arguments.verbose,
        latencies: Vec::new(),
        spent: Duration::ZERO,
    };
    let padding = vad.padding.min(vad.min_silence / 2);
    let result = threads.install(|| live.run(receiver, padding));
    result.map_err(|stop| match stop {
        Stop::Failed(failure) => failure,
        Stop::Model(error) => failure(error),
    })?;
    if !arguments.quiet {
        tell(live.figures());
    }
    Ok(())
}

/// Sends standard input's samples until it ends, or nobody takes them.
fn read_stdin(mut pcm: Pcm, sender: &SyncSender<Piece>) {
    let failure =
        |error: &dyn std::fmt::Display| Failure::Audio(format!("standard input: {error}"));
    let mut stdin = io::stdin().lock();
    // No more than a tenth of a second of the usual form, so that text comes soon.
    let mut buffer = [0; 3_200];
    loop {
        let read = match stdin.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let piece = match read {
            Ok(0) => break,
            Ok(count) => pcm.push(&buffer[..count]).map_err(|error| failure(&error)),
            Err(error) => Err(failure(&error)),
        };
        let ends = piece.is_err();
        if sender.send(piece.into()).is_err() || ends {
            return;
        }
    }
    let rest = pcm.finish().map_err(|error| failure(&error));
    // If nobody takes them, the program is ending.
    let _ = sender.send(rest.into()).and_then(|()| sender.send(Piece::End));
}

/// Ends the audio at the first interrupt (Ctrl-C), so that what was said until then becomes text, and the
/// program at the second.
fn end_at_interrupt(sender: SyncSender<Piece>) -> Result<(), Failure> {
    let mut sender = Some(sender);
    let end = move || match sender.take() {
        // From a thread of its own: while pieces wait, the next interrupt must not.
        Some(sender) => drop(thread::spawn(move || sender.send(Piece::End))),
        None => std::process::exit(INTERRUPTED),
    };
    ctrlc::set_handler(end).map_err(|error| unheard(&error))
}

/// Why a stream ended early.
enum Stop {
    Failed(Failure),
    Model(trit_whisper::Error),
}

/// A stream on the screen.
struct Live<'m, 'a> {
    stream: Stream<'m, 'a>,
    screen: Screen,
    /// How long to wait for the next piece.
    patience: Duration,
    /// Samples between partial results.
    partial_every: usize,
    verbose: bool,
    /// Seconds from the last sample of each utterance to its final text.
    latencies: Vec<f64>,
    /// Time at work.
    spent: Duration,
}

impl Live<'_, '_> {
    /// Decodes pieces until there are no more, and what came before a failure to its end; `padding` is what
    /// an utterance's end lies after its last sample of speech.
    fn run(&mut self, receiver: Receiver<Piece>, padding: usize) -> Result<(), Stop> {
        let mut shown = 0;
        let heard = loop {
            let piece = match receiver.try_recv() {
                Ok(piece) => piece,
                Err(TryRecvError::Disconnected) => break Ok(()),
                Err(TryRecvError::Empty) => {
                    // Nothing waits, so there is time to say what was understood so far.
                    let due = shown + self.partial_every.max(1);
                    if self.partial_every > 0
                        && self.screen.is_live()
                        && self.stream.position() >= due
                    {
                        shown = self.stream.position();
                        self.partial()?;
                    }
                    match receiver.recv_timeout(self.patience) {
                        Ok(piece) => piece,
                        Err(RecvTimeoutError::Disconnected) => break Ok(()),
                        Err(RecvTimeoutError::Timeout) => {
                            let seconds = self.patience.as_secs();
                            let failure = format!("microphone: no sound came for {seconds} s");
                            break Err(Stop::Failed(Failure::Audio(failure)));
                        }
                    }
                }
            };
            let (came, samples) = match piece {
                Piece::Samples(came, samples) => (came, samples),
                Piece::End => break Ok(()),
                Piece::Failed(failure) => break Err(Stop::Failed(failure)),
            };
            self.step(came, padding, |stream, tell| stream.push(&samples, tell))?;
        };
        self.step(Instant::now(), padding, |stream, tell| stream.finish(tell)).and(heard)
    }

    fn partial(&mut self) -> Result<(), Stop> {
        let Self { stream, screen, .. } = self;
        let started = Instant::now();
        let shown = stream.partial(&mut |event| {
            if let StreamEvent::Partial(partial) = event {
                screen.partial(partial.text());
            }
        });
        self.spent += started.elapsed();
        shown.map_err(Stop::Model)
    }

    /// Does a piece of work and shows what it gives.
    fn step(
        &mut self,
        came: Instant,
        padding: usize,
        work: impl FnOnce(
            &mut Stream<'_, '_>,
            &mut dyn FnMut(StreamEvent<'_>),
        ) -> Result<(), trit_whisper::Error>,
    ) -> Result<(), Stop> {
        let Self { stream, screen, .. } = self;
        let started = Instant::now();
        let (mut ended, mut written) = (None, Ok(()));
        let done = work(stream, &mut |event| match event {
            StreamEvent::Segment(segment) if written.is_ok() => {
                written = screen.line(segment.text());
            }
            StreamEvent::Utterance { start, end } => ended = Some((start, end)),
            _ => {}
        });
        self.spent += started.elapsed();
        written.map_err(Stop::Failed)?;
        done.map_err(Stop::Model)?;
        if let Some((start, end)) = ended {
            let seconds = |samples: usize| samples as f64 / SAMPLE_RATE as f64;
            let last = end.saturating_sub(padding);
            let waited = seconds(self.stream.position().saturating_sub(last));
            let latency = waited + came.elapsed().as_secs_f64();
            self.latencies.push(latency);
            if self.verbose {
                let (start, end) = (seconds(start), seconds(end));
                tell(format_args!(
                    "{start:.2} s to {end:.2} s; text {latency:.2} s after the last sample of speech"
                ));
            }
        }
        Ok(())
    }

    /// A line of figures about all that came.
    fn figures(&self) -> String {
        let heard = self.stream.position() as f64 / SAMPLE_RATE as f64;
        let spent = self.spent.as_secs_f64();
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable_by(f64::total_cmp);
        let latency = match latencies.as_slice() {
            [] => String::new(),
            sorted @ [.., most] => {
                let median = sorted[sorted.len() / 2];
                format!(" from last sample to text {median:.2} s, at most {most:.2} s;")
            }
        };
        format!(
            "{heard:.1} s heard, {spent:.2} s at work; {};{latency} peak memory {}",
            count(latencies.len(), "utterance"),
            machine::peak_memory(),
        )
    }
}
