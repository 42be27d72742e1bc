"""The vocabulary of the spoken-words model, in the order of Whisper's: words, specials, timestamps."""

COMMANDS = ("yes no up down left right on off stop go").split()
DIGITS = ("zero one two three four five six seven eight nine").split()
OTHERS = (
    "backward bed bird cat dog follow forward happy house learn marvin sheila tree visual wow"
).split()
WORDS = COMMANDS + DIGITS + OTHERS

SPECIALS = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>",
    "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>",
]
EOT = len(WORDS)
SOT = EOT + 1
NO_SPEECH = SPECIALS.index("<|nospeech|>") + len(WORDS)
TIMESTAMP_FIRST = len(WORDS) + len(SPECIALS)
SAMPLE_RATE = 16_000
TIMESTAMP_STEP = 1280
"""Samples between two timestamp tokens: 0.08 s."""
WINDOW = 96_000
"""Samples the encoder sees: 6 s."""
TIMESTAMPS = WINDOW // TIMESTAMP_STEP + 1
VOCAB = TIMESTAMP_FIRST + TIMESTAMPS


def timestamp(sample: float) -> int:
    """Token of the timestamp nearest to `sample`."""
    return TIMESTAMP_FIRST + min(max(round(sample / TIMESTAMP_STEP), 0), TIMESTAMPS - 1)


def table() -> list[bytes]:
    """The bytes of every token, in order of id."""
    stamps = [f"<|{i * TIMESTAMP_STEP / SAMPLE_RATE:.2f}|>" for i in range(TIMESTAMPS)]
    return [text.encode() for text in [" " + word for word in WORDS] + SPECIALS + stamps]
