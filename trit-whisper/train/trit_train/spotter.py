"""A convolutional network that names a single word: a teacher whose mistakes are others.

Convolutions over time and frequency take a voice that is higher, or a vocal tract that is shorter, for
the same pattern a little further up, which attention over whole frames has to learn from speakers; so
with few speakers they know unseen ones better. Such a teacher passes some of that on (Touvron 2021,
"Training data-efficient image transformers & distillation through attention").
"""

import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from .augment import WARPS, spec_augment
from .data import Bank, Clip
from .mel import HOP, log_mel, mel_filters
from .tokens import WORDS
from .utterances import MARGIN, Mixer, Utterance

LENGTH = 128 * HOP
"""Samples it looks at: 1.28 s."""
CLASSES = len(WORDS) + 1
"""The words, and none of them."""
N_MELS = 80


class Residual(nn.Module):
    """Two convolutions of 3 × 3 beside a shortcut (He 2016)."""

    def __init__(self, channels: int, out: int, stride: int | tuple[int, int]):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.shortcut = nn.Identity()
        if channels != out or stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False),
                                          nn.BatchNorm2d(out))

    def forward(self, x):
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(self.shortcut(x) + y)


class Spotter(nn.Module):
    """Log-mel `[batch, 128, 80]` to logits `[batch, CLASSES]`."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 5, 2, 2, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.blocks = nn.Sequential(
            Residual(24, 32, (2, 1)), Residual(32, 32, 1), Residual(32, 64, 2),
            Residual(64, 64, 1), Residual(64, 112, 2), Residual(112, 112, 1))
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * 112, CLASSES)

    def forward(self, mel):
        x = self.blocks(self.stem(mel.transpose(1, 2)[:, None])).float().mean(2)
        return self.head(self.dropout(torch.cat([x.mean(-1), x.amax(-1)], 1)))

    @torch.no_grad()
    def probabilities(self, samples: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
        """What is said in `samples` `[words, LENGTH]`, by `filters` of `log_mel`: `[words, CLASSES]`."""
        with torch.autocast(samples.device.type, dtype=torch.bfloat16):
            return self(log_mel(samples, filters)).float().softmax(-1)


def crop(utterance: Utterance, word: int) -> np.ndarray:
    """One word of an utterance in the middle of `LENGTH` samples, with nothing of its neighbours."""
    start, stop = utterance.spans[word]
    start, stop = max(start - MARGIN, 0), min(stop + MARGIN, len(utterance.samples))
    x = utterance.samples[start:stop]
    spare = len(x) - LENGTH
    if spare > 0:
        return x[spare // 2: spare // 2 + LENGTH]
    return np.pad(x, (-spare // 2, -spare - (-spare // 2)))


class Crops(IterableDataset):
    """Endless batches of single words somewhere in `LENGTH` samples, with their class and warp."""

    def __init__(self, bank: Bank, clips: list[Clip], batch: int, seed: int):
        super().__init__()
        self.bank, self.clips, self.batch, self.seed = bank, clips, batch, seed

    def __iter__(self):
        mixer = Mixer(self.bank, self.clips, self.seed)
        rng = mixer.rng
        while True:
            samples = np.zeros((self.batch, LENGTH), np.float32)
            classes = np.full(self.batch, len(WORDS))
            for row in range(self.batch):
                utterance = mixer.draw(1, 0.75)
                latest = max(1, len(utterance.samples) - LENGTH)
                earliest = 0
                if utterance.words:
                    start, stop = utterance.spans[0]
                    classes[row] = WORDS.index(utterance.words[0])
                    earliest = max(0, stop + 2 * MARGIN - LENGTH)
                    latest = max(earliest + 1, start - MARGIN)
                at = int(rng.integers(min(earliest, latest - 1), latest))
                x = utterance.samples[at: at + LENGTH]
                samples[row, : len(x)] = x
            warps = rng.integers(0, len(WARPS), self.batch)
            yield torch.from_numpy(samples), torch.from_numpy(classes), torch.from_numpy(warps)


def fit(bank: Bank, clips: list[Clip], steps: int, out: Path, seed: int, start: Spotter | None = None,
        batch: int = 64, report=print) -> Spotter:
    """Trains a spotter, or goes on with `start`; returns its moving average, also written to `out`."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    rate = 2e-3 if start is None else 1.2e-3
    model = (start or Spotter()).to(device, memory_format=torch.channels_last).train()
    average = copy.deepcopy(model).eval()
    banks = torch.stack([torch.from_numpy(mel_filters(N_MELS, w)) for w in WARPS]).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    began, step = time.time(), 0
    for parts in DataLoader(Crops(bank, clips, batch, seed), batch_size=None, num_workers=1,
                            prefetch_factor=4):
        samples, classes, warps = (part.to(device) for part in parts)
        for warp in (torch.full_like(warps, len(WARPS) // 2), warps):
            p = step / steps
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / 200, (1 - p) / 0.8 + 0.002)
            mel = spec_augment(log_mel(samples, banks[warp]))
            with torch.autocast(device.type, dtype=torch.bfloat16):
                logits = model(mel)
            loss = F.cross_entropy(logits, classes)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            decay = min(0.998, (1 + step) / (10 + step))
            for mine, theirs in zip(average.state_dict().values(), model.state_dict().values()):
                if mine.is_floating_point():
                    mine.lerp_(theirs, 1 - decay)
                else:
                    mine.copy_(theirs)
            step += 1
            if step % 100 == 0:
                spent = time.time() - began
                report(f"step {step}/{steps}  ce {loss.item():.3f}  {spent:.0f} s, "
                       f"{spent / step * (steps - step):.0f} s left")
            if step >= steps:
                part = out.with_suffix(".part")
                torch.save(average.state_dict(), part)
                part.rename(out)
                return average


def restore(path: Path) -> Spotter:
    """The spotter of a checkpoint written by `fit`."""
    model = Spotter()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return model.eval()


@torch.no_grad()
def wrong(model: Spotter, bank: Bank, clips: list[Clip]) -> float:
    """How many of the clips, each a word alone, it names another word, in percent."""
    filters, errors = torch.from_numpy(mel_filters(N_MELS)), 0
    for clip in clips:
        x = bank.audio(clip)
        alone = Utterance(x, [clip.word], [(MARGIN, len(x) - MARGIN)])
        heard = model.probabilities(torch.from_numpy(crop(alone, 0))[None], filters)[0, : len(WORDS)]
        errors += WORDS[heard.argmax()] != clip.word
    return 100.0 * errors / max(len(clips), 1)
