"""Fake quantisation with straight-through gradients: ternary and int8 weights, int8 activations.

The forward values are what the runtime computes: ternary codes times a scale, int8 with
`scale = absmax / 127` per token or per row, rounded half to even.
"""

import torch
from torch import nn

TWN_THRESHOLD = 0.7
"""Threshold over mean |w| of Ternary Weight Networks (Li et al. 2016, eq. 6)."""


class Rows(torch.autograd.Function):
    """`quantise_rows`; written out, for the gradient needs none of its steps."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, levels: int) -> torch.Tensor:
        scale = x.abs().amax(dim=-1, keepdim=True).float().div_(levels)
        steps = x / scale.masked_fill(scale == 0, 1.0)
        return steps.round_().clamp_(-levels, levels).mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient, None


def quantise_rows(x: torch.Tensor, levels: int = 127) -> torch.Tensor:
    """`x` rounded to `levels` steps each side of zero of its last dimension's largest magnitude.

    The gradient passes straight through.
    """
    return Rows.apply(x, levels)


def ternary_codes(weight: torch.Tensor, rule: str = "twn") -> torch.Tensor:
    """Codes in {-1, 0, 1} of `weight` `[rows, k]`, row by row.

    `twn`: zero below 0.7 mean |w| (Li et al. 2016). `absmean`: round(w / mean |w|), clipped
    (BitNet b1.58, Ma et al. 2024, eq. 1).
    """
    mean = weight.abs().mean(dim=1, keepdim=True)
    if rule == "absmean":
        return (weight / mean.clamp(min=1e-8)).round().clamp(-1, 1)
    return torch.where(weight.abs() > TWN_THRESHOLD * mean, weight.sign(), torch.zeros_like(weight))


def ternary_scale(weight: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """The scale `[rows, 1]` that brings `codes` nearest to `weight` in least squares."""
    return (weight * codes).sum(1, keepdim=True) / codes.abs().sum(1, keepdim=True).clamp(min=1)


class QuantLinear(nn.Module):
    """A linear layer `[..., k] -> [..., rows]` whose arithmetic is chosen by `mode`.

    Modes: `float`; `ternary` (trained codes and learnable row scales, int8 activations);
    `ptq-ternary` (the float weights projected); `int8` and `int4` (rows rounded, int8 activations).
    """

    def __init__(self, k: int, rows: int, bias: bool = True, rule: str = "twn"):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, k))
        self.bias = nn.Parameter(torch.zeros(rows)) if bias else None
        self.scale = nn.Parameter(torch.ones(rows, 1), requires_grad=False)
        self.rule = rule
        self.mode = "float"
        nn.init.normal_(self.weight, std=k**-0.5 * 0.8)

    def start_ternary(self, trained: bool = False) -> None:
        """Begins ternary training from the float weights, or goes on with scales already `trained`."""
        if not trained:
            with torch.no_grad():
                self.scale.copy_(ternary_scale(self.weight, ternary_codes(self.weight, self.rule)))
        self.scale.requires_grad_(True)
        self.mode = "ternary"

    def positive_scale(self) -> torch.Tensor:
        """The scales that codes are multiplied with, without a sign.

        A negative one would turn a row's weights against the latent ones that gradients go to.
        """
        return self.scale.abs()

    def effective_weight(self) -> torch.Tensor:
        """The weight the forward pass multiplies with."""
        w = self.weight
        if self.mode == "float":
            return w
        if self.mode == "int8":
            return quantise_rows(w, 127)
        if self.mode == "int4":
            return quantise_rows(w, 7)
        codes = ternary_codes(w.detach(), self.rule)
        if self.mode == "ptq-ternary":
            return codes * ternary_scale(w, codes)
        return self.positive_scale() * codes + (w - w.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mode != "float":
            x = quantise_rows(x)
        return nn.functional.linear(x, self.effective_weight(), self.bias)
