"""Quantisation-aware training of a real Whisper from Hugging Face.

`ternarise` replaces the linear layers of a `WhisperForConditionalGeneration` by `BitLinear`, with
scales started from the activations that `calibrate` saw; `loss` is what a step minimises against
the float model; `save` writes a Hugging Face directory whose linear weights are exactly trits times
scales, which `trit-whisper convert --ternary exact --group N` takes over without rounding.
"""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from .quant import TWN_THRESHOLD, quantise_rows

LINEARS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
TEMPERATURE = 2.0


class BitLinear(nn.Module):
    """A linear layer with weights in {-1, 0, 1} times a learnable scale per row and group.

    `moments` `[k]` are mean squares of the layer's inputs: the scales start where they lose least
    of the output, that is by projection weighted with them.
    """

    def __init__(self, linear: nn.Linear, group: int, moments: torch.Tensor | None = None):
        super().__init__()
        rows, k = linear.weight.shape
        if k % group:
            raise ValueError(f"{k} inputs are not whole groups of {group}")
        self.group = group
        self.in_features, self.out_features = k, rows
        self.weight = nn.Parameter(linear.weight.detach().clone())
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())
        importance = torch.ones(k) if moments is None else moments.detach().float()
        importance = importance.to(linear.weight.device).view(1, -1, group)
        w = self.weight.detach().view(rows, -1, group)
        codes = torch.where(w.abs() > TWN_THRESHOLD * w.abs().mean(-1, keepdim=True), w.sign(), 0.0)
        for _ in range(4):
            # The best scale for the codes, then the best codes for the scale.
            scale = (importance * w * codes).sum(-1, keepdim=True)
            scale = scale / (importance * codes.abs()).sum(-1, keepdim=True).clamp(min=1e-8)
            codes = (w / scale.clamp(min=1e-8)).round().clamp(-1, 1)
        self.scale = nn.Parameter(scale)

    def positive_scale(self) -> torch.Tensor:
        """The scales `[rows, k / group, 1]` without a sign, as in `QuantLinear`."""
        return self.scale.abs()

    def codes(self) -> torch.Tensor:
        """The trits, `[rows, k / group, group]`."""
        w = self.weight.detach().view(self.out_features, -1, self.group)
        return (w / self.positive_scale().detach().clamp(min=1e-8)).round().clamp(-1, 1)

    def effective_weight(self) -> torch.Tensor:
        """The weight that is multiplied with, `[rows, k]`; gradients reach weight and scale."""
        w = self.weight.view(self.out_features, -1, self.group)
        return (self.positive_scale() * self.codes() + (w - w.detach())).flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(quantise_rows(x), self.effective_weight(), self.bias)


def layers(model: nn.Module, kind: type) -> dict[str, nn.Module]:
    """The linear layers of the blocks, by name, that are of a class."""
    return {name: module for name, module in model.named_modules()
            if isinstance(module, kind) and name.rsplit(".", 1)[-1] in LINEARS}


@torch.no_grad()
def calibrate(model: nn.Module, batches: Iterable[dict]) -> dict[str, torch.Tensor]:
    """Mean square of each input of each linear layer over `batches` of model arguments."""
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def watch(name: str) -> Callable:
        def hook(_module, inputs):
            x = inputs[0].detach().float().flatten(0, -2)
            sums[name] = sums.get(name, 0) + x.square().sum(0)
            counts[name] = counts.get(name, 0) + len(x)
        return hook

    hooks = [m.register_forward_pre_hook(watch(n)) for n, m in layers(model, nn.Linear).items()]
    for batch in batches:
        model(**of_type(batch, model))
    for hook in hooks:
        hook.remove()
    return {name: total / counts[name] for name, total in sums.items()}


def ternarise(model: nn.Module, group: int, moments: dict[str, torch.Tensor] | None = None) -> nn.Module:
    """A copy of `model` in f32 whose blocks have `BitLinear` layers; head, convolutions and norms stay.

    Latent weights and scales of half precision would not move by steps as small as the last ones.
    """
    student = copy.deepcopy(model).float()
    for name, linear in layers(student, nn.Linear).items():
        parent = student.get_submodule(name.rsplit(".", 1)[0])
        bit = BitLinear(linear, group, None if moments is None else moments.get(name))
        setattr(parent, name.rsplit(".", 1)[-1], bit)
    return student


def parameter_groups(student: nn.Module, rate: float) -> list[dict]:
    """Latent weights at `rate`; scales and everything float at a fifth, scales without decay."""
    bits = [m for m in student.modules() if isinstance(m, BitLinear)]
    latent = [m.weight for m in bits]
    scales = [m.scale for m in bits]
    known = {id(p) for p in latent + scales}
    rest = [p for p in student.parameters() if id(p) not in known and p.requires_grad]
    return [
        {"params": latent, "lr": rate, "weight_decay": 0.01},
        {"params": scales, "lr": rate * 0.2, "weight_decay": 0.0},
        {"params": rest, "lr": rate * 0.2, "weight_decay": 0.01},
    ]


def of_type(batch: dict, model: nn.Module) -> dict:
    """The arguments with their floats in the model's type."""
    return {name: value.to(model.dtype) if value.is_floating_point() else value
            for name, value in batch.items()}


def loss(student: nn.Module, teacher: nn.Module, batch: dict) -> torch.Tensor:
    """Cross-entropy, KL divergence from the teacher at temperature 2, and the difference of the
    encoders' outputs relative to the teacher's size. The teacher may be of half precision."""
    mine = student(**of_type(batch, student))
    with torch.no_grad():
        theirs = teacher(**of_type(batch, teacher))
    kept = batch["labels"] != -100
    log_mine = (mine.logits[kept] / TEMPERATURE).log_softmax(-1)
    log_theirs = (theirs.logits[kept].float() / TEMPERATURE).log_softmax(-1)
    kl = F.kl_div(log_mine, log_theirs, log_target=True, reduction="batchmean") * TEMPERATURE**2
    goal = theirs.encoder_last_hidden_state.float()
    feature = F.mse_loss(mine.encoder_last_hidden_state, goal) / goal.square().mean()
    return mine.loss + kl + feature


@torch.no_grad()
def save(student: nn.Module, folder: Path) -> None:
    """Writes a Hugging Face directory with the trained codes times scales as f32 weights.

    Latent weights are never projected again: what is written is what the forward pass used.
    """
    plain = copy.deepcopy(student)
    for name, bit in layers(plain, BitLinear).items():
        linear = nn.Linear(bit.in_features, bit.out_features, bias=bit.bias is not None)
        linear.weight.copy_((bit.positive_scale() * bit.codes()).flatten(1))
        if bit.bias is not None:
            linear.bias.copy_(bit.bias)
        setattr(plain.get_submodule(name.rsplit(".", 1)[0]), name.rsplit(".", 1)[-1], linear)
    plain.float().save_pretrained(folder, safe_serialization=True)
