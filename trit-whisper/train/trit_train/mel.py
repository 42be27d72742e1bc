"""Whisper's log-mel spectrogram: 16 kHz, 400-point periodic Hann window, hop 160, Slaney filters."""

import numpy as np
import torch

from .tokens import SAMPLE_RATE

N_FFT = 400
HOP = 160


def mel_filters(n_mels: int, warp: float = 1.0) -> np.ndarray:
    """Slaney-style mel filters `[n_mels, 201]` as in librosa, and so in Whisper.

    `warp` stretches the filters' frequencies (vocal-tract length perturbation); 1.0 leaves them.
    """

    def to_mel(hz):
        hz = np.asarray(hz, dtype=np.float64)
        linear = hz / (200.0 / 3)
        log = 15.0 + np.log(np.maximum(hz, 1e-10) / 1000.0) * 27.0 / np.log(6.4)
        return np.where(hz >= 1000.0, log, linear)

    def to_hz(mel):
        return np.where(mel >= 15.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0),
                        mel * (200.0 / 3))

    edges = to_hz(np.linspace(to_mel(0.0), to_mel(SAMPLE_RATE / 2), n_mels + 2))
    bins = np.fft.rfftfreq(N_FFT, 1.0 / SAMPLE_RATE) * warp
    lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rise = (bins - lower) / (centre - lower)
    fall = (upper - bins) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rise, fall)) * (2.0 / (upper - lower))
    return filters.astype(np.float32)


def log_mel(samples: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Log-mel `[batch, frames, n_mels]` of `samples` `[batch, n]`, n a multiple of the hop.

    `filters` is `[n_mels, 201]`, or `[batch, n_mels, 201]` for a filter bank per utterance.
    """
    window = torch.hann_window(N_FFT, device=samples.device)
    spectrum = torch.stft(samples, N_FFT, HOP, window=window, return_complex=True)[..., :-1]
    power = spectrum.real.square() + spectrum.imag.square()
    mel = torch.log10((filters @ power).clamp(min=1e-10))
    mel = torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0)
    return ((mel + 4.0) / 4.0).transpose(1, 2)
