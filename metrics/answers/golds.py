"""The kinds of gold answers: numbers, lists of numbers, formulas, texts, and letters or words that prose is full of.

Each can be looked for in two ways. `occurs`: a text writes it down, as a result if it is a number. `said`: an announced
answer is it. Numbers are compared by value, texts as runs of whole words.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from ..numbers import ASCII_DIGITS, Written, find_numbers, readings, vulgar_fraction, with_commas
from ..printable import without_controls
from .announcing import announcements, letter_of
from .formulas import FormulaMatcher
from .plurals import fold_plural
from .roles import UNIT_POWER, is_alone, is_operand, unit_conflicts

_COMMON_WORDS = frozenset({"yes", "no", "maybe", "true", "false", "none", "both"})
_PLAIN_CHARS: dict[int, str | None] = {
    **ASCII_DIGITS,
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if not 0xFF10 <= code <= 0xFF19},
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2007\u2009\u202f"), " "),
    ord("’"): "'",
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"), None),
}
_FRAC = re.compile(
    r"\\[dtc]?frac\s?(?:\{\s?(?P<a>-?[\d.,]{1,40})\s?\}|(?P<a1>\d))\s?(?:\{\s?(?P<b>[\d.,]{1,40})\s?\}|(?P<b1>\d))"
)
_VULGAR = re.compile("[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|boxed|fbox|operatorname|left|right|displaystyle)(?![a-zA-Z])"
    r"|\\[,;:! ]|~|\*\*|__|\\[()\[\]]"
)
_ESCAPED = re.compile(r"\\([$%#&_{}])")
_SUBSCRIPT = re.compile(r"(?<=[_^])\{")
_SIGN_WORD = re.compile(r"\bnegative\s(?=[$\d.])|(?:^|(?<=\bis )|(?<== ))\s?minus\s(?=[$\d.])", re.IGNORECASE)
_RAISED = re.compile("(?<![⁻⁰¹²³⁴⁵⁶⁷⁸⁹])[²³](?![⁰¹²³⁴⁵⁶⁷⁸⁹])")
_CLOCK = re.compile(r"(?<=[\d ])([ap])\.\s?m\b\.?", re.IGNORECASE)
_ASSIGNED = re.compile(r"\s*[A-Za-z]\s*=\s*(?=[-$\d.])")
_SIGNED_MONEY = re.compile(r"(?<=-)\s?[$€£¥₹]\s?(?=[\d.])")
_IGNORED = re.compile(r"[{}]")
_MONEY = re.compile(r"[$€£¥₹]")
_DEGREE = re.compile(r"\^\s?\{?\s?\\circ(?![a-zA-Z])\s?\}?|\\degree(?![a-zA-Z])")

# Scripts that put no space between words: every character is a token.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LATIN = "a-zß-öø-ÿ"
_PLAIN_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+(?:\.\d+)*|\.\d+)"
_TOKEN = re.compile(
    rf"(?P<fraction>(?:(?<![\w)\]}}.%])-)?{_PLAIN_NUMBER}(?:/{_PLAIN_NUMBER})+)"
    rf"|(?P<number>(?:(?<![\w)\]}}.%])-)?{_PLAIN_NUMBER})"
    rf"|(?P<word>[{_LATIN}][{_LATIN}0-9_\u0300-\u036f]*(?:'[{_LATIN}]+)?|\\[a-z]+|[{UNSPACED}]|[^\W\d_{UNSPACED}]+)"
    r"|(?P<other>\S)"
)
_MATH = frozenset("+-*/^_=<>|\\!×÷·±√")
_VARIABLES = frozenset("abdefijnopqrtuvwxyz")  # "12i"; but "12m" is a length
_MAX_DIGITS = 40
_MOST_NAMES = 40
# "not option C", "would not choose C"; but "not B but option C"
_DENIED = re.compile(
    r"(?:\b(?:not|never|cannot|neither|nor|nobody|no one|none|unclear|whether|if|unless|doubt)|n't)\s"
    r"(?:(?!\bbut\b)[^.,;:\n]){0,48}$",
    re.IGNORECASE,
)
# "Option C does not help", "C) isn't it"
_DENIED_BEHIND = re.compile(
    r"\W{0,3}(?:\w{1,9}\s)?(?:do|does|did|is|was|can|could|would|should|will|has)(?:\s?not|n't)\b"
)
_CURRENCIES = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₹": "rupee"}
_BETWEEN_ITEMS = re.compile(r"\s*(?:[,;]|,?\s*(?:and|or|&)(?![a-z]))\s*(?:[a-z]\s*=\s*)?", re.IGNORECASE)


class Token(NamedTuple):
    text: str
    value: Fraction | int | None
    tight: bool
    """No white space before it."""
    kind: str


class Text:
    """A text in normal form, as tokens, as strings of tokens that `in` can search, and its numbers."""

    def __init__(self, text: str) -> None:
        self.raw = text
        self.with_money = _normalise(text)
        self.plain = _MONEY.sub(" ", self.with_money)
        self._joined: dict[bool, str] = {}

    @cached_property
    def tokens(self) -> list[Token]:
        return _tokens(self.plain)

    @cached_property
    def numbers(self) -> list[Written]:
        """By their place in `with_money`."""
        return sorted(find_numbers(self.with_money), key=lambda one: one[:2])

    def joined(self, words_only: bool) -> str:
        if words_only not in self._joined:
            self._joined[words_only] = _join(self.tokens, words_only)
        return self._joined[words_only]


@dataclass(frozen=True)
class NumberGold:
    value: Fraction
    unit: str

    def occurs(self, text: Text, in_question: bool) -> bool:
        """As a result; in a question in any role."""
        for written in text.numbers:
            if self._is(written, text) and not (written.form == "words" and _is_one(written)):
                role = not in_question and is_operand(text.with_money, written)
                if not role and not (in_question is False and self._divides(written)):
                    return True
        return False

    def said(self, text: Text) -> bool:
        """Whether it is the first number of an announced answer, or of what stands behind its last "="."""
        start = text.with_money.rfind("=") + 1
        for written in text.numbers:
            if written.start >= start and is_alone(text.with_money, written):
                same = [other for other in text.numbers if other.start == written.start]
                is_it = any(self._is(one, text) or self._is_per_cent(one, text) for one in same)
                return is_it and not is_operand(text.with_money, written)
        return False

    def _is_per_cent(self, written: Written, text: Text) -> bool:
        """Whether one of the two is the other in per cent: 16 % and 0.16."""
        behind = text.with_money[written.end : written.end + 9].lstrip(" \\").casefold()
        in_percent = behind.startswith(("%", "percent", "per cent"))
        if in_percent == (self.unit.casefold() in ("%", "percent", "per cent")):
            return False
        value = written.values[0]
        return value == 100 * self.value if in_percent else 100 * value == self.value and not behind[:1].isalpha()

    def _is(self, written: Written, text: Text) -> bool:
        return (
            self.value in written.values
            and is_alone(text.with_money, written)
            and not self._divides(written)
            and not unit_conflicts(text.with_money, written, self.unit)
        )

    def _divides(self, written: Written) -> bool:
        return written.form == "fraction" and self.value.denominator == 1  # 72/2 is a computation, not 36 written down


@dataclass(frozen=True)
class ListGold:
    """Several numbers in any order: "3, 5", "3 and 5"."""

    values: tuple[Fraction, ...]

    def occurs(self, text: Text, in_question: bool) -> bool:
        del in_question
        numbers = [one for one in text.numbers if is_alone(text.with_money, one)]
        size = len(self.values)
        for first in range(len(numbers) - size + 1):
            run = numbers[first : first + size]
            gaps = (text.with_money[a.end : b.start] for a, b in pairwise(run))
            around = numbers[max(0, first - 1) : first + size + 1]
            if len(around) > size and all(
                _BETWEEN_ITEMS.fullmatch(text.with_money, a.end, b.start) for a, b in pairwise(around)
            ):
                continue  # a longer list
            if sorted(one.values[0] for one in run) == list(self.values) and all(map(_BETWEEN_ITEMS.fullmatch, gaps)):
                return True
        return False

    def said(self, text: Text) -> bool:
        return self.occurs(text, in_question=False) or self.occurs(Text(_parted(text.raw)), in_question=False)


@dataclass(frozen=True)
class TextGold:
    joined: str
    words_only: bool

    def occurs(self, text: Text, in_question: bool) -> bool:
        del in_question
        where = text.joined(self.words_only)
        if self.words_only:
            return self.joined in where
        position = where.find(self.joined)
        while position >= 0:
            before = where[:position].rpartition("\x1f")[2] if position < 80 else where[position - 80 : position]
            before = before.rpartition("\x1f")[2]
            after = where[position + len(self.joined) : position + len(self.joined) + 80].partition("\x1f")[0]
            if not _extends(before, left=True) and not _extends(after, left=False):
                return True
            position = where.find(self.joined, position + 1)
        return False

    def said(self, text: Text) -> bool:
        return self.occurs(text, in_question=False)


class FormulaGold:
    """A formula as it is written, or one that equals it."""

    def __init__(self, written: TextGold, answer: str) -> None:
        self.joined = written.joined
        self._written = written
        self._matcher = FormulaMatcher(answer)
        self._question = ""
        self._in_question: bool | None = None

    def afresh(self) -> FormulaGold:
        """The same gold for another chain."""
        new = copy.copy(self)
        new._matcher = copy.copy(self._matcher)
        return new

    def occurs(self, text: Text, in_question: bool) -> bool:
        if self._written.occurs(text, in_question):
            return True
        if in_question:  # compared once a step holds an equal formula: few do
            self._question = text.raw
            return False
        if self._in_question or not self._matcher.equals_one_in(text.raw):
            return False
        if self._in_question is None:
            self._in_question = self._matcher.equals_one_in(self._question)
        return not self._in_question

    def said(self, text: Text) -> bool:
        return self._written.occurs(text, in_question=False) or self._matcher.equals_one_in(f"${text.raw}$")


@dataclass(frozen=True)
class ShortGold:
    """A letter or a word like "yes", which prose is full of: it must be announced, or named by form."""

    word: str
    named: re.Pattern[str]

    def occurs(self, text: Text, in_question: bool) -> bool:
        # The question lists its options as "(B) …": that gives nothing away.
        if in_question:
            return any(self.said(Text(answer)) for answer in announcements(text.raw))
        found = islice(self.named.finditer(text.plain), _MOST_NAMES)
        if len(self.word) > 1:
            return next(found, None) is not None
        return any(
            not _DENIED.search(text.plain, max(0, one.start() - 60), one.start())
            and not _DENIED_BEHIND.match(text.plain, one.end())
            for one in found
        )

    def said(self, text: Text) -> bool:
        if len(self.word) == 1:
            return letter_of(text.plain.strip()) == self.word.upper()
        return re.match(rf"\W{{0,4}}{self.word}(?!\w)", text.plain, re.IGNORECASE) is not None


Gold = NumberGold | ListGold | TextGold | FormulaGold | ShortGold


def read_golds(answer: str) -> list[Gold]:
    """What a gold answer may mean: "3,5" is 3.5, or 3 and 5. Empty where it holds neither number nor word."""
    # A formula remembers what it was compared with in one chain.
    return [gold.afresh() if isinstance(gold, FormulaGold) else gold for gold in _read_golds(answer)]


@lru_cache(maxsize=1024)
def _read_golds(answer: str) -> tuple[Gold, ...]:
    """Kept, since every option is read again for each of its question's responses, and more than once for each."""
    answer = _FORMULA.sub(r"\1", answer)
    listed = _list(answer)
    one = _read(answer)
    return tuple(gold for gold in (one, listed) if gold is not None)


