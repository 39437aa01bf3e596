"""Decides whether a step writes the gold answer down: numbers and formulas by value, texts as runs of whole words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import NamedTuple

from .formulas import FormulaMatcher
from .option_list import without_option_list
from .plurals import fold_plural

Number = tuple[int, int]  # numerator, denominator; reduced, denominator > 0

_MAX_DIGITS = 40
_COMMON_WORDS = frozenset({"yes", "no", "maybe", "true", "false", "none", "both"})
_PLAIN_CHARS: dict[int, str | None] = {
    **{code: str(unicodedata.decimal(chr(code))) for code in range(0x80, 0x20000) if chr(code).isdecimal()},
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F) if not 0xFF10 <= code <= 0xFF19},
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\ufe63"), "-"),
    **dict.fromkeys(map(ord, "\u00a0\u2002\u2003\u2007\u2009\u202f"), " "),
    ord("’"): "'",
    **dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"), None),
}
# A plain space is left out: "100 200" may be two numbers.
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\[,;! ]|[\u00a0\u2009\u202f'’])(?=\d{3}(?!\d))")
_FRAC = re.compile(r"\\[dtc]?frac\s?(?:\{\s?(-?\d{1,40})\s?\}\s?\{\s?(\d{1,40})\s?\}|(\d)\s?(\d))")
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|boxed|fbox|operatorname|left|right|displaystyle)(?![a-zA-Z])"
    r"|\\[,;:! ]|~|\*\*|__|\\[()\[\]]"
)
_ESCAPED = re.compile(r"\\([$%#&_{}])")
_SUBSCRIPT = re.compile(r"(?<=[_^])\{")
_SIGNED_MONEY = re.compile(r"(?<=-)\s?[$€£¥₹]\s?(?=[\d.])")
_IGNORED = re.compile(r"[{}$€£¥₹]")
_DEGREE = re.compile(r"\^\s?\{?\s?\\circ(?![a-zA-Z])\s?\}?|\\degree(?![a-zA-Z])")

# Scripts that put no space between words: every character is a token.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LATIN = "a-zß-öø-ÿ"
_PLAIN_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+(?:\.\d+)*|\.\d+)"
_TOKEN = re.compile(
    rf"(?P<fraction>(?:(?<![\w)\]}}.%])-)?{_PLAIN_NUMBER}(?:/{_PLAIN_NUMBER})+)"
    rf"|(?P<number>(?:(?<![\w)\]}}.%])-)?{_PLAIN_NUMBER})"
    rf"|(?P<word>[{_LATIN}][{_LATIN}0-9_\u0300-\u036f]*(?:'[{_LATIN}]+)?|\\[a-z]+|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+)"
    r"|(?P<other>\S)"
)
_MATH = frozenset("+-*/^_=<>|\\!×÷·±√")
_VARIABLES = frozenset("abdefijnopqrtuvwxyz")  # "12i"; but "12m" is a length
_NO_UNIT = _VARIABLES | {"st", "nd", "rd", "th"}
_NUMBERED = frozenset({"step", "case", "part", "equation", "figure", "table"})
_LIST_LABEL = re.compile(r"\s{0,8}(?:[-*•#>]{1,6}\s{1,4})?(?:\*\*)?\d{1,3}[.)](?:\*\*)?\s{1,4}(?=[^\W\d]|[\\$*])")


_SAYS = r"(?i:\s{0,3}(?::|=|(?:is|was|be|must be|would be|should be)(?![a-z])\s{0,3}:?)\s{0,3})"
_NOUN = r"(?i:answer|solution|conclusion|verdict|correct (?:option|choice))"
_ANNOUNCES = re.compile(rf"{_NOUN}{_SAYS}(?i:(?:the|an?)\s)?(?:[(\[]?[A-Z][)\].:]{{1,2}}\s)?")


class Token(NamedTuple):
    text: str
    value: Number | None
    tight: bool
    """No white space before it."""
    kind: str


def states_answer(step_text: str, answers: Sequence[str], question: str, choices: Sequence[str] | None = None) -> bool:
    r"""Whether the step writes down one of the gold answers, and the question does not.

    Numbers are compared by value (1,234.0 is 1234; `\frac{1}{2}` is 0.5), whole: 72 is not in 720, 7.2, 1/72, x_{72},
    72x or "Step 72:". Texts match as a run of whole words; case, punctuation, LaTeX wrappers and plurals aside. A
    single letter, "yes" or "no" counts only where it is announced ("(B)", "option B", "the answer is no"). A formula is
    also stated by an equal one (`formulas`).

    Where the gold answer is one of `choices`, naming its letter states it, too; the option list does not count as part
    of the question; and a step that names other options beside it discusses them: there it must be announced.
    """
    return AnswerMatcher(answers, question, choices).states(step_text)


class AnswerMatcher:
    """`states_answer` for many steps of one chain: gold answers, options and question are read once."""

    def __init__(self, answers: Sequence[str], question: str, choices: Sequence[str] | None = None) -> None:
        asked = _Text(question)
        options = list(choices or ())
        listed = [answer for answer in answers if answer in options]
        golds = [gold for answer in answers if answer not in options and (gold := _gold(answer)) is not None]
        self._golds = [gold for gold in golds if not gold.occurs(asked, in_question=True)]
        self._options = None
        if listed:
            self._options = _Options(options, listed, _Text(without_option_list(question, options)))

    def states(self, step_text: str) -> bool:
        if not self._golds and self._options is None:
            return False
        label = _LIST_LABEL.match(step_text)
        step = _Text(step_text[label.end() :] if label else step_text)
        if any(gold.occurs(step, in_question=False) for gold in self._golds):
            return True
        return self._options is not None and self._options.stated(step)


class _Text:
    """A text in normal form, as tokens, and as strings of tokens that `in` can search."""

    def __init__(self, text: str) -> None:
        self.raw = text
        self.plain = _normalise(text)
        self.tokens = _tokens(self.plain)
        self._joined: dict[bool, str] = {}

    def joined(self, words_only: bool) -> str:
        if words_only not in self._joined:
            self._joined[words_only] = _join(self.tokens, words_only)
        return self._joined[words_only]


@dataclass(frozen=True)
class _NumberGold:
    value: Number
    unit: str

    def occurs(self, text: _Text, in_question: bool) -> bool:
        del in_question
        tokens = text.tokens
        return any(
            token.value == self.value and self._stands_alone(tokens, index) for index, token in enumerate(tokens)
        )

    def _stands_alone(self, tokens: Sequence[Token], index: int) -> bool:
        token = tokens[index]
        if token.kind == "fraction" and self.value[1] == 1:
            return False  # 72/2 is a computation, not 36 written down
        if token.tight and index and tokens[index - 1].text in ("/", "^", "_"):
            return False
        if index and tokens[index - 1].text in _NUMBERED:
            return False  # Step 72
        if token.tight and index > 1 and tokens[index - 1].text == ":" and tokens[index - 2].value is not None:
            return False  # 7:20
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if after is None or after.kind != "word":
            return True
        if after.tight and after.text in _NO_UNIT:
            return False  # 2x, 2nd
        return not self.unit or _singular(after.text) == self.unit


@dataclass(frozen=True)
class _TextGold:
    joined: str
    words_only: bool

    def occurs(self, text: _Text, in_question: bool) -> bool:
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


class _FormulaGold:
    """A formula as it is written, or one that equals it."""

    def __init__(self, written: _TextGold, answer: str) -> None:
        self.joined = written.joined
        self._written = written
        self._matcher = FormulaMatcher(answer)
        self._question = ""
        self._in_question: bool | None = None

    def occurs(self, text: _Text, in_question: bool) -> bool:
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


@dataclass(frozen=True)
class _ShortGold:
    """A letter or a word like "yes", which prose is full of: it must be announced."""

    announced: re.Pattern[str]
    named: re.Pattern[str]

    def occurs(self, text: _Text, in_question: bool) -> bool:
        # The question lists its options as "(B) …": that gives nothing away.
        return self.is_announced(text) or (not in_question and self.named.search(text.plain) is not None)

    def is_announced(self, text: _Text) -> bool:
        return self.announced.search(text.plain) is not None


_Gold = _NumberGold | _TextGold | _FormulaGold | _ShortGold


class _Options:
    """The gold options among all: named by letter or text, or announced."""

    def __init__(self, options: Sequence[str], golds: Sequence[str], asked: _Text) -> None:
        is_gold = [option in golds for option in options]
        read = [_gold(option) for option in options]
        # Options that are letters themselves are meant by their texts.
        by_letter = not any(_is_letter(option) for option in options)
        letters = [_short_gold(chr(ord("a") + i)) if by_letter and i < 26 else None for i in range(len(options))]
        self._letters = [letter for letter, gold in zip(letters, is_gold, strict=True) if letter and gold]
        self._other_letters = [letter for letter, gold in zip(letters, is_gold, strict=True) if letter and not gold]
        hidden = [one is not None and not one.occurs(asked, in_question=True) for one in read]
        self._golds = [one for one, gold, new in zip(read, is_gold, hidden, strict=True) if one and gold and new]
        self._others = [one for one, gold in zip(read, is_gold, strict=True) if one and not gold]

    def stated(self, step: _Text) -> bool:
        if any(letter.is_announced(step) for letter in self._letters):
            return True
        if any(_announced_text(gold, step) for gold in self._golds):
            return True
        if any(letter.occurs(step, in_question=False) for letter in self._other_letters):
            return False
        if any(letter.occurs(step, in_question=False) for letter in self._letters):
            return True
        return any(gold.occurs(step, in_question=False) for gold in self._golds) and not self._discussed(step)

    def _discussed(self, step: _Text) -> bool:
        """Whether the text of another option occurs, other than as a part of the gold one."""
        golds = [gold for gold in self._golds if isinstance(gold, _TextGold) and gold.words_only]
        if not golds:
            return False  # numbers and formulas of a computation name no option
        words = step.joined(words_only=True)
        others = sorted((one for one in self._others if isinstance(one, _TextGold)), key=lambda one: -len(one.joined))
        longer = [one.joined for one in others if any(gold.joined in one.joined for gold in golds)]
        if any(one in words for one in longer):
            return True
        for gold in golds:
            words = words.replace(gold.joined, "\x1f\x1e\x1f")
        return any(one.joined in words for one in others)


def _gold(answer: str) -> _Gold | None:
    text = _Text(answer)
    tokens = text.tokens
    while tokens and tokens[-1].text in (".", ",", ";", ":", "!", "?"):
        tokens = tokens[:-1]
    words = [token.text for token in tokens if token.kind == "word"]
    if not tokens:
        return None
    first = tokens[0]
    others_are_units = all(token.kind == "word" or token.text in ("%", "°") for token in tokens[1:])
    if first.value is not None and len(tokens) <= 4 and others_are_units and not _is_product(tokens):
        return _NumberGold(first.value, _singular(words[0]) if words else "")
    word = _bare_word(tokens)
    if word is not None and (word in _COMMON_WORDS or (len(word) == 1 and word.isascii() and word.isalpha())):
        return _short_gold(word)
    is_text = any(len(word) > 2 and not word.startswith("\\") for word in words) or (
        bool(words) and not any(token.text in _MATH or token.value is not None for token in tokens)
    )
    joined = _join(tokens, words_only=is_text)
    if not joined.strip("\x1f"):
        return None
    written = _TextGold(joined, is_text)
    return written if is_text else _FormulaGold(written, answer)


def _is_product(tokens: Sequence[Token]) -> bool:
    r"""Whether a number is a factor, as in 2x or 3\pi, and no quantity."""
    after = tokens[1] if len(tokens) > 1 else None
    return after is not None and (after.text.startswith("\\") or (after.tight and after.text in _VARIABLES))


def _is_letter(option: str) -> bool:
    word = _bare_word(_Text(option).tokens)
    return word is not None and len(word) == 1 and word.isascii() and word.isalpha()


def _announced_text(gold: _Gold, step: _Text) -> bool:
    """Whether the option's own text follows "the answer is", perhaps behind its letter."""
    if not isinstance(gold, _TextGold | _FormulaGold):
        return isinstance(gold, _ShortGold) and gold.is_announced(step)
    for match in _ANNOUNCES.finditer(step.plain):
        said = _tokens(step.plain[match.end() : match.end() + 2 * len(gold.joined) + 20])
        words_only = isinstance(gold, _TextGold) and gold.words_only
        if _join(said, words_only).startswith(gold.joined):
            return True
    return False


