"""Word error rates on unseen speakers, with Whisper's own decoding rules."""

from dataclasses import dataclass

import numpy as np
import torch

from .data import SILENCE, Bank, Clip
from .mel import log_mel, mel_filters
from .model import Whisper
from .tokens import COMMANDS, DIGITS, EOT, NO_SPEECH, OTHERS, SOT, TIMESTAMP_FIRST, WINDOW, WORDS
from .utterances import Mixer, Utterance

NO_SPEECH_THRESHOLD = 0.5


@dataclass
class TestSet:
    """Utterances of one kind."""

    name: str
    utterances: list[Utterance]
    speakers: list[int]
    """Number of each utterance's speaker, the same in every set; for noise the clip's."""


def pad(samples: np.ndarray) -> np.ndarray:
    """Samples followed by zeros up to the window."""
    return np.pad(samples[:WINDOW], (0, max(0, WINDOW - len(samples)))).astype(np.float32)


def test_sets(bank: Bank, clips: list[Clip], words: int, seed: int = 7) -> list[TestSet]:
    """About `words` words a set of commands and of digits by source, fewer of the rare words.

    The words of an utterance come from one speaker and are joined as in training, without
    augmentation: gaps of 0 to 0.6 s, a level of −32 to −1 dB. Noise clips are taken one by one, at
    three levels, and digital silence once.
    """
    kinds = [
        ("commands", COMMANDS, "speech-commands", words),
        ("digits (speech-commands)", DIGITS, "speech-commands", words // 4),
        ("digits (fsdd)", DIGITS, "fsdd", words // 2),
        ("other words", OTHERS, "speech-commands", words // 4),
    ]
    # One who said commands and digits is one speaker to a bootstrap over both.
    everyone = sorted({(c.source, c.speaker) for c in clips})
    number = {speaker: index for index, speaker in enumerate(everyone)}
    sets = []
    for name, vocabulary, source, wanted in kinds:
        chosen = [c for c in clips if c.word in vocabulary and c.source == source]
        mixer, rng = Mixer(bank, clips, seed), np.random.default_rng(seed)
        utterances, speakers, count = [], [], 0
        names = sorted({c.speaker for c in chosen})
        by_speaker = {name: [c for c in chosen if c.speaker == name] for name in names}
        while chosen and count < wanted:
            n = int(rng.integers(1, 9))
            # A speaker is as likely as it has recordings.
            speaker = chosen[rng.integers(len(chosen))].speaker
            own = by_speaker[speaker]
            picked = [own[rng.integers(len(own))] for _ in range(n)]
            utterance = mixer.join(picked, [1.0] * n, [int(g) for g in rng.integers(0, 9600, n + 1)])
            utterance.samples *= 10 ** rng.uniform(-1.6, -0.05) / max(np.abs(utterance.samples).max(), 1e-5)
            utterances.append(utterance)
            speakers.append(number[source, speaker])
            count += len(utterance.words)
        sets.append(TestSet(name, utterances, speakers))
    noise, owners = [Utterance(np.zeros(WINDOW, np.float32), [], [])], [0]
    for index, clip in enumerate((c for c in clips if c.word == SILENCE), 1):
        x = bank.audio(clip)
        noise += [Utterance(x * gain, [], []) for gain in (0.3, 1.0, 3.0)]
        owners += [index] * 3
    sets.append(TestSet("noise", noise, owners))
    return sets


@torch.no_grad()
def transcribe(model: Whisper, samples: np.ndarray) -> list[list[int]]:
    """Greedy tokens of each row of `samples` `[batch, WINDOW]`, empty where there is no speech."""
    filters = torch.from_numpy(mel_filters(model.config.n_mels))
    features = model.encoder(log_mel(torch.from_numpy(samples), filters))
    batch = len(samples)
    ids = torch.full((batch, 1), SOT)
    done = torch.zeros(batch, dtype=torch.bool)
    for step in range(model.config.n_text_ctx // 2):
        logits = model.decoder(ids, features)[0][:, -1].float()
        if step == 0:
            done |= logits.softmax(-1)[:, NO_SPEECH] > NO_SPEECH_THRESHOLD
        rule_out(logits, ids[:, 1:])
        best = torch.where(done, EOT, logits.argmax(-1))
        ids = torch.cat([ids, best[:, None]], 1)
        done |= best == EOT
        if done.all():
            break
    return [[t for t in row[1:].tolist() if t != EOT] for row in ids]


def rule_out(logits: torch.Tensor, sampled: torch.Tensor) -> None:
    """Whisper's rules: specials never, timestamps in pairs, forward, and forced when likelier."""
    never = -torch.inf
    logits[:, EOT + 1: TIMESTAMP_FIRST] = never
    if sampled.shape[1] == 0:
        logits[:, :TIMESTAMP_FIRST] = never
        return
    stamp = sampled >= TIMESTAMP_FIRST
    last = stamp[:, -1]
    before = stamp[:, -2] if sampled.shape[1] > 1 else torch.ones_like(last)
    for row in range(len(logits)):
        if last[row] and before[row]:
            logits[row, TIMESTAMP_FIRST:] = never
        elif last[row]:
            logits[row, :EOT] = never
        stamps = sampled[row][stamp[row]]
        if len(stamps):
            step = 0 if last[row] and not before[row] else 1
            logits[row, TIMESTAMP_FIRST: int(stamps[-1]) + step] = never
        together = logits[row, TIMESTAMP_FIRST:].logsumexp(0)
        if together > logits[row, :TIMESTAMP_FIRST].max():
            logits[row, :TIMESTAMP_FIRST] = never


def edits(reference: list[str], found: list[str]) -> int:
    """Fewest substitutions, insertions and deletions."""
    row = list(range(len(found) + 1))
    for i, a in enumerate(reference, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(found, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def errors(model: Whisper, test: TestSet, batch: int = 48) -> np.ndarray:
    """Errors, words and speaker of each utterance, `[utterances, 3]`; for noise, words found and 1."""
    rows = []
    for start in range(0, len(test.utterances), batch):
        part = test.utterances[start: start + batch]
        found = transcribe(model, np.stack([pad(u.samples) for u in part]))
        for utterance, ids, speaker in zip(part, found, test.speakers[start: start + batch]):
            words = [WORDS[t] for t in ids if t < len(WORDS)]
            if utterance.words:
                rows.append((edits(utterance.words, words), len(utterance.words), speaker))
            else:
                rows.append((int(bool(words)), 1, speaker))
    return np.array(rows)


def rate(rows: np.ndarray) -> float:
    """Word error rate in percent."""
    return 100.0 * rows[:, 0].sum() / rows[:, 1].sum()


def gap(mine: np.ndarray, theirs: np.ndarray, draws: int = 5000) -> tuple[float, float, float]:
    """Difference of the rates on the same utterances, with a 95 % interval, in points.

    The interval is from a bootstrap over speakers: their utterances are not independent, and
    another test would meet other speakers.
    """
    rng = np.random.default_rng(0)
    speakers = np.unique(mine[:, 2])
    mine_of, theirs_of = (np.array([rows[rows[:, 2] == s][:, :2].sum(0) for s in speakers])
                          for rows in (mine, theirs))
    differences = []
    for _ in range(draws):
        drawn = rng.integers(0, len(speakers), len(speakers))
        differences.append(rate(mine_of[drawn]) - rate(theirs_of[drawn]))
    low, high = np.percentile(differences, [2.5, 97.5])
    return rate(mine) - rate(theirs), float(low), float(high)
