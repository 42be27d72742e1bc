"""Training: float from scratch, then ternary from the float weights with the float twin beside it."""

import copy
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from .augment import WARPS, spec_augment
from .data import Bank, Clip
from .mel import HOP, log_mel, mel_filters
from .model import Config, Whisper
from .spotter import CLASSES, LENGTH, Spotter, crop
from .tokens import EOT, TIMESTAMP_FIRST, VOCAB, WINDOW, WORDS
from .utterances import POSITION, Mixer

IGNORE = -100
LENGTHS = 16 * 2 * HOP
"""Batches are padded to a multiple of so many samples: few shapes, so that memory is used again."""
CLOSING = 0.85
"""Progress beyond which spectrograms are not masked and utterances changed less: what is heard then is
nearer to what will be heard (Ge 2021, "YOLOX")."""
GROUPED = 4
"""Batches whose utterances are drawn together and sorted by length."""


@dataclass
class Plan:
    """How long and how hard to train; `steps` ends it."""

    steps: int
    rate: float
    warmup: int = 200
    batch: int = 32
    curriculum: bool = True
    distil: float = 0.0
    """Weight of the teacher's probabilities."""
    spotting: float = 4.0
    """Weight of the spotter's."""
    aids: float = 1.0
    """Weight of the frame-label and guided-attention losses, fading to 0 in the last fifth."""


class Batches(IterableDataset):
    """Endless batches; `progress` (0 to 1, shared with the trainer) drives the curriculum."""

    def __init__(self, bank: Bank, clips: list[Clip], plan: Plan, progress, seed: int):
        super().__init__()
        self.bank, self.clips, self.plan = bank, clips, plan
        self.progress, self.seed = progress, seed

    def __iter__(self):
        mixer = Mixer(self.bank, self.clips, self.seed)
        while True:
            p = self.progress.value if self.plan.curriculum else 1.0
            most = 1 if p < 0.06 else 2 if p < 0.12 else 4 if p < 0.25 else 8
            strength = 0.75 * min(max(p - 0.04, 0.0) / 0.3, 1.0)
            if self.progress.value > CLOSING:
                strength = 0.4
            # The runtime always pads to the whole window; late training sees some of that.
            full = mixer.rng.random() < (0.0 if p < 0.3 else 0.2)
            # Utterances of like length go together, so that little is computed on padding.
            drawn = [mixer.draw(most, strength) for _ in range(self.plan.batch * GROUPED)]
            drawn.sort(key=lambda u: len(u.samples))
            for group in mixer.rng.permutation(GROUPED):
                part = drawn[group * self.plan.batch: (group + 1) * self.plan.batch]
                yield collate(part, full, mixer.rng)


