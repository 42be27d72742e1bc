"""Writes the texts of `tests/tokenizer.rs` with the ids that OpenAI's tokenizers give them.

    python tokenizer.py FOLDER OUT

FOLDER holds `gpt2.tiktoken` and `multilingual.tiktoken` of openai-whisper (`whisper/assets`). OUT gets
the texts, their ids, and those tokens of each vocabulary that occur in a text (no others can matter),
a character of Latin-1 for each byte.
"""

import base64
import json
import random
import sys
from pathlib import Path

import tiktoken

PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
SENTENCES = [
    "Ask not what your country can do for you; it's what YOU'LL do.",
    "Grüße aus Köln: Straßenbahn, Übermut und 3,50 € für einen Kaffee.",
    "L'été où nous étions à Nîmes, ça n'a pas duré — hélas !",
    "El niño comió piñas, ¿verdad? ¡Qué increíble, señor Núñez!",
    "Zażółć gęślą jaźń; chrząszcz brzmi w trzcinie.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy.",
    "Pijamalı hasta yağız şoföre çabucak güvendi.",
    "Tiếng Việt có nhiều dấu: ớt, phở, nước mắm.",
    "Все люди рождаются свободными и равными в своём достоинстве.",
    "Усі люди народжуються вільними; їжак, ґанок, щастя.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։",
    "ყველა ადამიანი იბადება თავისუფალი.",
    "כל בני האדם נולדו בני חורין ושווים בערכם.",
    "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
    "تمام افراد بشر آزاد به دنیا می‌آیند.",
    "تمام انسان آزاد اور حقوق و عزت کے اعتبار سے برابر پیدا ہوئے ہیں۔",
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता है।",
    "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা নিয়ে জন্মগ্রহণ করে।",
    "ਸਾਰਾ ਮਨੁੱਖੀ ਪਰਿਵਾਰ ਆਪਣੀ ਮਹਿਮਾ ਨਾਲ ਜਨਮ ਲੈਂਦਾ ਹੈ।",
    "પ્રતિષ્ઠા અને અધિકારોની દૃષ્ટિએ સર્વ માનવો સમાન છે.",
    "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
    "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును సమానులు.",
    "ಎಲ್ಲಾ ಮಾನವರೂ ಸ್ವತಂತ್ರರಾಗಿಯೇ ಜನಿಸಿದ್ದಾರೆ.",
    "മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടെ ജനിച്ചവരാണ്.",
    "සියලු මනුෂ්‍යයෝ නිදහස්ව උපත ලබා ඇත.",
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน",
    "ມະນຸດເກີດມາມີສິດເສລີພາບ ແລະ ສະເໝີໜ້າກັນ",
    "လူတိုင်းသည် တူညီလွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့် မွေးဖွားသည်။",
    "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងសមភាព។",
    "མི་རིགས་ཡོངས་ལ་རང་དབང་འདྲ་མཉམ་ཡོད།",
    "人人生而自由，在尊严和权利上一律平等。",
    "人人生而自由，在尊嚴和權利上一律平等；臺灣。",
    "すべての人間は、生まれながらにして自由であり、カタカナ。",
    "모든 인간은 태어날 때부터 자유로우며 평등하다.",
    "ሰብዓዊ ፍጡር ሁሉ ነጻና እኩል ነው የሚወለደው።",
    "Kaikki ihmiset syntyvät vapaina; yhdenvertaisina arvoltaan.",
    "Öll börn eru fædd frjáls og jöfn, þau eru ðæði.",
    "fn main() {\n    let x: u32 = 0xFF; // 1e-3 != \"two\"\n\n\treturn x<<2;\n}\n",
    "2026-11-21T10:40:35Z  £1,234.56   (50%)\t#1 @home [a](b)   ",
    "🎉🎉 emoji 👩‍👩‍👧‍👦 family, flags 🇫🇮 and ♪♪♪ notes ♩",
    "\u3000\u3000wide spaces\u00a0and\u2003thin\u2009ones \n \n\n end  ",
    "don't I'll we've they're he'd I'm it's DON'T O'Neil 'tis ''s",
    "eeeeeeeeee aaaaaaaaaaaaaaaaaaaaaaaaaaaa          .......... ----------====",
]


def texts() -> list[str]:
    """Each sentence as it is, changed in case and order, and cut anywhere; pairs; nothing."""
    rng = random.Random(5)
    found = [""]
    for sentence in SENTENCES:
        words = sentence.split(" ")
        rng.shuffle(words)
        found += [sentence, " " + sentence.upper(), " ".join(words), sentence.replace(" ", "")]
        for _ in range(3):
            start, stop = sorted(rng.sample(range(len(sentence) + 1), 2))
            found.append(sentence[start:stop] + rng.choice(["", " ", "\n", "7"]))
        other = rng.choice(SENTENCES)
        found.append(sentence[: len(sentence) // 2] + other[len(other) // 2:])
    return list(dict.fromkeys(found))


def main() -> None:
    folder, out = map(Path, sys.argv[1:])
    chosen = texts()
    result = {"texts": chosen}
    whole = [text.encode() for text in chosen]
    for name in ["gpt2", "multilingual"]:
        rows = (line.split() for line in (folder / f"{name}.tiktoken").read_text().splitlines())
        ranks = {base64.b64decode(token): int(rank) for token, rank in rows}
        encoding = tiktoken.Encoding(name=name, pat_str=PATTERN, mergeable_ranks=ranks,
                                     special_tokens={})
        used = sorted((rank, token) for token, rank in ranks.items()
                      if len(token) == 1 or any(token in text for text in whole))
        ids = [encoding.encode(text) for text in chosen]
        assert all(encoding.decode_bytes(row) == text for row, text in zip(ids, whole))
        result[name] = {"vocabulary": [[rank, token.decode("latin-1")] for rank, token in used],
                        "ids": ids}
    out.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{len(chosen)} texts, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
