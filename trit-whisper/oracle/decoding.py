"""What openai-whisper decodes with the tiny dense model, for tests/decoding.rs.

    python decoding.py ../tests/fixtures/dense

reads the Hugging Face model of make.py there, makes its end likelier, and writes `decoding.json` beside it: sequences of single
windows under many options, and segments of whole transcriptions. All decoding is openai-whisper's own
code; replaced are the tokenizer, the length of a window, and the log-mel, which is computed for each
window by itself as on a device that has not heard the rest.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from whisper import decoding
from safetensors.torch import load_file
from transformers import WhisperFeatureExtractor
from whisper.model import ModelDimensions, Whisper

# `whisper.transcribe` is the function of that name in the module of that name.
transcription = importlib.import_module("whisper.transcribe")

EOT, SOT, LANGUAGES = 30, 31, {"en": 32, "de": 33}
TRANSLATE, TRANSCRIBE, SOT_LM, SOT_PREV, NO_SPEECH, NO_TIMESTAMPS, FIRST_TIMESTAMP = range(34, 41)
CONTEXT, VOCABULARY = 40, 60
OFTEN = 11
FRAMES = 2 * CONTEXT


class Tokenizer:
    """What openai-whisper asks of its tokenizer, over the tokens of make.py."""

    eot, sot, sot_lm, sot_prev, no_speech = EOT, SOT, SOT_LM, SOT_PREV, NO_SPEECH
    no_timestamps, timestamp_begin = NO_TIMESTAMPS, FIRST_TIMESTAMP
    transcribe, translate = TRANSCRIBE, TRANSLATE
    all_language_tokens, all_language_codes = tuple(LANGUAGES.values()), tuple(LANGUAGES)

    def __init__(self, language: str, task: str):
        self.language, self.language_token = language, LANGUAGES[language]
        self.sot_sequence = (SOT, self.language_token, TRANSCRIBE if task == "transcribe" else TRANSLATE)
        self.sot_sequence_including_notimestamps = (*self.sot_sequence, NO_TIMESTAMPS)

    def encode(self, text: str) -> list[int]:
        return [int(word) for word in text.split()]

    def decode(self, tokens: list[int]) -> str:
        return "".join(f" {token}" for token in tokens if token < EOT)


def get_tokenizer(multilingual, *, num_languages=2, language=None, task=None) -> Tokenizer:
    return Tokenizer(language or "en", task or "transcribe")


def audio(seed: int, frames: int) -> np.ndarray:
    """Bursts of a chirp and noise, in integers, so that it is the same everywhere."""
    t = np.arange(frames * 160, dtype=np.uint64)
    chirp = (t * t // np.uint64(97 + seed) + t * np.uint64(211 * seed)) & np.uint64(0xFFFF)
    noise = (t * np.uint64(1103515245) + np.uint64(seed)) * np.uint64(2654435761) >> np.uint64(16)
    noise &= np.uint64(0x0FFF)
    loud = (t // np.uint64(1200 + 100 * seed)) % np.uint64(3)
    wave = (chirp.astype(np.int64) - 32768) * loud.astype(np.int64) + noise.astype(np.int64)
    return (wave / 2.0**18).astype(np.float32)


def log_mel(samples: np.ndarray) -> torch.Tensor:
    """[mels, FRAMES] of a window."""
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=1)
    extractor.n_samples, extractor.nb_max_frames = FRAMES * 160, FRAMES
    return extractor(samples, sampling_rate=16_000, return_tensors="pt", padding="max_length",
                     max_length=FRAMES * 160).input_features[0]


def load(folder: Path) -> Whisper:
    names = [("model.", ""), ("embed_positions.weight", "positional_embedding"), ("layers.", "blocks."),
             ("encoder_attn_layer_norm", "cross_attn_ln"), ("encoder_attn", "cross_attn"),
             ("self_attn_layer_norm", "attn_ln"), ("self_attn", "attn"), ("final_layer_norm", "mlp_ln"),
             ("encoder.layer_norm", "encoder.ln_post"), ("decoder.layer_norm", "decoder.ln"),
             ("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("out_proj", "out"),
             ("fc1", "mlp.0"), ("fc2", "mlp.2"), ("embed_tokens", "token_embedding")]
    weights = {}
    for name, value in load_file(folder / "model.safetensors").items():
        for theirs, ours in names:
            name = name.replace(theirs, ours)
        weights[name] = value.float()
    # The random model hardly ever ends: let the end take the place of a token that often is likely.
    embedding = weights["decoder.token_embedding.weight"]
    embedding[EOT] = embedding[OFTEN]
    Whisper.is_multilingual = property(lambda model: True)
    Whisper.num_languages = property(lambda model: len(LANGUAGES))
    model = Whisper(ModelDimensions(16, CONTEXT, 24, 2, 2, VOCABULARY, 24, 24, 2, 2)).eval()
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"decoder.mask"}, (missing, unexpected)
    return model


def patch(samples: np.ndarray) -> None:
    """Makes openai-whisper see windows of FRAMES frames of `samples`."""
    decoding.get_tokenizer = transcription.get_tokenizer = get_tokenizer
    # A timestamp is 20 ms, as in the real models.
    decoding.CHUNK_LENGTH = CONTEXT * 0.02
    transcription.N_FRAMES = FRAMES
    transcription.N_SAMPLES = FRAMES * 160
    # A log-mel that says where its frames are, until a window is cut out of it.
    transcription.log_mel_spectrogram = lambda audio, *rest, **more: torch.arange(
        len(audio) // 160 + FRAMES).float()[None]

    def window(mel: torch.Tensor, length: int) -> torch.Tensor:
        first = int(mel[0, 0])
        frames = min(mel.shape[-1], len(samples) // 160 - first)
        return log_mel(samples[first * 160:(first + min(frames, length)) * 160])

    transcription.pad_or_trim = window


# openai-whisper lets language tokens pass within a text, and without timestamps these and the token
# that says so.
SUPPRESSED = [*LANGUAGES.values(), OFTEN]
WITHOUT = [*SUPPRESSED, NO_TIMESTAMPS, *range(FIRST_TIMESTAMP, VOCABULARY)]

WINDOWS = [
    {}, {"task": "translate"}, {"language": "de"}, {"sample_len": 5}, {"max_initial_timestamp": 0.1},
    {"without_timestamps": True, "suppress_tokens": WITHOUT},
    {"suppress_tokens": SUPPRESSED + [2, 5, 17, 23, 29]}, {"beam_size": 4, "suppress_tokens": SUPPRESSED + [17]},
    {"prompt": [3, 14, 15, 9]}, {"prompt": list(range(20))}, {"prefix": [7, 8]},
    {"prompt": [1, 2, 3, 4, 5, 6, 7], "prefix": [26, 5, 3]},
    {"beam_size": 1}, {"beam_size": 2}, {"beam_size": 3}, {"beam_size": 5}, {"beam_size": 8},
    {"beam_size": 5, "patience": 2.0}, {"beam_size": 3, "patience": 0.5},
    {"beam_size": 5, "patience": 0.2}, {"beam_size": 2, "patience": 3.0},
    {"beam_size": 4, "length_penalty": 0.0}, {"beam_size": 4, "length_penalty": 0.6},
    {"beam_size": 4, "length_penalty": 1.0}, {"beam_size": 5, "prompt": [12, 13, 14], "prefix": [4]},
    {"beam_size": 5, "without_timestamps": True, "suppress_tokens": WITHOUT},
    {"beam_size": 3, "language": "de", "task": "translate", "max_initial_timestamp": 0.06},
]
COLD = 1e-5  # Draws the likeliest token, but is no longer temperature 0.
TRANSCRIPTIONS = [
    {}, {"condition_on_previous_text": False}, {"initial_prompt": "4 8 15 16 23"},
    {"initial_prompt": "4 8 15 16 23", "carry_initial_prompt": True}, {"beam_size": 4},
    {"temperature": [0.0, COLD], "logprob_threshold": -1.5},
    {"temperature": [0.0, COLD], "logprob_threshold": -2.2, "beam_size": 3},
    {"temperature": [0.0, COLD], "compression_ratio_threshold": 0.95, "logprob_threshold": None},
    {"temperature": [0.0, COLD, 0.0], "logprob_threshold": -1.8, "no_speech_threshold": 0.005},
    {"no_speech_threshold": 0.01, "logprob_threshold": -1.7},
    {"no_speech_threshold": 0.01, "logprob_threshold": None},
    {"clip_timestamps": [0.32, 1.6], "language": "de"},
    {"without_timestamps": True, "suppress_tokens": WITHOUT},
]


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    model = load(folder)
    windows, transcriptions, languages = [], [], []
    for seed in range(1, 5):
        samples = audio(seed, FRAMES - 7 * seed)
        patch(samples)
        features = model.encoder(log_mel(samples)[None])[0]
        _, probabilities = model.detect_language(features[None])
        languages.append({"seed": seed, "frames": FRAMES - 7 * seed, "probabilities": probabilities[0]})
        for options in WINDOWS:
            given = {"language": "en", "suppress_tokens": SUPPRESSED, "fp16": False, **options}
            given["suppress_tokens"] = [*given["suppress_tokens"]]  # It is extended in place.
            result = decoding.decode(model, features, decoding.DecodingOptions(**given))
            windows.append({
                "seed": seed, "frames": FRAMES - 7 * seed, "options": options, "tokens": result.tokens,
                "avg_logprob": result.avg_logprob, "no_speech_prob": result.no_speech_prob,
                "compression_ratio": result.compression_ratio,
            })
    for seed in 1, 2:
        samples = audio(seed, 240)
        patch(samples)
        for options in TRANSCRIPTIONS:
            given = {"suppress_tokens": SUPPRESSED, "temperature": [0.0], "fp16": False, **options}
            given["suppress_tokens"] = [*given["suppress_tokens"]]
            result = transcription.transcribe(model, samples, **given)
            transcriptions.append({
                "seed": seed, "frames": 240, "options": options, "language": result["language"],
                "segments": [
                    {key: segment[key] for key in ("start", "end", "tokens", "temperature")}
                    for segment in result["segments"] if segment["tokens"]
                ],
            })
    encoder = json.JSONEncoder(separators=(",", ":"))
    sections = {"windows": windows, "transcriptions": transcriptions, "languages": languages}
    text = ",\n".join(
        f'"{name}": [\n' + ",\n".join(encoder.encode(case) for case in cases) + "\n]"
        for name, cases in sections.items())
    (folder / "decoding.json").write_text("{\n" + text + "\n}\n")
    print(f"{len(windows)} windows, {len(transcriptions)} transcriptions")


if __name__ == "__main__":
    with torch.no_grad():
        main()
