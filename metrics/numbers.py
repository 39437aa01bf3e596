"""Reads numbers as people write them: "1,234.5", "1.250", "1,25,000", "１２", "2 1/2", "7.2 million", "fünf".

The one reader of written numbers: the judge of equations and the search for stated answers read values here. Values are
exact. Every pattern is bounded, so the cost is linear in the text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, TypeGuard

MAX_EXPONENT = 10_000
_MAX_DIGITS = 40  # of a number in running text; a longer one is no answer

# Same length: digits of all scripts, and the Arabic separators.
ASCII_DIGITS: dict[int, str] = {
    **{code: str(unicodedata.decimal(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()},
    ord("٬"): ",",
    ord("٫"): ".",
    ord("．"): ".",
}
# What parts groups of three digits beyond doubt. A plain space and a point do so, too, but may mean something else.
GROUP_MARK = r"(?:,\\!|,|\{,\}|\\[,;!\ ]|[\u00a0\u2009\u202f'’])"
GROUPED = (
    rf"[0-9]{{1,3}}(?:{GROUP_MARK}[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?"
    r"|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?![0-9,])(?:\.[0-9]+)?"  # 1,25,000
)
# A plain space groups, too, in some languages, but may also part two numbers.
SPACED = r"(?<![0-9.,][ ])(?<![0-9.,])[1-9][0-9]{0,2}(?:[ ][0-9]{3})+(?![0-9]|[ ][0-9])(?:\.[0-9]+)?"
DECIMAL = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,6}(?![0-9A-Za-z]))?|\.[0-9]+"

_GROUP_MARK = re.compile(rf"(?<=[0-9]){GROUP_MARK}(?=[0-9]{{3}}(?![0-9]))")
_GROUPED = re.compile(GROUPED)
_POINT_AS_GROUP = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_DECIMAL_COMMA = re.compile(r"[0-9]+(?:\.[0-9]{3})*,[0-9]+")
_POINT_GROUPS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3}){2,}")


def is_finite(value: object) -> TypeGuard[float]:
    """Whether what an option or a plugin gives is a number that a float can hold: no truth value, no text, no nan."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def with_commas(text: str) -> str:
    r"""The text with a comma for every mark that surely groups digits: 1\,234, 1{,}234, 1'234."""
    return _GROUP_MARK.sub(",", text)


def readings(written: str) -> tuple[Fraction, ...]:
    """The values that a number in digits may have, the usual one first: "1.250" is 1.25, or 1250 with a grouping point.

    Args:
        written: what `GROUPED` or `DECIMAL` matches, "2,5", "1.234.567" or "1.250,75".

    Raises:
        ValueError: no number, or an exponent beyond MAX_EXPONENT.
    """
    if written.isdigit() and written.isascii():
        return (Fraction(int(written)),)
    grouped = _GROUPED.fullmatch(written)
    if not grouped and _DECIMAL_COMMA.fullmatch(written):
        whole, _, part = written.replace(".", "").partition(",")
        return (_decimal(whole, part),)
    if _POINT_GROUPS.fullmatch(written):
        return (Fraction(int(written.replace(".", ""))),)
    plain = "".join(char for char in written if char.isascii() and (char.isalnum() or char in ".+-"))
    mantissa, _, power = plain.lower().partition("e")
    exponent = int(power or 0)
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"exponent {exponent} exceeds the bound {MAX_EXPONENT}")
    whole, _, part = mantissa.partition(".")
    value = _decimal(whole, part) * Fraction(10) ** exponent
    if _POINT_AS_GROUP.fullmatch(written):
        return value, Fraction(int(whole + part))
    return (value,)


def _decimal(whole: str, part: str) -> Fraction:
    return Fraction(int(whole + part), 10 ** len(part))


def vulgar_fraction(vulgar: str) -> tuple[int, int]:
    """Numerator and denominator of a vulgar fraction character."""
    top, _, bottom = unicodedata.normalize("NFKC", vulgar).partition("⁄")
    return int(top), int(bottom)


SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "millions": 10**6,
    "billion": 10**9,
    "billions": 10**9,
    "trillion": 10**12,
}
# Beside the words that equations are written with.
_MORE_SCALES = {
    **SCALES,
    "k": 10**3,
    "m": 10**6,
    "mn": 10**6,
    "mio": 10**6,
    "bn": 10**9,
    "lakh": 10**5,
    "lakhs": 10**5,
    "crore": 10**7,
    "crores": 10**7,
    "millionen": 10**6,
    "millones": 10**6,
    "milhões": 10**6,
    "milioni": 10**6,
    "万": 10**4,
    "萬": 10**4,
    "만": 10**4,
    "亿": 10**8,
    "億": 10**8,
    "억": 10**8,
}


