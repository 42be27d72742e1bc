"""Normalises texts with openai-whisper, for the tests of trit-whisper's own normalisers.

    python normalizer.py > ../tests/fixtures/normalizer.jsonl

prints a line of JSON for each: the normaliser, the text, what it becomes (white space at both ends
taken off). Needs openai-whisper 20250625.
"""

import json
import random

from whisper.normalizers import BasicTextNormalizer, EnglishTextNormalizer

SENTENCES = """
Mr. and Mrs. O'Brien won't be at St. Mary's, nor will Dr. No, Prof. Plum or Capt. Hook.
The Gov. met Sen. Jones, Rep. Smith and Gen. Lee; Lt. Col. Brown Jr., Esq., didn't.
Hon. Asst. Sec. of the Assoc., Rev. Green Sr. and Pres. Ald. Blue
Um, uh, hmm... mhm, mmm, I'd been there; he'd gone. She's been, she's gone, she's got it, I'd done it.
I'm sure they're what we've wanted, y'all. Ain't it so? Let's go, ma'am; they'll gonna wanna, I'ma, imma.
I gotta say you coulda, shoulda, woulda; it'd 'twas can't don't shan't mustn't 've.
She said [laughs] hello (quietly) <noise> to us all [and left. (never
Nested (a (b) c) and [x [y] z] <one> two> three
It's the dog 's bone and the dogs ' bones
colour, favour, honour: analyse the catalogue of grey theatres and jewellery, travelling by aeroplane
The organisation's programme specialised in paediatric manoeuvres and encyclopaedias
Café, naïve, coöperate, Škoda, Łódź, Ærø, Øresund, straße, Þór, œuvre, Đorđe
ﬁne ｆｕｌｌ ½ cup ² squared № 5 ™ © ® °C µm Ⅷ
He paid $5, £6.50, €7, ¢50, 20% and 3.5 percent; not $ or % or . alone. A.B.C. and U.S.A.
1,000,000 people, 3,50 and 1,2,3 at 10:30 a.m. on 12/25/2021, 3-4 or 1.2.3.4
In the 1960s, the 21st of May, the 3 rd, 4th, 22 nd and 11 th time; a1b2 covid19 3m 5kg
one two three, one oh one, o two, double oh seven, triple nine, double ten, double trouble
twenty twenty, nineteen ninety nine, nineteen oh five, two thousand and twenty five, twenty ten
one hundred, a hundred and one, two hundred and five thousand, three hundred and twenty first
one million two hundred thousand and three, five billion, two point five million, point five
nine hundred ninety nine thousand nine hundred ninety nine, ten thousand, hundred thousand
first, second, third, fourth, fifth, sixth, seventh, eighth, ninth, nineth, tenth, twelfth, zeroth
twenties, thirties, forties, fifties, sixties, ones, twos, sixes, hundreds, thousands, millions
twentieth, thirtieth, hundredth, thousandth, two hundredth, twenty third, five thousandth
minus five, negative ten degrees, plus one, positive twenty, minus infinity, positive that
five dollars, twenty five cents, two dollars and seven cents, three pounds fifty, ten euros, a dollar
$2 and ¢7, $0.05, £0.5, one dollar and one cent, zero dollars and five cents, $20 million, £1 billion
ten percent, five per cent, twenty per day, per cent, percent, one hundred percent, 2 percent
two and a half, twenty and a half million, a dog and a half, one hundred and a half, and a half
point, point one four, three point one four one five nine, zero point zero one, ten point 5, 5 point ten
and, one and two, hundred and, hundred and one, thousand and one nights, you and I, bread and 5
0 zero, 00 7, 007, 1.0, 2.50, 3.14 million, 10 thousand, 5 hundred, 1.5 hundred, 1.555 hundred
one one one, two two hundred, twenty one two, thirty forty, ninety nine hundred, eleven eleven
one million million, thousand million, zero million, zero hundred, oh hundred, hundred hundred
fifty fifty, sixty four bit, forty two thousand one hundred and ninety six, three four million
twenty one thirds, two thirds, one sixteenth, eleven hundredths, hundred second, second hand
seventy eighty ninety, ten nine eight seven six five four three two one zero
five o clock, oh no, o brother, zero tolerance, one day, the ones, one's own, 1 thing, 1s
double double, triple one two, double twenty, double o, five double six, hundred double one
a trillion, quadrillion, quintillion, sextillion, septillion, octillion, nonillion, decillion dollars
what is 1 + 1? it's 2! - 3 * 4 = 12 & so on / etc. ~ ^ _ | \\ # @ `
“Quoted” ‘text’ – dashed — text… with • bullets ¿and? ¡more! «guillemets» 「brackets」
$five, £ 5, 5 £, 5$, 50¢, %5, 5 %, .5, 5., .five, $.50, -5, +5, - 5, $-5, -$5
his 2nd 3rd-rate 1st-class 100th 1,000th 5-year-old's no. 10, no 5 and no. five
minus and, plus plus, negative point five, minus 2.5, positive hundred, plus and
per annum, per se, a per cent, five per cents, ten per
1 2 3, 10 20, 100 200, 1000 1, 20 5, 5 20, 1.5 2, 2 1.5, twenty 5, 20 five, one 0, 0 one, 1 hundred
and a half and a half, five and  a  half and a half, half and half
""".strip().splitlines()

OTHER_LANGUAGES = """
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich (lacht) [Musik].
Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis.
¿Cuántos años tiene? ¡Tengo veintidós años! El pingüino Wenceslao hizo kilómetros.
Чуєш їх, доцю, га? Кумедна ж ти, прощайся без ґольфів!
Съешь же ещё этих мягких французских булок, да выпей чаю.
Pchnąć w tę łódź jeża lub ośm skrzyń fig.
Ταχίστη αλώπηξ βαφής ψημένη γη, δρασκελίζει υπέρ νωθρού κυνός. ΟΔΟΣ
いろはにほへと ちりぬるを。「テスト」、ﾃｽﾄ ｶﾞｷﾞ
我能吞下玻璃而不伤身体。《书》,一百二十三。
다람쥐 헌 쳇바퀴에 타고파. (웃음)
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر
דג סקרן שט בים מאוכזב ולפתע מצא חברה
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า
Pijamalı hasta yağız şoföre çabucak güvendi. İSTANBUL
Được xem xét kỹ lưỡng, 1.000,50 € & 5%
""".strip().splitlines()

WORDS = """
zero oh o one two three five seven nine ten eleven twelve nineteen twenty thirty fifty ninety hundred
thousand million billion first second third twentieth hundredth thousands sixes twenties minus plus
dollars dollar cents pounds euros percent per cent and point double triple 0 1 5 10 42 100 1000 2.5
1.50 007 $5 £20 cats the half a
""".split()


def numbers(count: int) -> list[str]:
    """Words of numbers in any order, the same every time."""
    rng = random.Random(7)
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 7))) for _ in range(count)]


def main() -> None:
    english, basic = EnglishTextNormalizer(), BasicTextNormalizer()
    clauses = [clause.strip() for line in SENTENCES for clause in line.replace(";", ",").split(", ")]
    texts = list(dict.fromkeys(SENTENCES + clauses + numbers(300)))
    cases = [("english", english, text) for text in texts + OTHER_LANGUAGES]
    cases += [("basic", basic, text) for text in OTHER_LANGUAGES + SENTENCES]
    for name, normalizer, text in cases:
        try:
            print(json.dumps([name, text, normalizer(text).strip()], ensure_ascii=False))
        except (AssertionError, TypeError, ValueError):
            # Some orders of words are beyond it.
            continue


if __name__ == "__main__":
    main()
