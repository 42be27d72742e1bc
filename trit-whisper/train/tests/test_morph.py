"""Voices between voices, on synthetic vowels."""

import numpy as np
import pyworld
from scipy.signal import lfilter

from trit_train import morph

RATE = morph.SAMPLE_RATE


def vowel(pitch: float, formants: tuple[float, float], seconds: float) -> np.ndarray:
    """A pulse train through two resonances, faded in and out."""
    n = int(seconds * RATE)
    x = np.diff(np.floor(np.arange(n + 1) * pitch / RATE))
    for hz in formants:
        pole = 0.985 * np.exp(2j * np.pi * hz / RATE)
        x = lfilter([1.0], [1.0, -2 * pole.real, abs(pole) ** 2], x)
    x *= np.sin(np.linspace(0, np.pi, n)) ** 0.5
    return (0.5 * x / np.abs(x).max()).astype(np.float32)


def test_the_cheapest_path():
    cost = np.ones((4, 6))
    for i, j in [(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (3, 5)]:
        cost[i, j] = 0.0
    a, b = morph.align(cost)
    assert list(zip(a, b)) == [(0, 0), (0, 1), (1, 2), (2, 3), (2, 4), (3, 5)]


def test_bins_are_paired_by_formants():
    rows = [np.exp(-((np.arange(morph.BANDS) - at) ** 2) / 8.0)[None].repeat(5, 0) for at in (40, 44)]
    f, g = morph.align_bins(*rows, 513)
    points = morph.mel_points(513)
    assert abs(np.interp(points[40], f, g) - points[44]) < points[41] - points[40]


def test_a_voice_between_two():
    low, high = vowel(110, (600, 1100), 0.5), vowel(180, (700, 1250), 0.3)
    views = [morph.analyse(x) for x in (low, high)]
    rng = np.random.default_rng(0)
    for _ in range(4):
        y = morph.morph(*views, (False, False), rng)
        assert np.isfinite(y).all() and y.dtype == np.float32
        assert len(high) * 0.95 < len(y) < len(low) * 1.05
        pitch, _ = pyworld.harvest(y.astype(np.float64), RATE)
        voiced = pitch[pitch > 0]
        assert 110 * np.exp(-0.2) < np.median(voiced) < 180 * np.exp(0.2)


def test_an_upper_band_for_a_narrow_recording():
    wide = vowel(120, (600, 5500), 0.4)
    narrow = vowel(150, (600, 1100), 0.4)
    views = [morph.analyse(x) for x in (narrow, wide)]
    y = morph.morph(*views, (True, False), np.random.default_rng(1))
    power = np.abs(np.fft.rfft(y)) ** 2
    hz = np.fft.rfftfreq(len(y), 1 / RATE)
    upper = power[(hz > 5000) & (hz < 6000)].sum() / power.sum()
    whole = np.abs(np.fft.rfft(narrow, len(y))) ** 2
    assert upper > 10 * whole[(hz > 5000) & (hz < 6000)].sum() / whole.sum()
