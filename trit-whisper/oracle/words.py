"""Words and their times by openai-whisper's own code, for the tests of align.rs and words.rs.

    python words.py FIXTURES            writes FIXTURES/words.json: texts, splits, warped matrices
    python words.py FIXTURES MODEL …    and MODEL/words.json: the words of a model made by make.py

openai-whisper (`pip install openai-whisper`) is loaded with the weights of the Hugging Face directory
MODEL and aligns tokens, of which the first half is one segment and the rest another, with the mel of
`expected.safetensors`.
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import whisper
from safetensors.torch import load_file
from whisper import timing
from whisper.model import ModelDimensions, Whisper
from whisper.tokenizer import get_tokenizer

TEXTS = [
    ("en", " And so, my fellow Americans: ask not what your country can do for you."),
    ("en", " He said \"no\" (twice!) - then... left. It's $3.50, isn't it?"),
    ("en", "  two  spaces\n\nand lines , and a - dash"),
    ("de", " Über den Wolken – „muss die Freiheit“ wohl grenzenlos sein."),
    ("es", " ¿Qué hora es? ¡Las tres!"),
    ("fr", " L'été, c'est l'Œuvre à 20 % : voilà !"),
    ("zh", "你好，世界。今天天气很好！"),
    ("ja", "こんにちは、元気ですか？「はい」と言った。"),
    ("th", "สวัสดีชาวโลก"),
    ("ko", " 안녕하세요, 세계!"),
    ("ru", " Привет, мир! Как дела?"),
    ("ar", " مرحبا بالعالم، كيف حالك؟"),
    ("hi", " नमस्ते दुनिया।"),
    ("en", " emoji 🎉🎉 and 𝒜 letters"),
]
RENAMED = [
    ("model.", ""), ("encoder.embed_positions.weight", "encoder.positional_embedding"),
    ("decoder.embed_positions.weight", "decoder.positional_embedding"),
    ("decoder.embed_tokens", "decoder.token_embedding"), (".layers.", ".blocks."),
    (".encoder_attn_layer_norm.", ".cross_attn_ln."), (".self_attn_layer_norm.", ".attn_ln."),
    (".final_layer_norm.", ".mlp_ln."), (".encoder_attn.", ".cross_attn."), (".self_attn.", ".attn."),
    (".q_proj.", ".query."), (".k_proj.", ".key."), (".v_proj.", ".value."), (".out_proj.", ".out."),
    (".fc1.", ".mlp.0."), (".fc2.", ".mlp.2."), ("encoder.layer_norm.", "encoder.ln_post."),
    ("decoder.layer_norm.", "decoder.ln."),
]


def rename(name: str) -> str:
    for old, new in RENAMED:
        name = name.replace(old, new)
    return name


def split(language: str, text: str, cut: int) -> dict:
    """How a text, without its last `cut` tokens, parts into words and where punctuation goes."""
    tokenizer = get_tokenizer(True, language=language, task="transcribe")
    tokens = tokenizer.encode(text)
    tokens = tokens[:len(tokens) - cut]
    _, words = tokenizer.split_to_word_tokens(tokens + [tokenizer.eot])
    words = words[:-1]
    alignment = [timing.WordTiming(tokenizer.decode(w), list(w), 0, 0, 0) for w in words]
    timing.merge_punctuations(alignment, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    return {
        "language": language,
        "tokens": [tokenizer.encoding.decode_single_token_bytes(token).hex() for token in tokens],
        "words": [len(word) for word in words],
        "merged": [len(word.tokens) for word in alignment],
    }


def warp(tokens: int, frames: int, steps: int) -> dict:
    """The first frame of each token on the cheapest path through a matrix of `steps` values, which a
    linear congruential generator makes column by column."""
    state, cost = tokens * frames, np.zeros((tokens, frames))
    for frame in range(frames):
        for token in range(tokens):
            state = (state * 1664525 + 1013904223) % 2**32
            cost[token, frame] = -((state >> 16) % steps) / steps
    text, time = timing.dtw_cpu(cost)
    first = [int(time[text == token][0]) for token in range(tokens)]
    return {"tokens": tokens, "frames": frames, "steps": steps, "first": first}


def load(folder: Path) -> Whisper:
    config = json.loads((folder / "config.json").read_text())
    model = Whisper(ModelDimensions(
        n_mels=config["num_mel_bins"], n_audio_ctx=config["max_source_positions"],
        n_audio_state=config["d_model"], n_audio_head=config["encoder_attention_heads"],
        n_audio_layer=config["encoder_layers"], n_vocab=config["vocab_size"],
        n_text_ctx=config["max_target_positions"], n_text_state=config["d_model"],
        n_text_head=config["decoder_attention_heads"], n_text_layer=config["decoder_layers"],
    ))
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({rename(name): weight.float() for name, weight in weights.items()})
    generation = folder / "generation_config.json"
    if generation.exists():
        heads = torch.zeros(model.dims.n_text_layer, model.dims.n_text_head, dtype=torch.bool)
        for layer, head in json.loads(generation.read_text())["alignment_heads"]:
            heads[layer, head] = True
        model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()


def words(folder: Path) -> dict:
    """Word times of one window."""
    model = load(folder)
    eot = json.loads((folder / "config.json").read_text())["eos_token_id"]
    texts = [token["content"] for token in
             json.loads((folder / "tokenizer.json").read_text())["added_tokens"]]
    special = {text: eot + index for index, text in enumerate(texts)}
    sot = [special["<|startoftranscript|>"], special["<|en|>"], special["<|transcribe|>"]]
    expected = load_file(folder / "expected.safetensors")
    mel = expected["mel"].T.contiguous()
    frames = min(expected["samples"].numel() // 160, mel.shape[1])
    count = min(60, model.dims.n_text_ctx // 2)
    rng = np.random.default_rng(3)
    tokens = [int(token) for token in rng.integers(0, eot, count)]
    # Every token of these models begins with a space, and so is a word.
    tokenizer = SimpleNamespace(
        sot_sequence=sot, no_timestamps=special["<|notimestamps|>"], eot=eot,
        split_to_word_tokens=lambda tokens: ([f" {t}" for t in tokens], [[t] for t in tokens]))
    captured = []
    original = timing.dtw
    timing.dtw = lambda x: captured.append(original(x)) or captured[-1]
    aligned = timing.find_alignment(model, tokenizer, tokens, mel, frames)
    half, seek = count // 2, 100
    end = frames / 100
    segments = [
        {"seek": seek, "start": 1.0, "end": 1.0 + end / 2, "tokens": tokens[:half]},
        {"seek": seek, "start": 1.0 + end / 2, "end": 1.0 + end, "tokens": tokens[half:]},
    ]
    timing.add_word_timestamps(segments=segments, model=model, tokenizer=tokenizer, mel=mel,
                               num_frames=frames, last_speech_timestamp=0.0)
    text, time = captured[0]
    return {
        "tokens": tokens, "half": half, "frames": frames,
        "first": [int(time[text == token][0]) for token in range(count + 1)],
        "probabilities": [word.probability for word in aligned],
        "segments": [
            {"start": s["start"], "end": s["end"],
             "words": [[w["start"], w["end"]] for w in s["words"]]} for s in segments
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixtures", type=Path)
    parser.add_argument("models", type=Path, nargs="*")
    arguments = parser.parse_args()
    whisper.torch.manual_seed(0)
    fixture = {
        "splits": [split(language, text, cut) for language, text in TEXTS for cut in (0, 1)],
        "warps": [warp(5, 40, 65536), warp(40, 300, 65536), warp(30, 20, 65536), warp(1, 9, 4),
                  warp(12, 90, 2), warp(25, 200, 4)],
    }
    (arguments.fixtures / "words.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    for folder in arguments.models:
        (folder / "words.json").write_text(json.dumps(words(folder), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
