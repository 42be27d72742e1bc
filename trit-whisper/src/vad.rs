//! Voice activity: where in the audio somebody speaks.
//!
//! Each frame of 16 ms gets a score from `earshot`, a recurrent network of 40 KiB in integers and
//! plain f32 operations, which gives the same bits on every CPU. Scores become stretches of speech
//! as in Silero's detector and faster-whisper: speech begins at a score of the threshold, and ends
//! where scores have stayed below a lower threshold for long enough.

use core::fmt;
use core::ops::Range;

use earshot::Detector;
use heapless::{Deque, Vec};

use crate::error::Error;
use crate::network::HOP;
use crate::samples::Samples;

/// How speech is told from silence and noise. Lengths are samples at 16 kHz.
///
/// ```
/// use trit_whisper::{Options, Vad, VadOptions};
///
/// // The default for transcripts leaves out pauses of 2 s; streams end an utterance after 0.6 s.
/// assert_eq!(Options::default().vad, Some(VadOptions::WHOLE));
/// assert!(VadOptions::LIVE.min_silence < VadOptions::WHOLE.min_silence);
///
/// // Padding of two stretches may touch, but not overlap.
/// let options = VadOptions { padding: 100_000, ..VadOptions::LIVE };
/// assert_eq!(Vad::new(options).padding(), options.min_silence / 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VadOptions {
    /// A frame with this score, 0 to 1, begins speech.
    pub threshold: f32,
    /// Speech shorter than this is none.
    pub min_speech: usize,
    /// Silence shorter than this does not end speech.
    pub min_silence: usize,
    /// What is kept before and after speech, at most half of `min_silence`.
    pub padding: usize,
}

impl VadOptions {
    /// For audio that is there as a whole: pauses of 2 s and more are left out but for 0.4 s on either
    /// side, as in faster-whisper. Speech takes two frames: what is lost with short or faint words
    /// cannot be had again, and a click that is heard costs a run of the encoder.
    pub const WHOLE: Self =
        Self { threshold: 0.5, min_speech: 512, min_silence: 32_000, padding: 6_400 };

    /// For audio as it comes: 0.6 s of silence end an utterance.
    pub const LIVE: Self =
        Self { threshold: 0.5, min_speech: 512, min_silence: 9_600, padding: 4_800 };
}

impl Default for VadOptions {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl VadOptions {
    /// Whether a detector can follow them.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.threshold.is_nan() {
            return Err(Error::Option { option: "vad.threshold", expected: "a number" });
        }
        Ok(())
    }
}

/// How far below the threshold a score has to fall to count as silence, once there is speech.
const HYSTERESIS: f32 = 0.15;

/// The least score of speech that goes on, whatever the threshold.
const LEAST: f32 = 0.01;

/// A stretch of speech with padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) range: Range<usize>,
    /// One past the last sample of speech: what follows is padding, unless the audio has ended.
    pub(crate) spoken: usize,
}

/// Finds stretches of speech in audio that comes in pieces of any size, in 9 KiB of memory.
///
/// ```
/// use trit_whisper::{Vad, VadOptions, audio};
///
/// # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
/// let samples = audio::read_file(&folder.join("samples/go-left-stop.flac"))?.samples;
/// let mut vad = Vad::new(VadOptions::default());
/// assert_eq!(vad.padding(), VadOptions::default().padding);
/// let mut speech = Vec::new();
/// for piece in samples.chunks(Vad::FRAME) {
///     vad.push(piece, &mut |stretch| speech.push(stretch));
/// }
/// assert_eq!(vad.position(), samples.len());
/// // Pauses between words are shorter than 2 s: one stretch, which the end of the audio cuts off.
/// let since = vad.speaking_since();
/// speech.extend(vad.finish());
/// assert_eq!((speech.len(), since), (1, Some(speech[0].start)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Vad {
    detector: Detector,
    options: VadOptions,
    /// Samples that do not make a frame yet.
    pending: Vec<f32, { Self::FRAME }>,
    /// Samples in whole frames so far.
    position: usize,
    /// Where speech began that has not ended.
    start: Option<usize>,
    /// Where silence began after it, if scores are low.
    silence: Option<usize>,
}

impl fmt::Debug for Vad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vad")
            .field("options", &self.options)
            .field("position", &self.position())
            .field("start", &self.start)
            .field("silence", &self.silence)
            .finish_non_exhaustive()
    }
}

impl Vad {
    /// Samples of a frame: 16 ms.
    pub const FRAME: usize = 256;