class Written(NamedTuple):
    """A number in a text.

    Attributes:
        start, end: its half-open span.
        values: those it may have, the usual one first.
        form: "number", "fraction" (a/b, which may be a division), "mixed" (2 1/2) or "words".
    """

    start: int
    end: int
    values: tuple[Fraction, ...]
    form: str


_SIGN = r"(?P<sign>(?<![\w)\]}.%])-)?"
_PLAIN = (
    r"(?:[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{1,20}(?![0-9]|[.,][0-9])"  # 1.250,75
    rf"|{GROUPED}"
    r"|(?<![0-9,.(\[{])[0-9]{1,20},[0-9]{1,20}(?![0-9]|[.,][0-9])"  # 2,5; but 1,2,3 is a list
    r"|(?<=[(\[{])[0-9]{1,20},[0-9]{1,20}(?![0-9)\]}]|[.,][0-9])"  # (2,5 l); but (2,5) is a point
    r"|[0-9]+(?:\.[0-9]+)*|\.[0-9]+)"
)
_BETWEEN = r"\s?(?:\\times|\\cdot|[×·⋅*]|x)\s?"
_NUMBER = re.compile(
    rf"{_SIGN}(?:(?P<whole>[0-9]{{1,9}})\s(?:and\s)?(?P<part>[0-9]{{1,4}}/[0-9]{{1,4}})(?![0-9/]|\.[0-9])"
    rf"|(?P<number>{_PLAIN})(?:(?P<over>(?:/{_PLAIN})+)|[eE](?P<e>[+-]?[0-9]{{1,4}})(?![0-9A-Za-z])"
    rf"|{_BETWEEN}10\s?(?:(?:\^|\*\*)\s?\(?(?P<power>[-+]?[0-9]{{1,4}})(?![0-9.])|(?P<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,4}}))"
    r"|\s?(?P<scale>(?i:hundred|thousand|millionen|milhões|milioni|millones|millions?|billions?|trillion|lakhs?|crores?"
    r"|mio)|(?<=[0-9])(?:k|K|M|mn|bn))(?![^\W_])|\s?(?P<myriads>[万萬만亿億억])"
    r"|\s(?:and\s)(?:a|one)\s(?P<and>half|third|quarter)(?![^\W_]))?)"
)
_SPACED = re.compile(r"(?<![0-9.,/-])(?<![0-9]\s)[1-9][0-9]{0,2}(?:\s[0-9]{3})+(?:[.,][0-9]{1,20})?(?![0-9/]|\s?[0-9])")
_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
}  # fmt: skip
_SCALE_WORDS = "hundred|thousand|million|billion"
_WORD = "|".join(sorted((*_UNITS, *_TENS), key=len, reverse=True))
_WORDS = re.compile(
    rf"(?<![^\W_])(?:{_WORD}|(?:an?\s)(?:{_SCALE_WORDS}))(?:(?:-|\s)(?:and\s)?(?:{_WORD}|{_SCALE_WORDS})){{0,8}}(?![^\W_])"
    rf"(?:(?:\s|-)(?P<parts>halves|thirds|quarters|fourths|fifths|sixths|eighths|tenths)(?![^\W_])"
    r"|\sand\s(?:a|one)\s(?P<and>half|third|quarter)(?![^\W_])"
    r"|(?<=\bone)[\s-](?P<part>half|third|quarter|fourth|fifth|sixth|eighth|tenth)(?![^\W_]))?",
    re.IGNORECASE,
)

