//! Whisper's log-mel spectrogram.

use trit_core::reference::{DftTable, FFT_SIZE, LANES};
use trit_simd::Kernels;

use crate::arena::Arena;
use crate::config::Config;
use crate::error::Error;

/// Samples between two frames.
pub(crate) const HOP: usize = 160;

/// log₁₀ is taken of no less than this.
const FLOOR: f32 = 1e-10;

/// The transform's tables and buffers.
pub(crate) struct LogMel<'a> {
    table: DftTable,
    mels: usize,
    window: usize,
    /// 16 frames side by side.
    frames: &'a mut [[f32; LANES]],
    /// Their mel energies.
    energies: &'a mut [[f32; LANES]],
    /// `[frames + 2, mels]`, time-major, with a frame of zeros before and after.
    padded: &'a mut [f32],
}

impl<'a> LogMel<'a> {
    pub(crate) fn new(config: &Config, arena: &mut Arena<'a>) -> Option<Self> {
        let mels = config.n_mels as usize;
        Some(Self {
            table: DftTable::new(),
            mels,
            window: config.window(),
            frames: arena.take(FFT_SIZE)?,
            energies: arena.take(mels)?,
            padded: arena.take((config.frames() + 2) * mels)?,
        })
    }

    /// The result, with a frame of zeros before and after it.
    pub(crate) fn padded(&self) -> &[f32] {
        self.padded
    }

    /// The result `[frames, mels]`.
    pub(crate) fn values(&self) -> &[f32] {
        &self.padded[self.mels..self.padded.len() - self.mels]
    }

    /// Computes the log-mel of `samples`, at most a window, followed by zeros up to the window.
    ///
    /// As OpenAI's: the signal reflected by half a frame at both ends, periodic Hann windows, the
    /// power spectrum, mel filters, log₁₀ with a floor, at most 8 below the window's maximum, then
    /// (x + 4) / 4. Where OpenAI takes that maximum over a whole file, here it is the window's, so
    /// that memory does not grow with the audio; for audio of one window there is no difference.
    pub(crate) fn compute(
        &mut self,
        kernels: &Kernels,
        filters: &[f32],
        samples: &[f32],
    ) -> Result<(), Error> {
        let (mels, window) = (self.mels, self.window);
        let frame_count = window / HOP;
        let sample = |at: isize| {
            // The reflection does not repeat the end points.
            let at = at.unsigned_abs();
            let at = if at < window { at } else { (2 * (window - 1)).saturating_sub(at) };
            samples.get(at).copied().unwrap_or(0.0)
        };
        let frames: &mut [[f32; LANES]; FFT_SIZE] =
            self.frames.try_into().map_err(|_| Error::EmptyAudio)?;
        let out = &mut self.padded[mels..][..frame_count * mels];
        for (block, out) in out.chunks_mut(LANES * mels).enumerate() {
            for (n, lanes) in frames.iter_mut().enumerate() {
                let hann = 0.5 - 0.5 * self.table.cos[n];
                for (lane, value) in lanes.iter_mut().enumerate() {
                    let start = (block * LANES + lane) * HOP;
                    *value = sample((start + n) as isize - (FFT_SIZE / 2) as isize) * hann;
                }
            }
            kernels.mel(&self.table, filters, frames, self.energies)?;
            for (lane, out) in out.chunks_exact_mut(mels).enumerate() {
                for (to, energy) in out.iter_mut().zip(self.energies.iter()) {
                    *to = energy[lane];
                }
            }
        }
        kernels.log10(out, FLOOR);
        let most = out.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
        let least = most - 8.0;
        for x in out {
            *x = ((if *x > least { *x } else { least }) + 4.0) / 4.0;
        }
        let end = self.padded.len() - mels;
        self.padded[..mels].fill(0.0);
        self.padded[end..].fill(0.0);
        Ok(())
    }
}
