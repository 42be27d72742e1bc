"""Whisper's architecture with quantisable layers; parameter names are OpenAI's."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .quant import QuantLinear, quantise_rows


@dataclass
class Config:
    """Dimensions; names as in Whisper."""

    n_mels: int = 80
    n_audio_ctx: int = 300
    n_audio_layer: int = 4
    n_state: int = 160
    n_head: int = 5
    n_text_ctx: int = 64
    n_text_layer: int = 2
    n_vocab: int = 0
    dropout: float = 0.1


def sinusoids(length: int, channels: int) -> torch.Tensor:
    """Whisper's encoder positions `[length, channels]`."""
    rate = torch.exp(-torch.log(torch.tensor(10000.0)) / (channels // 2 - 1)
                     * torch.arange(channels // 2))
    angle = torch.arange(length)[:, None] * rate[None]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Conv(QuantLinear):
    """Convolution of kernel 3 and padding 1, as a linear layer over patches of 3 time steps.

    Weight `[rows, 3 * channels]`, tap-major, as the runtime keeps it.
    """

    def __init__(self, channels: int, rows: int, stride: int):
        super().__init__(3 * channels, rows)
        self.stride = stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = F.pad(x, (0, 0, 1, 1)).unfold(1, 3, self.stride).transpose(2, 3)
        return super().forward(patches.flatten(2))


class Attention(nn.Module):
    """Multi-head attention; returns the attention weights of every head as well.

    Written out, because PyTorch's fused attention is several times slower backwards on a CPU.
    """

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = QuantLinear(d, d)
        self.key = QuantLinear(d, d, bias=False)
        self.value = QuantLinear(d, d)
        self.out = QuantLinear(d, d)

    def forward(self, x, source=None, causal=False):
        source = x if source is None else source

        def split(y):
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(source)), split(self.value(source))
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        if causal:
            ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
            scores = scores.masked_fill(ahead, -torch.inf)
        attention = scores.softmax(-1, dtype=scores.dtype)
        y = (attention @ v).transpose(1, 2).flatten(2)
        return self.out(y), attention


class Block(nn.Module):
    """A pre-norm transformer block, with cross-attention in the decoder."""

    def __init__(self, d: int, heads: int, cross: bool, dropout: float):
        super().__init__()
        self.attn, self.attn_ln = Attention(d, heads), nn.LayerNorm(d)
        self.cross_attn = Attention(d, heads) if cross else None
        self.cross_attn_ln = nn.LayerNorm(d) if cross else None
        self.mlp = nn.Sequential(QuantLinear(d, 4 * d), nn.GELU(), QuantLinear(4 * d, d))
        self.mlp_ln = nn.LayerNorm(d)
        self.dropout = dropout

    def drop(self, x):
        """Drops channels of an utterance for all its positions (Gal and Ghahramani 2016)."""
        return x * F.dropout(torch.ones_like(x[:, :1]), self.dropout, self.training)

    def forward(self, x, source=None):
        x = x + self.drop(self.attn(self.attn_ln(x), causal=source is not None)[0])
        attention = None
        if source is not None:
            y, attention = self.cross_attn(self.cross_attn_ln(x), source)
            x = x + self.drop(y)
        return x + self.drop(self.mlp(self.mlp_ln(x))), attention


class Encoder(nn.Module):
    """Log-mel `[batch, frames, n_mels]` to audio features `[batch, frames / 2, d]`."""

    def __init__(self, c: Config):
        super().__init__()
        d = c.n_state
        self.conv1, self.conv2 = Conv(c.n_mels, d, 1), Conv(d, d, 2)
        self.register_buffer("positional_embedding", sinusoids(c.n_audio_ctx, d).half().float())
        self.blocks = nn.ModuleList(
            Block(d, c.n_head, False, c.dropout) for _ in range(c.n_audio_layer))
        self.ln_post = nn.LayerNorm(d)

    def forward(self, mel):
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel))))
        x = x + self.positional_embedding[: x.shape[1]]
        for block in self.blocks:
            x, _ = block(x)
        return self.ln_post(x)


class Decoder(nn.Module):
    """Tokens `[batch, n]` and audio features to logits `[batch, n, n_vocab]`."""

    def __init__(self, c: Config):
        super().__init__()
        d = c.n_state
        self.token_embedding = nn.Embedding(c.n_vocab, d)
        self.positional_embedding = nn.Parameter(torch.randn(c.n_text_ctx, d) * 0.02)
        self.blocks = nn.ModuleList(
            Block(d, c.n_head, True, c.dropout) for _ in range(c.n_text_layer))
        self.ln = nn.LayerNorm(d)
        self.mode = "float"
        nn.init.normal_(self.token_embedding.weight, std=0.05)

    def embedding(self) -> torch.Tensor:
        """The tied embedding and head `[n_vocab, d]`, int8 per row unless the mode is float."""
        weight = self.token_embedding.weight
        return weight if self.mode == "float" else quantise_rows(weight)

    def forward(self, tokens, features):
        weight = self.embedding()
        positions = self.positional_embedding
        if self.mode != "float":
            positions = positions + (positions.half().float() - positions).detach()
        x = F.embedding(tokens, weight) + positions[: tokens.shape[1]]
        attention = None
        for block in self.blocks:
            x, attention = block(x, features)
        x = self.ln(x)
        return F.linear(x if self.mode == "float" else quantise_rows(x), weight), attention


class Whisper(nn.Module):
    """The whole network; `set_mode` chooses the arithmetic of all its layers."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def linears(self):
        """The quantisable linear layers of the blocks (convolutions not among them)."""
        return [m for m in self.modules() if isinstance(m, QuantLinear) and not isinstance(m, Conv)]

    def set_mode(self, mode: str, trained: bool = False) -> None:
        """`mode` for the linear layers; convolutions and embedding are int8 unless it is float.

        Ternary scales start from the float weights, or are kept where they are already `trained`.
        """
        for layer in self.linears():
            if mode == "ternary":
                layer.start_ternary(trained)
            else:
                layer.mode = mode
        edge = "float" if mode == "float" else "int8"
        self.encoder.conv1.mode = self.encoder.conv2.mode = self.decoder.mode = edge