def _read(answer: str) -> Gold | None:
    text = Text(answer)
    assigned = _ASSIGNED.match(answer)  # "x = 4"
    number = _number(Text(answer[assigned.end() :]) if assigned else text)
    if number is not None:
        return number
    end = len(text.tokens)
    while end and text.tokens[end - 1].text in (".", ",", ";", ":", "!", "?"):
        end -= 1
    tokens = text.tokens[:end]
    words = [token.text for token in tokens if token.kind == "word"]
    if not tokens:
        return None
    word = _bare_word(tokens)
    if word is not None and (word in _COMMON_WORDS or (len(word) == 1 and word.isascii() and word.isalpha())):
        return short_gold(word)
    is_text = any(len(word) > 2 and not word.startswith("\\") for word in words) or (
        bool(words) and not any(token.text in _MATH or token.value is not None for token in tokens)
    )
    joined = _join(tokens, words_only=is_text)
    if not joined.strip("\x1f"):
        return None
    written = TextGold(joined, is_text)
    return written if is_text else FormulaGold(written, answer)


_FORMULA = re.compile(r"^\s*\$([^$]+)\$\.?\s*$")
_AROUND_NUMBER = re.compile(r"[\s(]*(?P<money>[$€£¥₹])?\s*")
_UNIT_BEHIND = re.compile(
    rf"\s*(?P<unit>(?:[%$€£¥₹]|°\s?[CF]?|{UNIT_POWER}|[^\W\d_][^\s\d,;:=+*^()\\<>-]*)(?:\s[^\W\d_][^\W\d_]*){{0,2}})?"
    r"[\s.,;:!?)]*"
)


