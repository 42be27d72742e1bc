"""More speakers than were recorded: synthetic voices, and recordings resynthesised as someone else."""

import subprocess
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pyworld
from scipy.signal import resample_poly

from .tokens import SAMPLE_RATE, WORDS

ACCENTS = [
    "en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
]
VARIANTS = [f"m{i}" for i in range(1, 9)] + [f"f{i}" for i in range(1, 6)]
RECORDED = ["slt", "awb", "rms", "kal16"]
"""Voices of flite, each built from the recordings of one person."""


def pcm(wav: bytes, rate: int) -> np.ndarray:
    """Samples at 16 kHz of a 16-bit mono WAV file with a header of 44 bytes; nothing if it is empty."""
    if len(wav) < 1000:
        return np.zeros(0, np.float32)
    x = np.frombuffer(wav[44: 44 + (len(wav) - 44) // 2 * 2], np.int16).astype(np.float32) / 32768
    return x if rate == SAMPLE_RATE else resample_poly(x, SAMPLE_RATE, rate).astype(np.float32)


def espeak(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`word` spoken by espeak-ng, or nothing when the voice is not installed."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    return pcm(subprocess.run(command, capture_output=True, check=False).stdout, 22050)


def flite(word: str, voice: str) -> np.ndarray:
    """`word` spoken by flite."""
    command = ["flite", "-voice", voice, "-t", word, "-o", "/dev/stdout"]
    return pcm(subprocess.run(command, capture_output=True, check=False).stdout, SAMPLE_RATE)


def synthetic(per_word: int, seed: int) -> list[tuple[str, str, np.ndarray]]:
    """(word, voice, samples): `per_word` random voices of espeak-ng, and flite's, for each word."""
    rng = np.random.default_rng(seed)
    jobs = [
        (word, f"{rng.choice(ACCENTS)}+{rng.choice(VARIANTS)}", int(rng.integers(110, 210)),
         int(rng.integers(15, 85)))
        for word in WORDS for _ in range(per_word)
    ]
    with ThreadPoolExecutor(2) as pool:
        spoken = [(job[0], job[1], x) for job, x in zip(jobs, pool.map(lambda j: espeak(*j), jobs))]
        pairs = [(word, voice) for word in WORDS for voice in RECORDED]
        spoken += [(*pair, x) for pair, x in zip(pairs, pool.map(lambda p: flite(*p), pairs))]
    return [row for row in spoken if len(row[2])]


def disguise(x: np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """`x` spoken by `count` other voices: pitch, intonation, vocal tract and pace changed apart.

    Analysis and synthesis are WORLD's (Morise et al. 2016), with pitch scaled by e^±0.4 and its
    excursions by 0.6 to 1.4, the spectral envelope warped by e^±0.16, the pace by e^±0.25.
    """
    rng = np.random.default_rng(seed)
    x = np.ascontiguousarray(x, np.float64)
    rough, times = pyworld.dio(x, SAMPLE_RATE, f0_floor=60.0, f0_ceil=500.0)
    pitch = pyworld.stonemask(x, rough, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(x, pitch, times, SAMPLE_RATE)
    breath = pyworld.d4c(x, pitch, times, SAMPLE_RATE)
    voiced = pitch > 0
    middle = np.exp(np.log(pitch[voiced]).mean()) if voiced.any() else 1.0
    found = []
    for _ in range(count):
        tune = np.zeros_like(pitch)
        tune[voiced] = middle * (pitch[voiced] / middle) ** rng.uniform(0.6, 1.4)
        tune *= np.exp(rng.uniform(-0.4, 0.4))
        at = np.arange(envelope.shape[1]) * np.exp(rng.uniform(-0.16, 0.16))
        low = np.minimum(at.astype(int), envelope.shape[1] - 2)
        part = np.clip(at - low, 0.0, 1.0)
        shape = np.log(envelope)
        shape = np.ascontiguousarray(np.exp(shape[:, low] * (1 - part) + shape[:, low + 1] * part))
        y = pyworld.synthesize(tune, shape, breath, SAMPLE_RATE, 5.0 * np.exp(rng.uniform(-0.25, 0.25)))
        found.append(y.astype(np.float32))
    return found


def disguised(clips: list[np.ndarray], count: int, seed: int) -> list[list[np.ndarray]]:
    """`disguise` of every clip, in parallel."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(disguise, clips, [count] * len(clips), range(seed, seed + len(clips)),
                             chunksize=16))
