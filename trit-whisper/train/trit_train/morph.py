"""Voices between voices: two recordings of a word make a third, by someone between their speakers.

The two are analysed with WORLD (Morise et al. 2016) and aligned by dynamic programming, in time by
their cepstra and in frequency by their spectral envelopes. Pace, formants, timbre and pitch are then
mixed, each by a share of its own, and resynthesised.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyworld
from scipy.fft import dct
from scipy.ndimage import uniform_filter1d

from .tokens import SAMPLE_RATE

BANDS = 96
"""Points of the mel axis on which formants are aligned."""
REACH = 6
"""How far apart two aligned points may be: a fifth of the frequency at 1500 Hz."""
NARROW = 3800
"""Hz to which a recording made at 8 kHz is trusted."""


@dataclass
class Analysis:
    """WORLD's view of a recording, a row each 5 ms; `shape` is the log power envelope."""

    pitch: np.ndarray
    shape: np.ndarray
    breath: np.ndarray
    cepstra: np.ndarray
    bands: np.ndarray
    """Envelope on the mel axis less its broad slope."""


def mel_points(size: int) -> np.ndarray:
    """Bins, of `size` up to half the sample rate, of `BANDS` points evenly spaced in mel."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    hz = 700 * (10 ** (np.linspace(0, top, BANDS) / 2595) - 1)
    return hz / (SAMPLE_RATE / 2) * (size - 1)


def sample(rows: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    """`rows` at fractional indices `at` of `axis`."""
    low = np.clip(at.astype(int), 0, rows.shape[axis] - 2)
    part = np.clip(at - low, 0.0, 1.0).astype(rows.dtype)
    part = part[:, None] if axis == 0 else part
    return rows.take(low, axis) * (1 - part) + rows.take(low + 1, axis) * part


def analyse(x: np.ndarray) -> Analysis:
    """`x` at 16 kHz taken apart."""
    x = np.ascontiguousarray(x, np.float64)
    rough, times = pyworld.dio(x, SAMPLE_RATE, f0_floor=60.0, f0_ceil=500.0)
    pitch = pyworld.stonemask(x, rough, times, SAMPLE_RATE)
    shape = np.log(pyworld.cheaptrick(x, pitch, times, SAMPLE_RATE))
    breath = pyworld.d4c(x, pitch, times, SAMPLE_RATE)
    floor = shape.max() - 16.0
    bands = np.maximum(sample(shape, mel_points(shape.shape[1]), 1), floor)
    cepstra = dct(bands, norm="ortho", axis=1)[:, :16]
    cepstra[:, 1:] -= cepstra[:, 1:].mean(0)
    cepstra[:, 0] *= 0.3
    return Analysis(pitch, shape, breath, cepstra, bands - uniform_filter1d(bands, BANDS // 3, axis=1))


def align(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the cheapest monotone path through `cost`, from corner to corner.

    Along a row the recurrence `a[j] = cost[j] + min(m[j], a[j - 1])` is a running minimum of
    `m[j]` less the costs summed before j.
    """
    total = np.empty_like(cost)
    total[0] = np.cumsum(cost[0])
    for i in range(1, len(cost)):
        above = total[i - 1].copy()
        above[1:] = np.minimum(above[1:], total[i - 1, :-1])
        summed = np.cumsum(cost[i])
        total[i] = summed + np.minimum.accumulate(above - (summed - cost[i]))
    i, j = len(cost) - 1, cost.shape[1] - 1
    path = [(i, j)]
    while i or j:
        steps = [(a, b) for a, b in ((i - 1, j - 1), (i - 1, j), (i, j - 1)) if a >= 0 and b >= 0]
        i, j = min(steps, key=lambda step: total[step])
        path.append((i, j))
    a, b = np.array(path[::-1]).T
    return a, b