def _bare_word(tokens: Sequence[Token]) -> str | None:
    inner = [token for token in tokens if token.text not in ("(", ")", "[", "]", '"', "'")]
    return inner[0].text if len(inner) == 1 and inner[0].kind == "word" else None


def _short_gold(word: str) -> _ShortGold:
    # Steps are in normal form, so without emphasis and dollars; letters keep their case.
    upper = word.upper()
    letter = len(word) == 1
    exact = upper if letter else f"(?i:{word})"
    end = rf"(?![{_LATIN}A-Z0-9_'])"
    announced = (
        rf"{_NOUN}{_SAYS}(?i:(?:option|choice)\s{{0,3}})?[(\[]?{exact}{end}",
        rf"{_NOUN}{_SAYS}[(\[]?{word}(?:[)\]]|\s{{0,3}}[.!]?\s{{0,3}}$)",
        rf"####\s{{0,3}}{exact}{end}",
    )
    alone = r"^\s{0,3}(?i:(?:option|choice|solution|answer)[\s_:]{0,3}){0,2}"
    named = [rf"{alone}[(\[]?{exact}[)\]]?\s{{0,3}}[.!,]?\s{{0,3}}$"]
    if letter:
        either = upper if word == "i" else f"{upper}|{word}"  # "(i)" is a Roman one
        named += [
            rf"(?<![\w)}}\]])[(\[](?:{either})[)\]]",  # not P(B)
            rf"(?i:therefore|thus|hence|so)[,:]?\s{{1,3}}{upper}\s{{0,3}}[.!]?\s{{0,3}}$",
            rf"(?i:option|choice|select|choose|pick)[\s_:]{{1,3}}{upper}{end}",
            rf"(?<![\w(]){upper}\)",
            rf"(?<!\w){upper}\s(?i:is\s(?:the\s)?(?:correct|right|best|answer))",
        ]
    else:
        named += [rf"^\s{{0,3}}{exact}[,.!:;]", rf"[\"'“]{exact}[.\"'”]"]
    return _ShortGold(re.compile("|".join(announced)), re.compile("|".join(named)))


