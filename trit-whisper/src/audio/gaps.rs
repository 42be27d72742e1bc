//! Silence in the place of packets that are missing, so that what comes after them keeps its time.

use super::AudioError;
use super::mono::Mono;

/// Seconds by which a packet's time may differ from that of its samples: codecs' delays, and times
/// in whole milliseconds.
const SLACK: f64 = 0.1;

/// Seconds that can be missing at most; a packet that leaves out more has a time that cannot be.
const MOST: f64 = 72.0 * 3600.0;

/// Samples of silence that are put in at once.
const PIECE: usize = 4096;

/// Compares the times that packets state with those of the samples.
#[derive(Default)]
pub(super) struct Gaps {
    /// The second that the section's first packet states, of whatever track: a recording may begin
    /// at any hour, and its sound later than its picture.
    origin: Option<f64>,
    /// Seconds of audio before the section.
    base: f64,
    /// Samples of silence yet to come, at the section's rate.
    silence: usize,
    /// The second of the first gap within the audio, and the seconds of all of them.
    pub(super) filled: Option<(f64, f64)>,
}

impl Gaps {
    /// Begins a section whose packets' times have nothing to do with those before, after so many
    /// seconds of audio.
    pub(super) fn restart(&mut self, seconds: f64) {
        (self.origin, self.base) = (None, seconds);
    }

    /// Takes note of the time of a packet of any track.
    pub(super) fn begin(&mut self, time: f64) {
        // Times before 0 are the codec's delay.
        self.origin.get_or_insert(time.max(0.0));
    }

    /// Finds what is missing before a packet of this time, whose rate `mono` has, in a section that
    /// states its length, if it does.
    pub(super) fn find(&mut self, time: f64, mono: &Mono, stated: Option<f64>) {
        let seconds = mono.seconds();
        let time = time.max(0.0) - self.origin.unwrap_or_default();
        let gap = time + self.base - seconds;
        if !(SLACK..MOST).contains(&gap) || stated.is_some_and(|stated| time > stated + SLACK) {
            return;
        }
        self.silence = (gap * f64::from(mono.rate())).round() as usize;
        if seconds > 0.0 {
            self.filled.get_or_insert((seconds, 0.0)).1 += gap;
        }
    }

    /// Puts a piece of silence into `mono`, if any is to come.
    pub(super) fn fill(&mut self, mono: &mut Mono) -> Result<bool, AudioError> {
        let len = self.silence.min(PIECE);
        self.silence -= len;
        mono.push(&[0.0; PIECE][..len], 1)?;
        Ok(len > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_and_filled() {
        let mut mono = Mono::default();
        mono.set_rate(1_000).unwrap();
        let mut gaps = Gaps::default();
        let at = |time, gaps: &mut Gaps, mono: &mut Mono| {
            gaps.begin(time);
            gaps.find(time, mono, Some(100.0));
            while gaps.fill(mono).unwrap() {}
            mono.push(&[0.0; 100], 1).unwrap();
            (mono.seconds() * 1000.0).round() as usize
        };
        // The audio begins at whatever time; a rounded time and a part of a codec's delay.
        for (time, seconds) in [(7.0, 100), (7.15, 200), (7.1, 300)] {
            assert_eq!(at(time, &mut gaps, &mut mono), seconds);
        }
        assert_eq!(gaps.filled, None);
        assert_eq!(at(17.0, &mut gaps, &mut mono), 10_100);
        assert_eq!(at(107.2, &mut gaps, &mut mono), 10_200);
        assert_eq!(at(17.4, &mut gaps, &mut mono), 10_500);
        let (from, seconds) = gaps.filled.unwrap();
        assert!((from - 0.3).abs() < 1e-9 && (seconds - 9.9).abs() < 1e-9, "{from} {seconds}");
        gaps.restart(mono.seconds());
        assert_eq!(at(0.0, &mut gaps, &mut mono), 10_600);
    }
}