    /// A detector at the beginning of some audio.
    pub fn new(options: VadOptions) -> Self {
        Self {
            detector: Detector::default(),
            options,
            pending: Vec::new(),
            position: 0,
            start: None,
            silence: None,
        }
    }

    /// Samples taken so far.
    pub fn position(&self) -> usize {
        self.position + self.pending.len()
    }

    /// Samples that the next score waits for, 1 to [`FRAME`](Self::FRAME).
    #[cfg(feature = "std")]
    pub(crate) fn missing(&self) -> usize {
        Self::FRAME - self.pending.len()
    }

    /// Where silence began, if there is any after speech that has not ended by it.
    pub(crate) fn silent_since(&self) -> Option<usize> {
        self.silence
    }

    /// Where speech began, with padding, if it goes on.
    pub fn speaking_since(&self) -> Option<usize> {
        self.start.map(|start| start.saturating_sub(self.padding()))
    }

    /// What is kept before and after speech: no more than half of the silence between two stretches,
    /// so that they cannot overlap.
    pub fn padding(&self) -> usize {
        self.options.padding.min(self.options.min_silence / 2)
    }

    /// Takes the next samples and tells `found` of each stretch of speech, with padding, as soon as
    /// the silence after it has been long enough. Samples outside of −1..1 are clamped.
    pub fn push(&mut self, samples: &[f32], found: &mut dyn FnMut(Range<usize>)) {
        self.listen(samples, &mut |stretch| found(stretch.range));
    }

    /// As [`push`](Self::push), with where speech ends in each stretch.
    pub(crate) fn listen(&mut self, samples: &[f32], found: &mut dyn FnMut(Stretch)) {
        for &sample in samples {
            let sample = if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) };
            // A full frame is emptied at once, so there is room.
            let _ = self.pending.push(sample);
            if self.pending.is_full() {
                let score = self.detector.predict_f32(&self.pending);
                self.pending.clear();
                if let Some(stretch) = self.frame(score) {
                    found(stretch);
                }
            }
        }
    }

    /// The stretch that the end of the audio cuts off, if there is one. What does not fill a frame
    /// belongs to it without being heard.
    pub fn finish(&mut self) -> Option<Range<usize>> {
        self.last().map(|stretch| stretch.range)
    }

    /// As [`finish`](Self::finish), with where speech ends.
    pub(crate) fn last(&mut self) -> Option<Stretch> {
        self.position += self.pending.len();
        self.pending.clear();
        self.detector.reset();
        self.end(self.silence.unwrap_or(self.position))
    }

    /// Counts the next frame.
    fn frame(&mut self, score: f32) -> Option<Stretch> {
        let (begin, threshold) = (self.position, self.options.threshold);
        self.position += Self::FRAME;
        match self.start {
            None => {
                if score >= threshold {
                    (self.start, self.silence) = (Some(begin), None);
                }
                return None;
            }
            Some(_) if score >= threshold => self.silence = None,
            Some(_) if score < (threshold - HYSTERESIS).max(LEAST) => {
                self.silence.get_or_insert(begin);
            }
            Some(_) => {}
        }
        let silence = self.silence?;
        if self.position - silence < self.options.min_silence { None } else { self.end(silence) }
    }

    /// Ends speech at `end`.
    fn end(&mut self, end: usize) -> Option<Stretch> {
        let start = self.start.take()?;
        self.silence = None;
        if end - start < self.options.min_speech {
            return None;
        }
        let padding = self.padding();
        let range = start.saturating_sub(padding)..(end + padding).min(self.position);
        Some(Stretch { range, spoken: end })
    }
}

/// Stretches found ahead of a window. Of more, the last are taken for one.
const AHEAD: usize = 16;

/// Chooses the windows of a transcription: one after another, or those with speech in them.
///
/// A window begins where speech does and ends where the stretch does. Stretches are not joined, as
/// faster-whisper does: joined, they would need a copy of a window's samples and a table of times, and
/// the model would hear cuts that nobody spoke. It costs a run of the encoder for each stretch, which
/// is why silences shorter than [`VadOptions::min_silence`] are left as they are.
pub(crate) struct Gate {
    vad: Option<Vad>,
    /// Stretches that have ended.
    stretches: Deque<Stretch, AHEAD>,
    /// Where the audio ends at the latest.
    limit: usize,
    /// Samples seen so far.
    seen: usize,
    ended: bool,
    /// The first sample that no window begins at, where it is not the detector that says so.
    over: usize,
}

