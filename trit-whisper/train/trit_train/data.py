"""Spoken words: reading, trimming, the split by speaker, synthetic voices, and one array cache."""

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from .morph import morphs
from .tokens import COMMANDS, SAMPLE_RATE, WORDS
from .voices import RECORDED, disguised, synthetic

SILENCE = "_silence_"
MADE = ("synthetic", "disguised", "morphed")
"""Sources that are not recordings."""

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
    """Train and test clips with no speaker in both.

    Of the Speech Commands speakers folds 0-3 are the test set. The Free Spoken Digit Dataset has
    few speakers, so the one with the lowest hash is held out for testing. Noise has no speaker and
    is split by clip. Voices that were made are only trained on.
    """
    digits = sorted({c.speaker for c in clips if c.source == "fsdd"},
                    key=lambda s: hashlib.sha1(s.encode()).hexdigest())
    sets: dict[str, list[Clip]] = {"train": [], "test": []}
    for index, clip in enumerate(clips):
        if clip.source == "fsdd":
            name = "test" if clip.speaker == digits[0] else "train"
        elif clip.source in MADE:
            name = "train"
        else:
            n = fold(str(index) if clip.word == SILENCE else clip.speaker)
            name = "test" if n < 4 else "train"
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


def level(x: np.ndarray) -> np.ndarray:
    """`x` trimmed, with a peak of 0.5."""
    x = trim(x)
    return x / max(float(np.abs(x).max()), 1e-4) * 0.5


def real(clip: Clip) -> bool:
    """Whether a person spoke `clip`, or the voice that did is made of one person's recordings."""
    return clip.word != SILENCE and (clip.source not in MADE or clip.speaker in RECORDED)


def morphed(bank: Bank, clips: list[Clip], few: int, many: int, seed: int) -> list[tuple]:
    """(word, speaker, "morphed", samples) between speakers of `clips`.

    Each recording is morphed with `few` others if it is of a command, with `many` if of a rarer
    word. Of the Free Spoken Digit Dataset, which has many recordings and few speakers, 40 a word
    take part.
    """
    rng = np.random.default_rng(seed)
    groups, jobs = [], []
    for word in WORDS:
        own = [c for c in clips if c.word == word and real(c)]
        telephone = [c for c in own if c.source == "fsdd"]
        chosen = [c for c in own if c.source != "fsdd"]
        chosen += [telephone[i] for i in rng.permutation(len(telephone))[:40]]
        counts = [few if word in COMMANDS or c.source == "fsdd" else many for c in chosen]
        groups.append(chosen)
        jobs.append(([bank.audio(c) for c in chosen], [c.speaker for c in chosen],
                     [c.source == "fsdd" for c in chosen], counts))
    return [(clip.word, clip.speaker, "morphed", level(x))
            for chosen, copies in zip(groups, morphs(jobs, seed))
            for clip, made in zip(chosen, copies) for x in made]


def load(data: Path, cache: Path, voices: int = 60, disguises: int = 5) -> Bank:
    """The bank of all clips under `data/spoken-words`, made once and kept in `cache`.

    Each word is spoken by `voices` synthetic voices as well. Each training clip of Speech Commands,
    and of the synthetic voices that come from a person, is spoken by `disguises` other voices, and
    by voices between its speaker's and other speakers'.
    """
    if not cache.exists():
        with (data / "spoken-words" / "manifest.csv").open() as manifest:
            rows = list(csv.DictReader(manifest))
        found = []
        for row in rows:
            x = read(data / "spoken-words" / row["path"])
            found.append((row["word"], row["speaker"], row["source"],
                          x if row["word"] == SILENCE else level(x)))
        found += [(word, voice, "synthetic", level(x)) for word, voice, x in synthetic(voices, seed=1)]
        bank = assemble(found)
        own = split(bank.clips)["train"]
        models = [c for c in own if real(c) and c.source != "fsdd"]
        others = disguised([bank.audio(c) for c in models], disguises, seed=2)
        found += [(c.word, c.speaker, "disguised", level(x))
                  for c, copies in zip(models, others) for x in copies]
        found += morphed(bank, own, few=3, many=16, seed=3)
        bank = assemble(found)
        table = np.array([(c.word, c.speaker, c.source, str(c.start), str(c.stop))
                          for c in bank.clips])
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(".part.npz")
        np.savez(part, samples=bank.samples, table=table)
        part.rename(cache)
    stored = np.load(cache)
    clips = [Clip(w, s, o, int(a), int(b)) for w, s, o, a, b in stored["table"].tolist()]
    return Bank(stored["samples"], clips)


def assemble(found: list[tuple[str, str, str, np.ndarray]]) -> Bank:
    """A bank of (word, speaker, source, samples)."""
    ends = np.cumsum([len(x) for *_, x in found])
    clips = [Clip(w, s, o, int(e) - len(x), int(e)) for (w, s, o, x), e in zip(found, ends)]
    return Bank(np.concatenate([x for *_, x in found]), clips)
