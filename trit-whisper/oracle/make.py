"""Makes randomly initialised Whisper models with Hugging Face transformers, and what they compute.

    python make.py OUT [--size test|tiny|base|small] [--kind dense|ternary]

writes a Hugging Face directory with `expected.safetensors` beside the model: the samples, log-mel,
encoder output, the tokens fed to the decoder, their logits, and the greedy continuation.

Library defaults leave biases at 0, gains at 1 and attention flat, so that a dropped bias or a wrong
scale changes nothing. Here biases and gains are random and attention has peaks. In the ternary kind
every linear weight of the blocks is a trit times a scale per row, exactly.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

SIZES = {  # width, heads, blocks, mels, audio positions, decoder positions, vocabulary
    "test": (24, 2, 2, 16, 40, 24, 60),
    "tiny": (384, 6, 4, 80, 1500, 448, 51865),
    "base": (512, 8, 6, 80, 1500, 448, 51865),
    "small": (768, 12, 12, 80, 1500, 448, 51865),
}
SPECIALS = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
]
LANGUAGES = 99


def specials(vocabulary: int) -> tuple[int, list[str]]:
    """Id of `<|endoftext|>` and the texts from there on, without the timestamps."""
    if vocabulary < 50_000:
        return 30, SPECIALS
    codes = [f"<|l{i}|>" for i in range(LANGUAGES)]
    codes[:2] = ["<|en|>", "<|zh|>"]
    return 50_257, SPECIALS[:2] + codes + SPECIALS[4:]


def tokenizer(vocabulary: int) -> dict:
    """A tokenizer.json with single characters and the special tokens."""
    eot, texts = specials(vocabulary)
    return {
        "model": {"type": "BPE", "vocab": {f"\u0120{i}": i for i in range(eot)}, "merges": []},
        "added_tokens": [{"id": eot + i, "content": text} for i, text in enumerate(texts)],
    }


@torch.no_grad()
def randomise(model: WhisperForConditionalGeneration, ternary: bool, seed: int) -> None:
    """Gives every parameter a value that matters."""
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=g)
        if "layer_norm" in name or "layernorm" in name:
            p.copy_(1 + 0.2 * noise if name.endswith("weight") else 0.2 * noise)
        elif name.endswith("bias"):
            p.copy_(0.2 * noise)
        elif "embed_positions" in name:
            if "decoder" in name:
                p.copy_(0.3 * noise)
        elif "embed_tokens" in name or "proj_out" in name:
            p.copy_(noise * 1.5 / p.shape[1] ** 0.5)
        else:
            k = p[0].numel()
            # Peaked attention: queries and keys larger than a plain initialisation's.
            gain = 2.0 if "q_proj" in name or "k_proj" in name else 1.0
            if ternary and p.dim() == 2:
                codes = torch.randint(-1, 2, p.shape, generator=g).float()
                scale = gain * 1.2 / k**0.5 * (0.5 + torch.rand(p.shape[0], 1, generator=g))
                p.copy_(codes * scale)
            else:
                p.copy_(gain * noise / k**0.5)


def speechlike(n: int) -> np.ndarray:
    """Something with harmonics, pauses and noise, the same everywhere."""
    rng = np.random.default_rng(5)
    t = np.arange(n) / 16_000
    voice = sum(np.sin(2 * np.pi * f * t + np.sin(3 * t)) / (i + 1)
                for i, f in enumerate([140, 280, 560, 1150, 2300, 3900]))
    return (0.2 * voice * np.maximum(0, np.sin(5 * t)) + 0.01 * rng.standard_normal(n)).astype("f4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="test")
    parser.add_argument("--kind", choices=["dense", "ternary"], default="dense")
    parser.add_argument("--half", action="store_true", help="store weights in f16")
    arguments = parser.parse_args()
    width, heads, blocks, mels, audio, text, vocabulary = SIZES[arguments.size]
    eot, texts = specials(vocabulary)
    config = WhisperConfig(
        d_model=width, encoder_layers=blocks, decoder_layers=blocks, encoder_attention_heads=heads,
        decoder_attention_heads=heads, encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        num_mel_bins=mels, max_source_positions=audio, max_target_positions=text,
        vocab_size=vocabulary, pad_token_id=eot, bos_token_id=eot, eos_token_id=eot,
        decoder_start_token_id=eot + 1, suppress_tokens=[], begin_suppress_tokens=[],
    )
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).eval()
    randomise(model, arguments.kind == "ternary", seed=1)
    if arguments.half:
        model.half().float()

    samples = speechlike(audio * 320 - 4000)
    extractor = WhisperFeatureExtractor(feature_size=mels, chunk_length=1)
    extractor.n_samples, extractor.nb_max_frames = audio * 320, audio * 2
    mel = extractor(samples, sampling_rate=16_000, return_tensors="pt", padding="max_length",
                    max_length=audio * 320).input_features
    assert mel.shape[-1] == 2 * audio, mel.shape
    with torch.no_grad():
        encoded = model.model.encoder(mel).last_hidden_state
        ids = torch.tensor([[eot + 1]])
        for _ in range(min(20, text - 2)):
            logits = model(encoder_outputs=(encoded,), decoder_input_ids=ids).logits
            ids = torch.cat([ids, logits[:, -1:].argmax(-1)], 1)
        logits = model(encoder_outputs=(encoded,), decoder_input_ids=ids[:, :-1]).logits

    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = {name: (p.half() if arguments.half else p).contiguous().clone()
               for name, p in model.state_dict().items() if name != "proj_out.weight"}
    save_file(weights, arguments.out / "model.safetensors")
    (arguments.out / "config.json").write_text(json.dumps(config.to_dict(), indent=1))
    (arguments.out / "tokenizer.json").write_text(json.dumps(tokenizer(vocabulary)))
    save_file({
        "samples": torch.from_numpy(samples), "mel": mel[0].T.contiguous(),
        "encoded": encoded[0].contiguous(), "tokens": ids[0, :-1].int().contiguous(),
        "next": ids[0, 1:].int().contiguous(), "logits": logits[0].contiguous(),
    }, arguments.out / "expected.safetensors")
    size = sum(f.stat().st_size for f in arguments.out.iterdir())
    print(f"{arguments.out}: {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