def _normalise(text: str) -> str:
    text = _THOUSANDS.sub(",", text).translate(_PLAIN_CHARS)
    if "\\" in text:
        text = _FRAC.sub(lambda m: f" {m[1] or m[3]}/{m[2] or m[4]} ", text)
        text = _DEGREE.sub("°", text)
    text = _WRAPPER.sub(" ", text)
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


def _value(text: str) -> Number | None:
    """The number a token writes; None for dates, versions and numbers of more than 40 digits."""
    if len(text) > 2 * _MAX_DIGITS or text.count("/") > 1:
        return None
    numerator, _, denominator = text.replace(",", "").partition("/")
    top, bottom = _decimal(numerator), _decimal(denominator or "1")
    if top is None or bottom is None or not bottom[0]:
        return None
    a, b = top[0] * bottom[1], top[1] * bottom[0]
    divisor = gcd(a, b)
    return a // divisor, b // divisor


def _decimal(text: str) -> Number | None:
    whole, _, part = text.partition(".")
    if "." in part or len(text) > _MAX_DIGITS:
        return None
    return int(whole + part), 10 ** len(part)


def _join(tokens: Sequence[Token], words_only: bool) -> str:
    """The tokens as one string; of a text of words alone those, each in the form that its plural has, too."""
    parts = [_key(token, words_only) for token in tokens if not words_only or token.kind != "other"]
    return "\x1f" + "\x1f".join(parts) + "\x1f"


def _key(token: Token, folded: bool) -> str:
    if token.value:
        return f"{token.value[0]}/{token.value[1]}"
    text = unicodedata.normalize("NFC", token.text[:200])
    return fold_plural(text) if folded and token.kind == "word" else text


def _extends(neighbour: str, left: bool) -> bool:
    """Whether a token beside a formula makes it part of a larger one: x+1 is not stated by 2x+1."""
    if neighbour in _MATH - {"=", "<", ">", "|"} or neighbour in ("/", "\\cdot", "\\times"):
        return True
    return left and bool(re.fullmatch(r"-?\d+/\d+", neighbour))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 2 and word.endswith("s") else word
