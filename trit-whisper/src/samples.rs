//! Where a transcription's samples come from.

/// Audio at 16 kHz, mono, nominally in −1..1, given a window at a time, so that it need not be in
/// memory as a whole.
///
/// A slice is such audio; `audio::Reader` decodes a file or stream as it is asked for.
///
/// ```
/// use trit_whisper::Samples;
///
/// let mut audio = &[0.25, 0.5, 0.75][..];
/// assert_eq!(audio.window(1, 10), Some(&[0.5, 0.75][..]));
/// assert_eq!(audio.window(3, 10), Some(&[][..]));
/// assert_eq!(audio.total(), Some(3));
///
/// /// 16-bit samples in flash, of which a window is in memory.
/// struct Flash {
///     bytes: &'static [i16],
///     window: Vec<f32>,
/// }
///
/// impl Samples for Flash {
///     fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
///         let rest = self.bytes.get(start..).unwrap_or_default();
///         self.window.clear();
///         self.window.extend(rest.iter().take(len).map(|&x| f32::from(x) / 32_768.0));
///         Some(&self.window)
///     }
/// }
///
/// let mut flash = Flash { bytes: &[0, 8_192, -16_384], window: Vec::new() };
/// assert_eq!(flash.window(1, 10), Some(&[0.25, -0.5][..]));
/// assert_eq!(flash.total(), None);
/// ```
pub trait Samples {
    /// The samples from `start` on: `len` of them, or fewer where the audio ends, and none beyond
    /// its end. `None` if they cannot be had, which ends the transcription with
    /// [`Error::Samples`](crate::Error::Samples).
    ///
    /// `start` never decreases from call to call, so what lies before it is not needed again.
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]>;

    /// How many samples there are in all, as far as that is known by now.
    fn total(&self) -> Option<usize> {
        None
    }
}

impl Samples for &[f32] {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        let rest = self.get(start..).unwrap_or_default();
        Some(&rest[..len.min(rest.len())])
    }

    fn total(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl<S: Samples + ?Sized> Samples for &mut S {
    fn window(&mut self, start: usize, len: usize) -> Option<&[f32]> {
        (**self).window(start, len)
    }

    fn total(&self) -> Option<usize> {
        (**self).total()
    }
}