def between(a: np.ndarray, b: np.ndarray, share: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `size` points of an axis lies on the two axes that `a` and `b` pair.

    `share` 0 is the axis of `a`, 1 that of `b`.
    """
    middle = (1 - share) * a + share * b
    at = np.linspace(0.0, middle[-1], size)
    return np.interp(at, middle, a), np.interp(at, middle, b)


def align_times(one: Analysis, other: Analysis) -> tuple[np.ndarray, np.ndarray]:
    """Paired frames of the two, smoothed: a path that waits and jumps would be heard as such."""
    gaps = ((one.cepstra[:, None] - other.cepstra[None]) ** 2).sum(-1)
    i, j = align(np.sqrt(gaps))
    return smooth(i, 7), smooth(j, 7)


def align_bins(one: np.ndarray, other: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Paired bins, of `size`, of two speakers whose `bands` are given for the same moments."""
    cost = (one**2).sum(0)[:, None] + (other**2).sum(0)[None] - 2 * one.T @ other
    band = np.arange(BANDS)
    apart = np.abs(band[:, None] - band[None])
    cost = cost / cost[apart <= REACH].mean() + 0.05 * apart
    cost[apart > REACH] = 1e6
    points = mel_points(size)
    f, g = (np.interp(smooth(path, 9), band, points) for path in align(cost))
    f[0], g[0], f[-1], g[-1] = 0.0, 0.0, size - 1, size - 1
    return f, g


def smooth(path: np.ndarray, width: int) -> np.ndarray:
    """The moving average of a path."""
    return uniform_filter1d(path.astype(float), width, mode="nearest")


def middle_pitch(view: Analysis) -> float:
    """Mean log pitch; where nothing is voiced, that of 150 Hz."""
    voiced = view.pitch[view.pitch > 0]
    return float(np.log(voiced).mean()) if len(voiced) else 5.0


def morph(one: Analysis, other: Analysis, narrow: tuple[bool, bool],
          rng: np.random.Generator) -> np.ndarray:
    """A recording between `one` and `other`, with the voicing and intonation of `one`.

    `narrow` says which of them were recorded at 8 kHz: above `NARROW` the other is taken alone.
    """
    i, j = align_times(one, other)
    bins = one.shape.shape[1]
    f, g = align_bins(sample(one.bands, i, 0), sample(other.bands, j, 0), bins)

    share = rng.uniform(0.0, 1.0)
    frames = max(round((1 - share) * (i[-1] - i[0]) + share * (j[-1] - j[0])) + 1, 2)
    first, second = between(i - i[0], j - j[0], share, frames)
    low, high = between(f, g, rng.uniform(0.0, 1.0), bins)

    timbre = np.full(bins, rng.uniform(0.2, 0.55))
    if narrow[0] != narrow[1]:
        timbre[int(NARROW / (SAMPLE_RATE / 2) * bins):] = 1.0 if narrow[0] else 0.0
    shape = sample(sample(one.shape, first, 0), low, 1) * (1 - timbre)
    shape += sample(sample(other.shape, second, 0), high, 1) * timbre

    nearest = np.clip(np.round(first).astype(int), 0, len(one.pitch) - 1)
    higher = rng.uniform(0.0, 1.0) * (middle_pitch(other) - middle_pitch(one))
    pitch = one.pitch[nearest] * np.exp(higher + rng.uniform(-0.15, 0.15))
    y = pyworld.synthesize(pitch, np.exp(shape), one.breath[nearest], SAMPLE_RATE, 5.0)
    return y.astype(np.float32)


def crossed(clips: list[np.ndarray], speakers: list[str], narrow: list[bool], counts: list[int],
            seed: int) -> list[list[np.ndarray]]:
    """For each recording of one word, `counts` morphs with recordings of other speakers."""
    rng = np.random.default_rng(seed)
    views = [analyse(x) for x in clips]
    found: list[list[np.ndarray]] = []
    for index, count in enumerate(counts):
        others = [i for i, name in enumerate(speakers) if name != speakers[index]]
        partners = rng.permutation(others)[:count]
        found.append([morph(views[index], views[p], (narrow[index], narrow[p]), rng) for p in partners])
    return found


def morphs(words: list[tuple[list[np.ndarray], list[str], list[bool], list[int]]],
           seed: int) -> list[list[list[np.ndarray]]]:
    """`crossed` of every word's recordings, in parallel."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(crossed, *zip(*words), range(seed, seed + len(words))))
