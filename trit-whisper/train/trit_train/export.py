"""Writes a trained spoken-words model as `.trit`."""

import struct
from pathlib import Path

import numpy as np
import torch

from . import container, tokens
from .mel import mel_filters
from .model import Whisper
from .quant import QuantLinear, ternary_codes

NAME = "words"
DESCRIPTION = (
    "Recognises 35 spoken English words: " + ", ".join(sorted(tokens.WORDS)) + "."
)
LICENSE = (
    "CC BY-SA 4.0. Trained on Speech Commands (P. Warden, CC BY 4.0), the Free Spoken Digit "
    "Dataset (Z. Jackson and contributors, CC BY-SA 4.0) and voices of espeak-ng, flite, RHVoice and "
    "Festival."
)


def rows_int8(weight: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Int8 values and row scales, as `quant.quantise_rows` rounds them."""
    weight = weight.detach().float().flatten(1)
    scale = weight.abs().amax(1, keepdim=True) / 127
    values = (weight / torch.where(scale > 0, scale, torch.ones_like(scale))).round()
    return values.clamp(-127, 127).to(torch.int8).numpy(), scale[:, 0].numpy()


def config(model: Whisper) -> bytes:
    """The entry `whisper.config`."""
    c = model.config
    threshold = struct.unpack("<I", struct.pack("<f", 0.5))[0]
    special = {text: len(tokens.WORDS) + i for i, text in enumerate(tokens.SPECIALS)}
    words = [
        c.n_mels, c.n_audio_ctx, c.n_state, c.n_head, c.n_audio_layer,
        c.n_vocab, c.n_text_ctx, c.n_state, c.n_head, c.n_text_layer,
        tokens.EOT, tokens.SOT, 0xFFFFFFFF, 0,
        special["<|translate|>"], special["<|transcribe|>"], special["<|startoflm|>"],
        special["<|startofprev|>"], special["<|nospeech|>"], special["<|notimestamps|>"],
        tokens.TIMESTAMP_FIRST, tokens.TIMESTAMP_STEP, threshold, 0, tokens.TIMESTAMPS - 1,
        1,  # it has seen no text of earlier windows
    ]
    return struct.pack("<32I", *words, *[0] * (32 - len(words)))


def token_table(table: list[bytes]) -> bytes:
    """The entry `whisper.tokens`."""
    offsets = np.concatenate([[0], np.cumsum([len(t) for t in table])]).astype("<u4")
    return struct.pack("<I", len(table)) + offsets.tobytes() + b"".join(table)


@torch.no_grad()
def export(model: Whisper, path: Path) -> int:
    """Writes `model`, in ternary mode, and returns the file's size in bytes."""
    entries = {
        "whisper.config": container.raw(config(model)),
        "whisper.tokens": container.raw(token_table(tokens.table())),
        "mel.filters": container.dense(mel_filters(model.config.n_mels)),
        "meta.name": container.raw(NAME.encode()),
        "meta.description": container.raw(DESCRIPTION.encode()),
        "meta.license": container.raw(LICENSE.encode()),
        "encoder.positional_embedding": container.dense(
            model.encoder.positional_embedding.numpy(), "f16"),
        "decoder.positional_embedding": container.dense(
            model.decoder.positional_embedding.numpy(), "f16"),
    }
    embedding = model.decoder.token_embedding.weight
    entries["decoder.token_embedding.weight"] = container.int8(
        *rows_int8(embedding), tuple(embedding.shape))
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            entries[f"{name}.weight"] = container.dense(module.weight.numpy())
            entries[f"{name}.bias"] = container.dense(module.bias.numpy())
        if not isinstance(module, QuantLinear):
            continue
        if module.bias is not None:
            entries[f"{name}.bias"] = container.dense(module.bias.numpy())
        if module.mode == "ternary":
            codes = ternary_codes(module.weight, module.rule)
            entries[f"{name}.weight"] = container.ternary(codes.numpy(), module.positive_scale()[:, 0].numpy())
        else:
            rows, k = module.weight.shape
            entries[f"{name}.weight"] = container.int8(*rows_int8(module.weight), (rows, 3, k // 3))
    return container.write(path, entries)
