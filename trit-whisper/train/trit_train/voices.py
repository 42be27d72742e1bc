"""More speakers than were recorded: synthetic voices, and recordings resynthesised as someone else."""

import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pyworld
from scipy.signal import resample_poly

from .tokens import SAMPLE_RATE, WORDS

ACCENTS = [
    "en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd",
    "en-us-nyc",
]
VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt4 Alex Alicia Andrea Andy Annie Denis "
    "Diogo Gene Hugo Jacky Lee Marco Mario Michael Mike Storm adam anika antonio aunty belinda "
    "benjamin boris caleb david ed edward gustave iven john linda marcelo max michel miguel norbert "
    "pablo paul pedro quincy rob robert sandro shelby steph travis victor zac"
).split()
FLITE = ["slt", "awb", "rms", "kal16"]
RHVOICE = ["Alan", "Bdl", "Clb", "Slt"]
FESTIVAL = ["ked_diphone"]
RECORDED = FLITE + RHVOICE + FESTIVAL
"""Voices each built from the recordings of one person."""


def spoken(command: list[str], rate: int, text: str = "") -> np.ndarray:
    """Samples at 16 kHz of what `command`, given `text`, writes: 16-bit mono, a header of 44 bytes.

    Nothing when the program or the voice is not installed.
    """
    if shutil.which(command[0]) is None:
        return np.zeros(0, np.float32)
    wav = subprocess.run(command, input=text.encode(), capture_output=True, check=False).stdout
    if len(wav) < 1000:
        return np.zeros(0, np.float32)
    x = np.frombuffer(wav[44: 44 + (len(wav) - 44) // 2 * 2], np.int16).astype(np.float32) / 32768
    return x if rate == SAMPLE_RATE else resample_poly(x, SAMPLE_RATE, rate).astype(np.float32)


def espeak(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`word` spoken by espeak-ng."""
    return spoken(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word], 22050)


def recorded(word: str, voice: str) -> np.ndarray:
    """`word` spoken by one of `RECORDED`."""
    if voice in FLITE:
        return spoken(["flite", "-voice", voice, "-t", word, "-o", "/dev/stdout"], SAMPLE_RATE)
    if voice in RHVOICE:
        return spoken(["RHVoice-test", "-p", voice, "-o", "/dev/stdout"], 24000, word)
    return spoken(["text2wave", "-eval", f"(voice_{voice})", "-F", str(SAMPLE_RATE)], SAMPLE_RATE, word)


def synthetic(per_word: int, seed: int) -> list[tuple[str, str, np.ndarray]]:
    """(word, voice, samples) of each word: `per_word` random voices of espeak-ng, and all of `RECORDED`."""
    rng = np.random.default_rng(seed)
    jobs = [
        (word, f"{rng.choice(ACCENTS)}+{rng.choice(VARIANTS)}", int(rng.integers(110, 210)),
         int(rng.integers(15, 85)))
        for word in WORDS for _ in range(per_word)
    ]
    with ThreadPoolExecutor(2) as pool:
        found = [(job[0], job[1], x) for job, x in zip(jobs, pool.map(lambda j: espeak(*j), jobs))]
        pairs = [(word, voice) for word in WORDS for voice in RECORDED]
        found += [(*pair, x) for pair, x in zip(pairs, pool.map(lambda p: recorded(*p), pairs))]
    return [row for row in found if len(row[2])]


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
