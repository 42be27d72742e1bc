"""Joins words into utterances, with augmentation, token targets and frame labels."""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from .data import SILENCE, Bank, Clip
from .tokens import COMMANDS, DIGITS, EOT, NO_SPEECH, SAMPLE_RATE, SOT, WINDOW, WORDS, timestamp

POSITION = 320
"""Samples per encoder position."""
MARGIN = 800
"""Samples of a clip before its word and after: 50 ms."""
SILENT_LABEL = len(WORDS)
SOURCES = {
    "speech-commands": 0.40, "disguised": 0.15, "morphed": 0.30, "fsdd": 0.07, "synthetic": 0.08,
}
"""How often training draws from each source."""


@dataclass
class Utterance:
    """Samples with their words; `spans` are the words' first and last sample."""

    samples: np.ndarray
    words: list[str]
    spans: list[tuple[int, int]]

    def tokens(self) -> list[int]:
        """`sot <|s|> word <|e|> ... eot`, or `sot nospeech eot` without words."""
        ids = [SOT]
        for word, (start, stop) in zip(self.words, self.spans):
            ids += [timestamp(start), WORDS.index(word), timestamp(stop)]
        return ids + [EOT] if self.words else [SOT, NO_SPEECH, EOT]

    def labels(self, positions: int) -> np.ndarray:
        """The word at each encoder position, `SILENT_LABEL` between words."""
        labels = np.full(positions, SILENT_LABEL)
        for word, (start, stop) in zip(self.words, self.spans):
            labels[start // POSITION: stop // POSITION + 1] = WORDS.index(word)
        return labels


class Mixer:
    """Draws utterances from the clips of one set."""

    def __init__(self, bank: Bank, clips: list[Clip], seed: int):
        self.bank, self.rng = bank, np.random.default_rng(seed)
        self.noise = [c for c in clips if c.word == SILENCE]
        self.by_source: dict[str, dict[str, list[Clip]]] = {}
        self.by_speaker: dict[tuple[str, str], list[Clip]] = {}
        for clip in clips:
            if clip.word != SILENCE:
                self.by_source.setdefault(clip.source, {}).setdefault(clip.word, []).append(clip)
                self.by_speaker.setdefault((clip.source, clip.speaker), []).append(clip)

    def word(self, source: str) -> Clip:
        """A clip of `source`; common words three times as likely as the rare ones."""
        words = self.by_source[source]
        names = list(words)
        weight = np.array([3.0 if w in COMMANDS or w in DIGITS else 1.0 for w in names])
        clips = words[names[self.rng.choice(len(names), p=weight / weight.sum())]]
        return clips[self.rng.integers(len(clips))]

    def join(self, clips: list[Clip], speeds: list[float], gaps: list[int]) -> Utterance:
        """The clips one after another; `gaps` are the samples before each word and at the end.

        Clips carry 50 ms of margin on each side, which is not part of the word's span. Words
        that would not fit the window are left out.
        """
        pieces, words, spans, at = [], [], [], 0
        for clip, speed, gap in zip(clips, speeds, gaps):
            x = self.bank.audio(clip)
            if speed != 1.0:
                x = np.interp(np.arange(0, len(x) - 1, speed), np.arange(len(x)), x)
            if at + gap + len(x) > WINDOW:
                break
            pieces += [np.zeros(gap, np.float32), x.astype(np.float32)]
            margin = min(int(MARGIN / speed), len(x) // 4)
            spans.append((at + gap + margin, at + gap + len(x) - margin))
            words.append(clip.word)
            at += gap + len(x)
        pieces.append(np.zeros(min(gaps[-1], WINDOW - at), np.float32))
        return Utterance(np.concatenate(pieces), words, spans)

    def draw(self, most_words: int, strength: float) -> Utterance:
        """One training utterance of up to `most_words` words, augmented with odds `strength`."""
        rng = self.rng
        if rng.random() < 0.06:
            n = int(rng.integers(SAMPLE_RATE // 2, WINDOW // 2))
            return Utterance(self.background(n) * 10 ** rng.uniform(-2.5, -0.2), [], [])
        sources = [s for s in SOURCES if s in self.by_source]
        odds = np.array([SOURCES[s] for s in sources])
        mixed = rng.random() < 0.25
        source = rng.choice(sources, p=odds / odds.sum())
        # A word alone is the hardest, for nothing else tells what the speaker sounds like.
        count = 1 if rng.random() < 0.3 else int(rng.integers(1, most_words + 1))
        clips, speeds = [], []
        speed = rng.uniform(0.82, 1.22) if rng.random() < strength else 1.0
        one = not mixed and rng.random() < 0.5
        for _ in range(count):
            if clips and one:
                own = self.by_speaker[source, clips[0].speaker]
                clip = own[rng.integers(len(own))]
            else:
                clip = self.word(rng.choice(sources, p=odds / odds.sum()) if mixed else source)
            clips.append(clip)
            speeds.append(speed * rng.uniform(0.95, 1.05) if speed != 1.0 else 1.0)
        longest = 9600 if rng.random() < 0.7 else 2400
        gaps = [int(rng.integers(0, longest)) for _ in range(count + 1)]
        utterance = self.join(clips, speeds, gaps)
        x = utterance.samples
        if rng.random() < strength:
            for start, stop in utterance.spans:
                x[max(start - MARGIN, 0): stop + MARGIN] *= 10 ** rng.uniform(-0.4, 0.0)
        if rng.random() < strength:
            x = self.filter(x, narrow=source == "fsdd")
        peak = max(float(np.abs(x).max()), 1e-5)
        x = x / peak * 10 ** rng.uniform(-1.6, -0.05)
        if rng.random() < max(strength, 0.2):
            noise = self.background(len(x))
            level = np.sqrt(np.mean(x**2)) * 10 ** (-rng.uniform(6, 40) / 20)
            x = x + noise / max(float(np.sqrt(np.mean(noise**2))), 1e-6) * level
        utterance.samples = np.clip(x, -1, 1).astype(np.float32)
        return utterance

    def background(self, n: int) -> np.ndarray:
        """`n` samples of recorded, white or coloured noise with peak near 1."""
        rng = self.rng
        kind = rng.random()
        if kind < 0.6 and self.noise:
            x = np.concatenate([self.bank.audio(self.noise[rng.integers(len(self.noise))])
                                for _ in range(n // SAMPLE_RATE + 2)])
            start = rng.integers(0, len(x) - n)
            x = x[start: start + n]
        else:
            size = fft.next_fast_len(n, real=True)
            spectrum = fft.rfft(rng.standard_normal(size, np.float32))
            steep = np.float32(rng.uniform(0, 1))
            shape = np.maximum(np.arange(len(spectrum), dtype=np.float32), 1) ** -steep
            x = fft.irfft(spectrum * shape, size)[:n]
            if kind > 0.95:
                x = np.zeros(n)
        return (x / max(float(np.abs(x).max()), 1e-5)).astype(np.float32)

    def filter(self, x: np.ndarray, narrow: bool) -> np.ndarray:
        """A room, an equaliser and the upper band changed, in one pass over the spectrum."""
        rng = self.rng
        n = fft.next_fast_len(len(x) + 4000, real=True)
        if narrow and rng.random() < 0.6:
            # The mirror image of a telephone band fills the empty octave above it.
            x = x.copy()
            x[::2] *= 1 + 10 ** rng.uniform(-2.0, -0.3)
        spectrum = fft.rfft(x.astype(np.float32), n)
        hz = fft.rfftfreq(n, 1 / SAMPLE_RATE).astype(np.float32)
        if rng.random() < 0.5:
            length = int(rng.uniform(0.05, 0.25) * SAMPLE_RATE)
            decay = np.exp(-np.arange(length) / (length / rng.uniform(4, 9)))
            response = rng.standard_normal(length) * decay * rng.uniform(0.02, 0.15)
            response[0] = 1.0
            spectrum *= fft.rfft(response.astype(np.float32), n)
        points = np.array([0, 300, 1000, 3000, 8000])
        curve = np.interp(hz, points, rng.uniform(-6, 6, len(points))).astype(np.float32)
        spectrum *= 10 ** (curve / 20)
        if not narrow and rng.random() < 0.25:
            spectrum *= 1 / (1 + (hz / rng.uniform(3200, 4500)) ** 16)
        return fft.irfft(spectrum, n)[: len(x)].astype(np.float32)
