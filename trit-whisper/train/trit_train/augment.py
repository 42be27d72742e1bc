"""Augmentation of log-mel spectrograms: vocal tracts and masks."""

import numpy as np
import torch

WARPS = np.linspace(0.84, 1.16, 9)
"""Vocal-tract length perturbation, ±16 %: a mel filter bank for each."""


def spec_augment(mel: torch.Tensor) -> torch.Tensor:
    """Masks bands and stretches of time with the mean (Park 2019).

    Two bands of up to 14 mels, and every 0.75 s a stretch of up to 14 frames.
    """
    rows, frames, mels = mel.shape

    def masks(size: int, count: int) -> torch.Tensor:
        width = torch.randint(0, 15, (rows, count, 1), device=mel.device)
        start = (torch.rand(rows, count, 1, device=mel.device) * (size - width)).long()
        at = torch.arange(size, device=mel.device)
        return ((at >= start) & (at < start + width)).any(1)

    hidden = masks(frames, frames // 75)[:, :, None] | masks(mels, 2)[:, None, :]
    return torch.where(hidden, mel.mean(dim=(1, 2), keepdim=True), mel)
