"""Spoken words: reading, trimming, the split by speaker, synthetic voices, and one array cache."""

import csv
import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from .tokens import SAMPLE_RATE, WORDS

SILENCE = "_silence_"
VOICES = ["en-us", "en-gb", "en-gb-scotland", "en-029", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd"]
VARIANTS = [f"m{i}" for i in range(1, 9)] + [f"f{i}" for i in range(1, 6)]


@dataclass
class Clip:
    """One word (or noise): samples `[start, stop)` of the bank, at 16 kHz."""

    word: str
    speaker: str
    source: str
    start: int
    stop: int


@dataclass
class Bank:
    """All clips, their samples end to end in one float32 array."""

    samples: np.ndarray
    clips: list[Clip]

    def audio(self, clip: Clip) -> np.ndarray:
        """Samples of `clip`."""
        return self.samples[clip.start:clip.stop]


def fold(name: str) -> int:
    """A number in 0..20 that depends on `name` alone; speakers are split by it."""
    return int(hashlib.sha1(name.encode()).hexdigest()[:8], 16) % 20


def split(clips: list[Clip]) -> dict[str, list[Clip]]:
    """Train, dev and test clips with no speaker in two of them.

    Of the Speech Commands speakers folds 0-3 are the test set and fold 4 the dev set. The Free
    Spoken Digit Dataset has few speakers, so the one with the lowest hash is held out for testing.
    Noise has no speaker and is split by clip. Synthetic voices are only trained on.
    """
    digits = sorted({c.speaker for c in clips if c.source == "fsdd"},
                    key=lambda s: hashlib.sha1(s.encode()).hexdigest())
    sets: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for index, clip in enumerate(clips):
        if clip.source == "fsdd":
            name = "test" if clip.speaker == digits[0] else "train"
        elif clip.source == "synthetic":
            name = "train"
        else:
            n = fold(str(index) if clip.word == SILENCE else clip.speaker)
            name = "test" if n < 4 else "dev" if n == 4 else "train"
        sets[name].append(clip)
    return sets


def trim(x: np.ndarray, margin: int = 800) -> np.ndarray:
    """The stretch of `x` within 30 dB of its loudest 10 ms, with `margin` samples on each side."""
    frames = np.sqrt(np.mean(x[: len(x) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    loud = np.flatnonzero(frames > max(frames.max() * 10 ** (-30 / 20), 1e-4))
    if len(loud) == 0:
        return x
    return x[max(0, loud[0] * 160 - margin): min(len(x), (loud[-1] + 1) * 160 + margin)]


def read(path: Path) -> np.ndarray:
    """Mono 16 kHz float32 samples of an audio file."""
    x, rate = soundfile.read(path, dtype="float32")
    if x.ndim > 1:
        x = x.mean(axis=1)
    if rate != SAMPLE_RATE:
        x = resample_poly(x, SAMPLE_RATE, rate).astype(np.float32)
    return x


def synthesise(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """`word` spoken by espeak-ng, or nothing when the voice is not installed."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    wav = subprocess.run(command, capture_output=True, check=False).stdout
    if len(wav) < 1000:
        return np.zeros(0, np.float32)
    x = np.frombuffer(wav[44: 44 + (len(wav) - 44) // 2 * 2], np.int16).astype(np.float32) / 32768
    return resample_poly(x, 320, 441).astype(np.float32)


def synthetic(per_word: int, seed: int) -> list[tuple[str, str, np.ndarray]]:
    """(word, voice, samples) of `per_word` random synthetic voices for each word."""
    rng = np.random.default_rng(seed)
    jobs = [
        (word, f"{rng.choice(VOICES)}+{rng.choice(VARIANTS)}", int(rng.integers(110, 210)),
         int(rng.integers(15, 85)))
        for word in WORDS for _ in range(per_word)
    ]
    with ThreadPoolExecutor(2) as pool:
        spoken = pool.map(lambda job: synthesise(*job), jobs)
    return [(job[0], job[1], x) for job, x in zip(jobs, spoken) if len(x)]


def load(data: Path, cache: Path, voices_per_word: int = 60) -> Bank:
    """The bank of all clips under `data/spoken-words`, made once and kept in `cache`."""
    if not cache.exists():
        rows = list(csv.DictReader((data / "spoken-words" / "manifest.csv").open()))
        found = []
        for row in rows:
            x = read(data / "spoken-words" / row["path"])
            if row["word"] != SILENCE:
                x = trim(x)
                x = x / max(float(np.abs(x).max()), 1e-4) * 0.5
            found.append((row["word"], row["speaker"], row["source"], x))
        for word, voice, x in synthetic(voices_per_word, seed=1):
            x = trim(x)
            found.append((word, voice, "synthetic", x / max(float(np.abs(x).max()), 1e-4) * 0.5))
        ends = np.cumsum([len(x) for *_, x in found])
        table = np.array([(w, s, o, str(e - len(x)), str(e))
                          for (w, s, o, x), e in zip(found, ends)])
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(".part.npz")
        np.savez(part, samples=np.concatenate([x for *_, x in found]), table=table)
        part.rename(cache)
    stored = np.load(cache)
    clips = [Clip(w, s, o, int(a), int(b)) for w, s, o, a, b in stored["table"].tolist()]
    return Bank(stored["samples"], clips)
