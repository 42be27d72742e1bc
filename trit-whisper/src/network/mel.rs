//! Whisper's log-mel spectrogram.

use trit_core::reference::{DftTable, FFT_SIZE, LANES};
use trit_simd::Kernels;

use crate::arena::{Arena, size};
use crate::config::Config;
use crate::error::Error;

/// Samples between two frames.
pub(crate) const HOP: usize = 160;

/// log₁₀ is taken of no less than this.
const FLOOR: f32 = 1e-10;

/// Bytes of the buffers that [`LogMel::compute`] takes for a whole window.
pub(crate) fn bytes(config: &Config) -> usize {
    let mels = config.n_mels as usize;
    size::<f32>((config.frames() + 2) * mels)
        + size::<[f32; LANES]>(FFT_SIZE)
        + size::<[f32; LANES]>(mels)
}

/// The transform's tables.
pub(crate) struct LogMel {
    table: DftTable,
    mels: usize,
}

impl LogMel {
    pub(crate) fn new(config: &Config) -> Self {
        Self { table: DftTable::new(), mels: config.n_mels as usize }
    }

    /// Computes the first `frames` frames of the log-mel of `samples` followed by zeros:
    /// `[frames + 2, mels]`, time-major, with a frame of zeros before and after, in memory from
    /// `arena`.
    ///
    /// As OpenAI's: the signal reflected by half a frame at both ends, periodic Hann windows, the
    /// power spectrum, mel filters, log₁₀ with a floor, at most 8 below the window's maximum, then
    /// (x + 4) / 4. Where OpenAI takes that maximum over a whole file, here it is the window's, so
    /// that memory does not grow with the audio; for audio of one window there is no difference.
    ///
    /// # Errors
    /// Too small an arena: less than [`bytes`].
    pub(crate) fn compute<'b>(
        &self,
        kernels: &Kernels,
        filters: &[f32],
        samples: &[f32],
        frames: usize,
        arena: &mut Arena<'b>,
    ) -> Result<&'b [f32], Error> {
        let (mels, window, frame_count) = (self.mels, frames * HOP, frames);
        let found = arena.left();
        let mut take = || {
            let padded = arena.take::<f32>((frame_count + 2) * mels)?;
            let frames: &mut [[f32; LANES]; FFT_SIZE] = arena.take(FFT_SIZE)?.try_into().ok()?;
            Some((padded, frames, arena.take::<[f32; LANES]>(mels)?))
        };
        let Some((padded, frames, energies)) = take() else {
            let expected = (frame_count + 2 + LANES) * mels + FFT_SIZE * LANES;
            return Err(Error::Arena { expected: size_of::<f32>() * expected, found });
        };
        let sample = |at: isize| {
            // The reflection does not repeat the end points.
            let at = at.unsigned_abs();
            let at = if at < window { at } else { (2 * (window - 1)).saturating_sub(at) };
            samples.get(at).copied().unwrap_or(0.0)
        };
        let (before, rest) = padded.split_at_mut(mels);
        let (out, after) = rest.split_at_mut(frame_count * mels);
        before.fill(0.0);
        after.fill(0.0);
        for (block, out) in out.chunks_mut(LANES * mels).enumerate() {
            for (n, lanes) in frames.iter_mut().enumerate() {
                let hann = 0.5 - 0.5 * self.table.cos[n];
                for (lane, value) in lanes.iter_mut().enumerate() {
                    let start = (block * LANES + lane) * HOP;
                    *value = sample((start + n) as isize - (FFT_SIZE / 2) as isize) * hann;
                }
            }
            kernels.mel(&self.table, filters, frames, energies)?;
            for (lane, out) in out.chunks_exact_mut(mels).enumerate() {
                for (to, energy) in out.iter_mut().zip(energies.iter()) {
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
        Ok(padded)
    }
}