def _number(text: Text) -> NumberGold | None:
    """The number that the whole text is, with a unit of up to three words."""
    plain = text.with_money
    start = _AROUND_NUMBER.match(plain)
    begin = start.end() if start else 0
    found = [one for one in text.numbers if one.start == begin]
    if not found:
        return None
    written = max(found, key=lambda one: one.end)
    rest = plain[written.end :]
    behind = _UNIT_BEHIND.fullmatch(rest)
    if behind is None or (rest[:1].isalpha() and rest[:1] in _VARIABLES and not rest[1:2].isalpha()):
        return None
    unit = (behind["unit"] or "").strip()
    money = start["money"] if start else None
    if unit in _CURRENCIES or money:
        unit = _CURRENCIES[money or unit] if not unit or unit in _CURRENCIES else unit
    return NumberGold(written.values[0], unit)


def _list(answer: str) -> ListGold | None:
    """The numbers of an answer that holds nothing else but what parts them; none where brackets give them an order."""
    text = Text(_parted(answer.strip().strip("$").strip()))
    plain = text.with_money.strip().rstrip(".")
    numbers = [one for one in text.numbers if is_alone(text.with_money, one)]
    if len(numbers) < 2 or plain.startswith(("(", "[")):
        return None
    lead = re.fullmatch(r"[\s\\]*(?:[a-z]\s*=\s*)?", text.with_money[: numbers[0].start], re.IGNORECASE)
    gaps = [text.with_money[a.end : b.start] for a, b in pairwise(numbers)]
    if lead is None or text.with_money[numbers[-1].end :].strip(" .\\") or not all(map(_BETWEEN_ITEMS.fullmatch, gaps)):
        return None
    return ListGold(tuple(sorted(one.values[0] for one in numbers)))


