//! From a file's own channels and rate to 16 kHz mono, a packet at a time.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

use super::AudioError;
use crate::SAMPLE_RATE;

/// Largest sample taken. Float files may exceed −1..1, and the log-mel does not mind; the square of
/// a larger number, summed over a frame, could leave the range of f32.
const LOUDEST: f32 = 1e12;

/// Sample rates that are taken; what lies outside is a damaged header.
pub(super) const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Mixes channels and resamples. Audio is in sections of one rate each: a chained stream may have
/// several.
#[derive(Default)]
pub(super) struct Mono {
    /// Samples at 16 kHz that are final and not yet passed.
    samples: Vec<f32>,
    /// Index in the whole audio of the first of them.
    first: usize,
    /// Index in the whole audio of this section's first sample.
    begin: usize,
    /// The section's own rate; 0 before the first.
    rate: u32,
    resampler: Option<Fft<f32>>,
    /// Samples that the resampler's delay still puts before the section's first.
    delay: usize,
    /// Mixed samples that have not been resampled yet.
    pending: Vec<f32>,
    /// Samples taken into this section, at its own rate.
    taken: usize,
    /// Samples taken in all, each at its own rate.
    index: usize,
}

impl Mono {
    /// Seconds of audio taken so far.
    pub(super) fn seconds(&self) -> f64 {
        self.begin as f64 / SAMPLE_RATE as f64 + self.taken as f64 / f64::from(self.rate.max(1))
    }

    /// Samples per second of what is taken, as given; 0 before the first.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// One past the index in the whole audio of the last sample that is there.
    pub(super) fn end(&self) -> usize {
        self.first + self.samples.len()
    }

    /// Up to `len` samples from `start` on, as far as they are there; `None` if `start` was passed.
    pub(super) fn window(&self, start: usize, len: usize) -> Option<&[f32]> {
        let rest = self.samples.get(start.checked_sub(self.first)?..).unwrap_or_default();
        Some(&rest[..len.min(rest.len())])
    }

    /// Lets go of the samples before `start`.
    pub(super) fn pass(&mut self, start: usize) {
        let passed = start.saturating_sub(self.first).min(self.samples.len());
        self.samples.drain(..passed);
        self.first += passed;
    }

    /// Samples that there is room for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.samples.capacity()
    }

    /// Gives all samples that are there.
    pub(super) fn take(&mut self) -> Vec<f32> {
        self.first = self.end();
        std::mem::take(&mut self.samples)
    }

    /// Makes `rate` the rate of what follows.
    pub(super) fn set_rate(&mut self, rate: u32) -> Result<(), AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate(rate));
        }
        if rate == self.rate {
            return Ok(());
        }
        self.finish()?;
        self.resampler = (rate as usize != SAMPLE_RATE)
            .then(|| Fft::new(rate as usize, SAMPLE_RATE, 4096, 1, FixedSync::Input))
            .transpose()
            .map_err(|_| AudioError::Resample(rate))?;
        self.delay = self.resampler.as_ref().map_or(0, Resampler::output_delay);
        self.begin = self.end();
        (self.rate, self.taken) = (rate, 0);
        Ok(())
    }

    /// Takes frames of `channels` values each.
    pub(super) fn push(&mut self, interleaved: &[f32], channels: usize) -> Result<(), AudioError> {
        let channels = channels.max(1);
        for frame in interleaved.chunks_exact(channels) {
            let mixed = frame.iter().sum::<f32>() / channels as f32;
            // Also true of NaN.
            if !(-LOUDEST..=LOUDEST).contains(&mixed) {
                return Err(AudioError::Sample { index: self.index });
            }
            self.pending.push(mixed);
            self.taken += 1;
            self.index += 1;
        }
        self.resample()
    }

    /// Moves all whole blocks of `pending` through the resampler.
    fn resample(&mut self) -> Result<(), AudioError> {
        let Some(resampler) = &mut self.resampler else {
            self.samples.append(&mut self.pending);
            return Ok(());
        };
        let rate = self.rate;
        let mut used = 0;
        while self.pending.len() - used >= resampler.input_frames_next() {
            let input = &self.pending[used..];
            let input = InterleavedSlice::new(input, 1, input.len())
                .map_err(|_| AudioError::Resample(rate))?;
            let block = resampler.input_frames_next();
            let output = resampler
                .process(&input, Some(&Indexing::new()))
                .map_err(|_| AudioError::Resample(rate))?
                .take_data();
            let early = self.delay.min(output.len());
            self.samples.extend(&output[early..]);
            self.delay -= early;
            used += block;
        }
        self.pending.drain(..used);
        Ok(())
    }

    /// Ends the section: as many samples as its duration.
    ///
    /// What was there before is not more than that: a block gives its share of samples, less the
    /// delay.
    pub(super) fn finish(&mut self) -> Result<(), AudioError> {
        let Some(resampler) = &self.resampler else {
            // Of a packet with a bad sample, what comes before it.
            self.samples.append(&mut self.pending);
            return Ok(());
        };
        let block = resampler.input_frames_next();
        let wanted = (self.taken as u64 * SAMPLE_RATE as u64).div_ceil(self.rate.into()) as usize;
        while self.end() < self.begin + wanted {
            self.pending.resize(self.pending.len().max(1).next_multiple_of(block), 0.0);
            self.resample()?;
        }
        self.pending.clear();
        self.samples.truncate((self.begin + wanted).saturating_sub(self.first));
        Ok(())
    }
}