/// The first sample that no window begins at, where speech ends at `spoken` and the audio at `end`: what
/// does not fill a frame of the log-mel is none.
pub(crate) fn over(spoken: usize, end: usize) -> usize {
    spoken.min((end + 1).saturating_sub(HOP))
}

impl Gate {
    /// Chooses windows of the part `range` of some audio.
    pub(crate) fn new(options: Option<VadOptions>, range: Range<usize>) -> Self {
        let vad = options.map(|options| Vad { position: range.start, ..Vad::new(options) });
        let stretches = Deque::new();
        let (limit, seen, over) = (range.end, range.start, usize::MAX);
        Self { vad, stretches, limit, seen, ended: false, over }
    }

    /// Somebody else knows that no window begins at this sample or later.
    #[cfg(feature = "std")]
    pub(crate) fn end_at(&mut self, over: usize) {
        self.over = over;
    }

    /// The first sample that no window begins at after the last one, in the same stretch of speech, as
    /// far as is known. Without a detector all audio has windows.
    pub(crate) fn over(&self) -> usize {
        let Some(vad) = &self.vad else { return self.over };
        let spoken = self.stretches.front().map(|stretch| stretch.spoken).or(vad.silent_since());
        let spoken = spoken.unwrap_or(usize::MAX);
        if self.ended { over(spoken, self.seen) } else { spoken }
    }

    /// Where the audio ends, when there is no window left from `seek` on.
    pub(crate) fn end(&self, seek: usize) -> usize {
        if self.vad.is_some() { self.seen } else { seek }
    }

    /// The next window to decode, of at most `most` samples, from `seek` on; `None` at the end.
    ///
    /// # Errors
    /// Samples that cannot be had or are not finite.
    pub(crate) fn next(
        &mut self,
        samples: &mut dyn Samples,
        mut seek: usize,
        most: usize,
    ) -> Result<Option<Range<usize>>, Error> {
        loop {
            let (whole, most) = (most, most.min(self.limit.saturating_sub(seek)));
            let window = samples.window(seek, most).ok_or(Error::Samples)?;
            let window = &window[..window.len().min(most)];
            let end = seek + window.len();
            if window.is_empty() {
                return Ok(None);
            }
            let fresh = &window[self.seen.saturating_sub(seek).min(window.len())..];
            if let Some(at) = fresh.iter().position(|sample| !sample.is_finite()) {
                return Err(Error::Sample { index: end - fresh.len() + at });
            }
            self.seen = self.seen.max(end);
            // As in openai-whisper, what does not fill a frame of the log-mel is no window, but for all of
            // the audio.
            let left_over = seek > 0 && window.len() < whole.min(HOP);
            let Some(vad) = &mut self.vad else {
                return Ok(Some(seek..end).filter(|_| !left_over));
            };
            vad.listen(fresh, &mut |stretch| keep(&mut self.stretches, stretch));
            if (window.len() < most || end == self.limit) && !self.ended {
                self.ended = true;
                if let Some(stretch) = vad.last() {
                    keep(&mut self.stretches, stretch);
                }
            }
            if left_over {
                return Ok(None);
            }
            while self.stretches.front().is_some_and(|stretch| stretch.spoken <= seek) {
                self.stretches.pop_front();
            }
            let open = vad.speaking_since().map(|start| start..end);
            match self.stretches.front().map(|stretch| stretch.range.clone()).or(open) {
                Some(stretch) if stretch.start <= seek => {
                    return Ok(Some(seek..stretch.end.min(end)));
                }
                Some(stretch) => seek = stretch.start,
                None if self.ended => return Ok(None),
                // Speech that begins in the next frame would be padded back to here.
                None => {
                    let before = end.saturating_sub(vad.padding() + Vad::FRAME);
                    // A window that is hardly longer moves on by a frame, not by a sample at a time.
                    seek = before.max(end.min(seek + Vad::FRAME));
                }
            }
        }
    }
}