def _parted(text: str) -> str:
    """A text in which a comma between two numbers parts them: "3,5" is 3 and 5; but 1,234 stays."""
    return re.sub(r"(?<=\d),(?=-?\d)(?!\d{3}(?!\d))", ", ", text[:2_000])


@lru_cache(maxsize=1024)
def is_letter(option: str) -> bool:
    word = _bare_word(Text(option).tokens)
    return word is not None and len(word) == 1 and word.isascii() and word.isalpha()


def _bare_word(tokens: Sequence[Token]) -> str | None:
    inner = [token for token in tokens if token.text not in ("(", ")", "[", "]", '"', "'")]
    return inner[0].text if len(inner) == 1 and inner[0].kind == "word" else None


def _is_one(written: Written) -> bool:
    """ "one of them", "no one": seldom the number."""
    return written.values[0] == 1


@lru_cache(maxsize=256)
def short_gold(word: str) -> ShortGold:
    # Steps are in normal form, so without emphasis and dollars; letters keep their case.
    upper = word.upper()
    if len(word) == 1:
        either = upper if word == "i" else f"{upper}|{word}"  # "(i)" is a Roman one
        article = r"(?!\s[a-z])" if upper in "AI" else ""  # "choose a drug", "so I think"
        return ShortGold(word, _letter_pattern(upper, either, article))
    exact = f"(?i:{word})"
    named = [
        rf"{_ALONE}[(\[]?{exact}[)\]]?\s{{0,3}}[.!,]?\s{{0,3}}$",
        rf"^\s{{0,3}}(?i:(?:therefore|thus|hence|so)[,:]?\s{{1,3}})?{exact}[,.!:;]",
        rf"[\"'“]{exact}[.\"'”]",
    ]
    return ShortGold(word, re.compile("|".join(named)))


