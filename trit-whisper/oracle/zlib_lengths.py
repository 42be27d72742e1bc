"""Writes how long zlib makes some texts, as Whisper's compression ratio has it.

    python zlib_lengths.py ../tests/fixtures/zlib.txt

A line is zlib's length, how often the text is repeated, and the text, separated by tabs. zlib-ng and
other libraries find other matches; this wants zlib itself.
"""

import random
import sys
import zlib
from pathlib import Path

WORDS = """the of and to in is it you that he was for on are with as his they be at one have this from or
had by hot but some what there we can out other were all your when up use word how said an each she which do
their time if will way about many then them would write like so these her long make thing see him two has look
more day could go come did my sound no most number who over know water than call first people may down side
been now find""".split()
SENTENCES = [
    "",
    "a",
    "Thank you.",
    "Thank you. ",
    "Thanks for watching! ",
    "And so my fellow Americans, ask not what your country can do for you, ask what you can do for your country.",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
    "Ich weiß nicht, ob das ein großer Unterschied ist – für die Größe der Prüfung. ",
    "ご視聴ありがとうございました。",
    "Продолжение следует... ",
    "字幕由 Amara.org 社区提供",
    "ha ha ha ho ",
    "ab",
    "abc",
    "aaaaaaaaab",
    "♪ ♪ ♪ ",
]


def texts():
    rng = random.Random(3)
    for sentence in SENTENCES:
        for times in 1, 2, 3, 12, 60:
            if len(sentence.encode()) * times <= 16_000:
                yield sentence, times
    for count in 5, 20, 60, 200, 400:
        for _ in range(3):
            yield " ".join(rng.choice(WORDS) for _ in range(count)), 1
    # Few symbols of very different counts make codes that are too long at first.
    fibonacci = [1, 1]
    while len(fibonacci) < 17:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    letters = [chr(97 + i) for i, count in enumerate(fibonacci) for _ in range(count)]
    rng.shuffle(letters)
    yield "".join(letters), 1
    # All that can be printed, without order: hardly shorter, or stored.
    for count in 40, 300, 2000:
        yield "".join(chr(rng.randrange(32, 127)) for _ in range(count)), 1
    yield "".join(chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(400)), 1
    # Matches farther than 4096 bytes away, and chains longer than are followed.
    far = "".join(rng.choice("abcdefgh") for _ in range(2500))
    yield far, 4
    yield "".join(rng.choice("ab") for _ in range(1500)), 3


def main() -> None:
    lines = []
    for text, times in texts():
        assert not {"\n", "\t"} & set(text)
        whole = (text * times).encode()
        assert len(whole) <= 16_000
        lines.append(f"{len(zlib.compress(whole))}\t{times}\t{text}\n")
    Path(sys.argv[1]).write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} texts by zlib {zlib.ZLIB_RUNTIME_VERSION}")


if __name__ == "__main__":
    main()