/// Adds a stretch; where there is no room, to the last.
fn keep(stretches: &mut Deque<Stretch, AHEAD>, stretch: Stretch) {
    if let Err(stretch) = stretches.push_back(stretch)
        && let Some(last) = stretches.back_mut()
    {
        *last = Stretch { range: last.range.start..stretch.range.end, ..stretch };
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    /// A window's worth of stretches for samples that are there as a whole.
    fn windows(gate: &mut Gate, samples: &[f32], most: usize) -> std::vec::Vec<Range<usize>> {
        windows_from(gate, 0, samples, most)
    }

    fn windows_from(
        gate: &mut Gate,
        mut seek: usize,
        mut samples: &[f32],
        most: usize,
    ) -> std::vec::Vec<Range<usize>> {
        let mut found = std::vec::Vec::new();
        while let Some(window) = gate.next(&mut samples, seek, most).unwrap() {
            assert!(window.start >= seek && window.len() <= most && !window.is_empty());
            seek = window.end;
            found.push(window);
        }
        found
    }

    #[test]
    fn without_a_detector_windows_follow_one_another() {
        let found = windows(&mut Gate::new(None, 0..usize::MAX), &[0.0; 1_000], 400);
        assert_eq!(found, [0..400, 400..800, 800..1_000]);
    }

    #[test]
    fn windows_stay_in_their_part() {
        let found = windows_from(&mut Gate::new(None, 300..900), 300, &[0.0; 1_000], 400);
        assert_eq!(found, [300..700, 700..900]);
        // The last 50 samples are no frame, unless they are all there is.
        let found = windows_from(&mut Gate::new(None, 300..750), 300, &[0.0; 1_000], 400);
        assert_eq!(found, vec![300..700; 1]);
        assert_eq!(windows(&mut Gate::new(None, 0..usize::MAX), &[0.0; 50], 400), vec![0..50; 1]);
        let mut gate = Gate::new(Some(VadOptions::default()), 300..750);
        assert!(windows_from(&mut gate, 300, &[0.0; 1_000], 400).is_empty());
        assert_eq!(gate.end(300), 750);
    }

    #[test]
    fn silence_has_no_windows_however_short_they_are() {
        for most in [1, 200, 5_000, 480_000] {
            let mut gate = Gate::new(Some(VadOptions::default()), 0..usize::MAX);
            assert!(windows(&mut gate, &[0.0; 20_000], most).is_empty());
            assert_eq!(gate.end(0), 20_000);
        }
    }

    /// What a detector has heard, as far as windows depend on it.
    fn heard(start: Option<usize>, silence: Option<usize>, stretches: &[Stretch]) -> Gate {
        let mut gate = Gate::new(Some(VadOptions::default()), 0..usize::MAX);
        gate.vad = gate.vad.map(|vad| Vad { start, silence, ..vad });
        gate.stretches.extend(stretches.iter().cloned());
        gate
    }

    #[test]
    fn no_window_begins_where_speech_is_over() {
        assert_eq!(Gate::new(None, 0..9).over(), usize::MAX);
        assert_eq!(heard(None, None, &[]).over(), usize::MAX);
        assert_eq!(heard(Some(100), None, &[]).over(), usize::MAX);
        // Speech may go on, but by now it is silent.
        assert_eq!(heard(Some(100), Some(900), &[]).over(), 900);
        let stretches =
            [(0..700, 500), (1000..1900, 1900)].map(|(range, spoken)| Stretch { range, spoken });
        assert_eq!(heard(Some(3000), Some(4000), &stretches).over(), 500);
        // What is left at the end of the audio is too little for a window.
        let gate = Gate { ended: true, seen: 1900, ..heard(None, None, &stretches[1..]) };
        assert_eq!(gate.over(), 1900 - HOP + 1);
        let mut gate = Gate::new(None, 0..9);
        gate.end_at(7);
        assert_eq!(gate.over(), 7);
    }

    #[test]
    fn what_is_not_finite_is_found_where_it_is() {
        let mut samples = [0.0; 3_000];
        samples[2_500] = f32::NAN;
        for options in [None, Some(VadOptions::default())] {
            let mut gate = Gate::new(options, 0..usize::MAX);
            let mut seek = 0;
            let error = loop {
                match gate.next(&mut &samples[..], seek, 1_000) {
                    Ok(Some(window)) => seek = window.end,
                    other => break other,
                }
            };
            assert_eq!(error, Err(Error::Sample { index: 2_500 }));
        }
    }

    #[test]
    fn stretches_beyond_the_room_are_taken_for_one() {
        let mut stretches = Deque::new();
        for n in 0..20 {
            keep(&mut stretches, Stretch { range: 10 * n..10 * n + 5, spoken: 10 * n + 3 });
        }
        let last = Stretch { range: 150..195, spoken: 193 };
        assert_eq!((stretches.len(), stretches.back().cloned()), (AHEAD, Some(last)));
    }
}