@lru_cache(maxsize=256)
def any_letter(letters: str) -> re.Pattern[str]:
    """Finds something in the `plain` of every text that names one of these letters: one search instead of one each."""
    upper = f"[{letters.upper()}]"
    return _letter_pattern(upper, f"{upper}|[{letters.lower()}]", "")


_ALONE = r"^\s{0,3}(?i:(?:option|choice|solution|answer)[\s_:]{0,3}){0,2}"


def _letter_pattern(upper: str, either: str, article: str) -> re.Pattern[str]:
    end = rf"(?![{_LATIN}A-Z0-9_'])"
    named = [
        rf"{_ALONE}[(\[]?{upper}[)\]]?\s{{0,3}}[.!,]?\s{{0,3}}$",
        rf"(?<![\w)}}\]])[(\[](?:{either})[)\]]",  # not P(B)
        rf"(?i:therefore|thus|hence|so)[,:]?\s{{1,3}}{upper}\s{{0,3}}[.!]?\s{{0,3}}$",
        rf"(?i:option|choice)[\s_:]{{1,3}}{upper}{end}",
        rf"(?i:select|choose|pick)[\s_:]{{1,3}}{upper}{end}{article}",
        rf"(?<![\w(]){upper}\)",
        rf"(?<!\w){upper}\s(?i:is\s(?:the\s)?(?:correct|right|best|answer))",
    ]
    return re.compile("|".join(named))


def _normalise(text: str) -> str:
    text = _VULGAR.sub(lambda m: " {}/{}".format(*vulgar_fraction(m[0])), without_controls(text))
    text = with_commas(text.translate(ASCII_DIGITS)).translate(_PLAIN_CHARS)
    if "\\" in text:
        text = _FRAC.sub(lambda m: f" {m['a'] or m['a1']}/{m['b'] or m['b1']} ", text)
        text = _DEGREE.sub("°", text)
    text = _WRAPPER.sub(" ", text)
    text = _CLOCK.sub(r"\1m", _SIGN_WORD.sub("-", _RAISED.sub(lambda m: "^2" if m[0] == "²" else "^3", text)))
    text = _SIGNED_MONEY.sub("", _ESCAPED.sub(r"\1", text))
    return _IGNORED.sub(" ", _SUBSCRIPT.sub("", text))


def _tokens(plain: str) -> list[Token]:
    tokens: list[Token] = []
    folded = plain.casefold()
    position = -1
    for match in _TOKEN.finditer(folded):
        kind = match.lastgroup or "other"
        text = match[0]
        value = _value(text) if kind in ("number", "fraction") else None
        tokens.append(Token(text, value, match.start() == position, kind))
        position = match.end()
    return tokens


def _value(text: str) -> Fraction | int | None:
    """The number a token writes; None for dates, versions and numbers of more than 40 digits."""
    if len(text) > 2 * _MAX_DIGITS or text.count("/") > 1:
        return None
    negative, text = text.startswith("-"), text.removeprefix("-")
    numerator, _, denominator = text.partition("/")
    top = _decimal(numerator)
    if denominator:
        bottom = _decimal(denominator)
        top = None if top is None or not bottom else Fraction(top) / bottom
    return None if top is None else -top if negative else top


def _decimal(text: str) -> Fraction | int | None:
    if text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    return None if text.count(".") > 1 or len(text) > _MAX_DIGITS else readings(text)[0]


def _join(tokens: Sequence[Token], words_only: bool) -> str:
    """The tokens as one string; of a text of words alone those, each in the form that its plural has, too."""
    parts = [_key(token, words_only) for token in tokens if not words_only or token.kind != "other"]
    return "\x1f" + "\x1f".join(parts) + "\x1f"


def _key(token: Token, folded: bool) -> str:
    if token.value is not None:
        return f"{token.value.numerator}/{token.value.denominator}"
    text = unicodedata.normalize("NFC", token.text[:200])
    return fold_plural(text) if folded and token.kind == "word" else text


def _extends(neighbour: str, left: bool) -> bool:
    """Whether a token beside a formula makes it part of a larger one: x+1 is not stated by 2x+1."""
    if neighbour in _MATH - {"=", "<", ">", "|"} or neighbour in ("/", "\\cdot", "\\times"):
        return True
    return left and bool(re.fullmatch(r"-?\d+/\d+", neighbour))