def collate(utterances, full: bool, rng) -> dict[str, torch.Tensor]:
    """Pads utterances to the longest, or to the window, and lines up their targets.

    The first rows of `crops` `[_, LENGTH]` are the words one by one (of few shapes, like the batches),
    `places` `[words, 2]` the row and column of their targets, `owners` `[rows, positions]` one more than the word at each position, 0 for none.
    """
    longest = WINDOW if full else max(len(u.samples) for u in utterances)
    n = min(-(-longest // LENGTHS) * LENGTHS, WINDOW)
    positions = n // POSITION
    width = -(-max(len(u.tokens()) for u in utterances) // 5) * 5
    samples = np.zeros((len(utterances), n), np.float32)
    tokens = np.full((len(utterances), width), EOT)
    targets = np.full((len(utterances), width), IGNORE)
    labels = np.zeros((len(utterances), positions), np.int64)
    guide = np.zeros((len(utterances), width, positions), np.float32)
    owners = np.zeros((len(utterances), positions), np.int64)
    crops, places = [], []
    for row, u in enumerate(utterances):
        samples[row, : len(u.samples)] = u.samples
        ids = u.tokens()
        tokens[row, : len(ids)] = ids
        targets[row, : len(ids) - 1] = ids[1:]
        labels[row] = u.labels(positions)
        for word, (start, stop) in enumerate(u.spans):
            first, last = max(start // POSITION - 3, 0), stop // POSITION + 4
            guide[row, 3 * word: 3 * word + 3, first:last] = 1.0
            crops.append(crop(u, word))
            places.append((row, 3 * word + 1))
            owners[row, start // POSITION: stop // POSITION + 1] = len(crops)
    alone = np.zeros((max(-(-len(crops) // 32), 1) * 32, LENGTH), np.float32)
    for row, x in enumerate(crops):
        alone[row] = x
    return {
        "samples": torch.from_numpy(samples), "tokens": torch.from_numpy(tokens),
        "targets": torch.from_numpy(targets), "labels": torch.from_numpy(labels),
        "guide": torch.from_numpy(guide),
        "crops": torch.from_numpy(alone), "places": torch.tensor(places, dtype=torch.long).view(-1, 2),
        "owners": torch.from_numpy(owners),
        "warp": torch.from_numpy(rng.integers(0, len(WARPS), len(utterances))),
    }


def new_model(config: Config) -> Whisper:
    """A float model; timestamp embeddings start from the encoder's own positions."""
    model = Whisper(config)
    with torch.no_grad():
        stamps = model.decoder.token_embedding.weight[TIMESTAMP_FIRST:]
        every = (config.n_audio_ctx - 1) / (len(stamps) - 1)
        rows = (torch.arange(len(stamps)) * every).round().long()
        stamps.copy_(model.encoder.positional_embedding[rows] * 0.1)
    return model


class Average:
    """Exponential moving average of a model's parameters."""

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = copy.deepcopy(model).eval(), decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        for mine, theirs in zip(self.model.parameters(), model.parameters()):
            mine.lerp_(theirs.to(mine.dtype), 1 - decay)


def parameter_groups(model: Whisper, aid: nn.Module, rate: float) -> list[dict]:
    """Matrices with weight decay; embeddings, norms, biases and scales without."""
    matrices = [m.weight for m in model.modules() if hasattr(m, "effective_weight")]
    chosen = {id(p) for p in matrices}
    scales = [m.scale for m in model.linears() if m.scale.requires_grad]
    chosen |= {id(p) for p in scales}
    rest = [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]
    return [
        {"params": matrices + list(aid.parameters()), "weight_decay": 0.05, "lr": rate},
        {"params": rest, "weight_decay": 0.0, "lr": rate},
        # Scales move slower: a step of one moves a whole row.
        {"params": scales, "weight_decay": 0.0, "lr": rate * 0.2},
    ]


def fit(model: Whisper, bank: Bank, clips: list[Clip], plan: Plan, out: Path, seed: int,
        teacher: Whisper | None = None, spotter: Spotter | None = None, report=print) -> Whisper:
    """Trains `model` in place and returns its moving average, also written to `out`.

    `teacher` gives its probabilities of every token, `spotter` of the words, in the decoder's logits
    and the encoder's frame labels.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    model.to(device).train()
    if teacher is not None:
        teacher.to(device).eval()
    if spotter is not None:
        spotter.to(device).eval()
    aid = nn.Linear(model.config.n_state, len(WORDS) + 1).to(device)
    banks = torch.stack([torch.from_numpy(mel_filters(model.config.n_mels, w)) for w in WARPS])
    banks = banks.to(device)
    plain = len(WARPS) // 2
    groups = parameter_groups(model, aid, plan.rate)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    base = [group["lr"] for group in groups]
    weight = torch.ones(VOCAB, device=device)
    weight[TIMESTAMP_FIRST:] = 0.4
    average = Average(model, 0.998)
    progress = multiprocessing.Value("d", 0.0)
    loader = DataLoader(Batches(bank, clips, plan, progress, seed), batch_size=None, num_workers=1,
                        prefetch_factor=4)
    started, shown, step = time.time(), {}, 0
    for batch in loader:
        batch = {name: value.to(device, non_blocking=True) for name, value in batch.items()}
        for use in range(2):
            p = step / plan.steps
            progress.value = p
            factor = min(1.0, (step + 1) / plan.warmup, (1 - p) / 0.7 + 0.005)
            for group, lr in zip(optimiser.param_groups, base):
                group["lr"] = lr * factor
            warp = batch["warp"] if use else torch.full_like(batch["warp"], plain)
            mel = log_mel(batch["samples"], banks[warp])
            if p <= CLOSING:
                mel = spec_augment(mel)
            labels = batch["labels"]
            if spotter is not None:
                # It hears the same vocal tract as the student: a teacher must be consistent (Beyer 2022).
                row, column = batch["places"].unbind(1)
                rest = warp.new_full((len(batch["crops"]) - len(row),), plain)
                heard = spotter.probabilities(batch["crops"], banks[torch.cat([warp[row], rest])])
                heard = heard[: len(row)]
                silence = F.one_hot(torch.tensor([len(WORDS)], device=device), CLASSES).float()
                labels = torch.cat([silence, heard])[batch["owners"]].transpose(1, 2)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                features = model.encoder(mel)
                logits, attention = model.decoder(batch["tokens"], features)
                frames = aid(features)
            logits, targets = logits.float(), batch["targets"]
            loss = F.cross_entropy(logits.transpose(1, 2), targets, weight=weight,
                                   ignore_index=IGNORE, label_smoothing=0.05)
            shown["ce"] = loss.item()
            if teacher is not None:
                with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16):
                    goal, _ = teacher.decoder(batch["tokens"], teacher.encoder(mel))
                kept = targets != IGNORE
                kl = F.kl_div(logits[kept].log_softmax(-1), goal[kept].float().log_softmax(-1),
                              log_target=True, reduction="batchmean")
                loss = loss + plan.distil * kl
                shown["kl"] = kl.item()
            if spotter is not None and len(heard):
                words = F.log_softmax(logits[row, column, : len(WORDS)], -1)
                goal = F.normalize(heard[:, : len(WORDS)], p=1.0)
                kl = F.kl_div(words, goal, reduction="batchmean")
                loss = loss + plan.spotting * kl
                shown["spot"] = kl.item()
            fade = plan.aids * min(1.0, max(0.0, (0.8 - p) / 0.2))
            if fade > 0:
                label = F.cross_entropy(frames.float().transpose(1, 2), labels)
                guided = batch["guide"].amax(-1) > 0
                inside = (attention.float().mean(1) * batch["guide"]).sum(-1)[guided].clamp(min=1e-4)
                focus = -inside.log().mean() if guided.any() else loss.new_zeros(())
                loss = loss + fade * (0.5 * label + 0.3 * focus)
                shown |= {"label": label.item(), "focus": focus.item()}
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            average.update(model, step)
            step += 1
            if step % 100 == 0:
                losses = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
                spent = time.time() - started
                left = spent / step * (plan.steps - step)
                report(f"step {step}/{plan.steps}  {losses}  {spent:.0f} s, {left:.0f} s left")
            if step % 500 == 0 or step >= plan.steps:
                part = out.with_suffix(".part")
                torch.save({"config": vars(model.config), "model": average.model.state_dict(),
                            "step": step}, part)
                part.rename(out)
        if step >= plan.steps:
            break
    return average.model


def restore(path: Path) -> Whisper:
    """The float-mode model of a checkpoint written by `fit`; set its mode before use."""
    stored = torch.load(path, map_location="cpu", weights_only=True)
    model = Whisper(Config(**stored["config"] | {"dropout": Config.dropout}))
    model.load_state_dict(stored["model"])
    return model.eval()