_GERMAN = ["zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
_GERMAN_TENS = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
# Of other languages, from 2; without those that are another word elsewhere (elf, sei, once, dos, neuf, onze, doce).
_ELSEWHERE = {
    **{one: i for i, one in enumerate(_GERMAN, 2)},
    **{ten: 10 * i for i, ten in enumerate(_GERMAN_TENS, 2)},
    **{
        f"{one}und{ten}": 10 * i + j
        for i, ten in enumerate(_GERMAN_TENS, 2)
        for j, one in enumerate(("ein", *_GERMAN), 1)
    },
    "zehn": 10, "zwölf": 12, "dreizehn": 13, "vierzehn": 14, "fünfzehn": 15, "sechzehn": 16, "siebzehn": 17,
    "achtzehn": 18, "neunzehn": 19, "hundert": 100, "tausend": 1000,
    "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "huit": 8, "dix": 10, "douze": 12, "treize": 13, "quinze": 15,
    "vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60,
    "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "trece": 13,
    "veinte": 20, "treinta": 30, "cuarenta": 40, "cincuenta": 50, "sesenta": 60, "setenta": 70, "ochenta": 80,
    "noventa": 90, "três": 3, "oito": 8, "vinte": 20, "trinta": 30, "quarenta": 40, "cinquenta": 50,
    "tre": 3, "quattro": 4, "cinque": 5, "sette": 7, "dieci": 10, "dodici": 12,
}  # fmt: skip
# With what makes another number of them: "treinta y cinco", "vingt-cinq", "tres mil", "deux et demi" are not read.
_OTHERS = (
    "cien ciento cento cent cents mil mille mila demi demie medio media meio meia mezzo mezza un une uno una um uma"
)
_ANY_ELSEWHERE = "|".join(sorted((*_ELSEWHERE, *_OTHERS.split()), key=len, reverse=True))
_RUN_ELSEWHERE = re.compile(
    rf"(?<![^\W_])(?<![^\W_]-)(?:{_ANY_ELSEWHERE})(?:(?:\s|-)(?:(?:et|y|e)(?:\s|-))?(?:{_ANY_ELSEWHERE})(?![^\W_])){{0,4}}"
    r"(?![^\W_]|-[^\W_])",
    re.IGNORECASE,
)


def find_numbers(text: str) -> Iterator[Written]:
    """The numbers of a text, in digits or in words; not in the order of the text.

    Where a notation may mean two things both come: "1 250" is 1250, or 1 and 250. A version, a date ("1.2.3", "1/2/24")
    and a number of more than 40 digits are none.

    Args:
        text: with ASCII digits (`ASCII_DIGITS`) and "-" for every minus sign.
    """
    for match in _NUMBER.finditer(text):
        if match[0].isdecimal():  # nearly all
            if match.end() - match.start() <= _MAX_DIGITS:
                yield Written(match.start(), match.end(), _whole(match[0]), "number")
            continue
        values = _values(match)
        if values:
            form = "mixed" if match["whole"] else "fraction" if match["over"] else "number"
            signed = tuple(-value for value in values) if match["sign"] else values
            yield Written(match.start(), match.end(), signed, form)
    for match in _SPACED.finditer(text):
        if len(match[0]) <= _MAX_DIGITS:
            whole, _, part = re.sub(r"\s", "", match[0]).replace(",", ".").partition(".")
            yield Written(*match.span(), (_decimal(whole, part),), "number")
    for match in _WORDS.finditer(text):
        value = _in_words(match)
        if value is not None:
            yield Written(*match.span(), (value,), "words")
    for match in _RUN_ELSEWHERE.finditer(text):
        number = _ELSEWHERE.get(match[0].lower())
        if number is not None:
            yield Written(*match.span(), (Fraction(number),), "words")


@lru_cache(maxsize=4_096)
def _whole(digits: str) -> tuple[Fraction, ...]:
    return (Fraction(int(digits)),)


def _values(match: re.Match[str]) -> tuple[Fraction, ...]:
    if match["whole"]:
        top, _, bottom = match["part"].partition("/")
        if not 0 < int(top) < int(bottom):
            return ()
        return (int(match["whole"]) + Fraction(int(top), int(bottom)),)
    if match.end() - match.start() > 2 * _MAX_DIGITS:
        return ()
    values = _plain(match["number"])
    if match["over"]:
        below = match["over"][1:].split("/")
        bottoms = _plain(below[0]) if len(below) == 1 else ()
        return (values[0] / bottoms[0],) if values and bottoms and bottoms[0] else ()
    power = match["e"] or match["power"] or (match["raised"] or "").translate(_SUPERSCRIPTS)
    if power:
        return tuple(value * Fraction(10) ** int(power) for value in values[:1]) if abs(int(power)) <= 400 else ()
    if match["and"]:
        return tuple(value + Fraction(1, _PARTS[match["and"]]) for value in values[:1] if value.denominator == 1)
    scale = (match["scale"] or match["myriads"] or "").casefold()
    if scale:
        return (*(value * _MORE_SCALES[scale] for value in values), *values)
    return values


def _plain(written: str) -> tuple[Fraction, ...]:
    version = written.count(".") > 1 and "," not in written and not _POINT_GROUPS.fullmatch(written)
    if version or len(written) > _MAX_DIGITS:
        return ()
    return readings(written)


def _in_words(match: re.Match[str]) -> Fraction | None:
    words = re.split(r"[\s-]+", match[0].casefold())
    total = current = 0
    part = Fraction(0)
    previous = 0  # what the last word may be followed by: a smaller number
    for word in words:
        if word in _UNITS or word in _TENS:
            number = _UNITS.get(word, _TENS.get(word, 0))
            if previous and not (number < 10 <= previous and previous % 10 == 0) and previous != 100:
                return None  # "two three"
            current += number
            previous = number or 1
        elif word == "hundred":
            current, previous = max(current, 1) * 100, 100
        elif word in SCALES:
            total, current, previous = total + max(current, 1) * SCALES[word], 0, 0
        elif word in _PARTS and match["and"]:
            part = Fraction(1, _PARTS[word])
        elif word.removesuffix("s") in _PARTS or word == "halves":
            return Fraction(total + current, _PARTS[word if word == "halves" else word.removesuffix("s")])
    return total + current + part
