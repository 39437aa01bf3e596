"""Steps put wrong: each number moved by 1 to 3; where there is none, words of another question's chain.

What is put in hangs on the chain and the step alone, never on chance or order, the same on every machine; for a step
without a number also on which other chains are at hand.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Collection, Sequence

from ..answers.golds import UNSPACED
from ..answers.matching import AnswerMatcher
from ..controls.other_chains import ForeignSteps
from ..likelihood import Unscored
from ..numbers import ASCII_DIGITS, GROUP_MARK, find_numbers
from ..trace import Trace
from .own import toward

MOST_MOVED = 3
# Steps of other chains, at least, whose words are at hand to corrupt a step with.
_WORDS_FROM = 16
NO_WORDS = Unscored(
    "no words of another question's chain are at hand to corrupt a step with: score more chains together"
)

# "Step 3:", "2.", "- 4)": what counts the steps says nothing. But "2.50 * 4" and "12:30" begin with a number.
_LABEL = re.compile(
    r"\s{0,8}(?:[-*•#>]{1,6}\s{0,4})?(?:\*\*)?(?:step\s?)?\d{1,3}\s?(?:[.:](?!\d)|\))(?=[\s*]*\S)", re.IGNORECASE
)
# The whole part of a number, in digits of any script; what follows it (decimals, %) stays, as do the decimals of ".25".
# Digits within a name ("B12", "x_1") are none; scripts that put no space between words have no such names.
_WHOLE = re.compile(
    rf"(?<![^\W{UNSPACED}])(?<!\d)(?<!\d[.٫])(?<!^\.)(?<![\s(=$£€]\.)"
    rf"(?:\d{{1,3}}(?:{GROUP_MARK}\d{{3}}){{1,12}}|\d{{1,40}})(?!\d)"
)
_GROUP_MARK = re.compile(GROUP_MARK)
_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{3,}")  # no command of LaTeX
# Words of three letters and more that say nothing of a question.
_EMPTY_WORDS = """
    about above after again all also although and any are because been before below between both but can cannot could
    did does doing down during each either even few for from further got had has have having hence her here him his
    how however into its itself just let may more most must need needs neither next nor not now off only onto other
    our out over own per same see shall she should since some still such than that the their them then there therefore
    these they this those though through thus too under until upon use very via want was way were what when where
    which while who whose will with within without would yes yet you your
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


def corruptions_of(
    trace: Trace, texts: Sequence[str], own: str, foreign: ForeignSteps | None
) -> list[str | Unscored | None]:
    """Each step of a chain put wrong, as `corrupted` gives it.

    Args:
        own: the chain's own answer.
        foreign: steps of other chains, whose words are put in where they do not state the own answer.
    """
    itself = toward(trace, own)
    own_words = {word.casefold() for word in _WORD.findall(own)}

    @functools.cache
    def other_words() -> list[str]:
        if foreign is None:
            return []
        matcher = AnswerMatcher(itself.answers, itself.question, itself.choices)
        drawn, _ = foreign.draw(itself, matcher, max(len(texts), _WORDS_FROM))
        words = [word for text in drawn for word in content_words(text)]
        return [word for word in words if word.casefold() not in own_words]

    return [corrupted(text, f"{itself.hash} {k}", own, other_words) for k, text in enumerate(texts)]


def content_words(text: str) -> list[str]:
    """Words of three letters and more, but for those that say nothing of a question."""
    return [word for word in _WORD.findall(text) if word.casefold() not in _EMPTY]


def corrupted(step: str, key: str, own: str, other_words: Callable[[], Sequence[str]]) -> str | Unscored | None:
    """A step put wrong.

    Every number is moved by 1 to 3, up or down, and written as it was: 12.50 becomes 14.50, 1,200 becomes 1,203, 5 %
    becomes 3 %. It never becomes 0 or less, nor a number of the own answer, and the number of a step ("Step 3:") stays.
    Where there is no number, each content word is replaced by one of another question's chain.

    Args:
        key: names chain and step.
        own: the chain's own answer, which must not be put into it.
        other_words: content words of other questions' chains.

    Returns: None where the step holds neither number nor content word; why it could not be corrupted.
    """
    label = _LABEL.match(step)
    begin = label.end() if label else 0
    head, body = step[:begin], step[begin:]
    count = 0
    kept_out = _wholes(own)

    def moved(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return _moved(match[0], f"{key} number {count}", kept_out)

    changed = _WHOLE.sub(moved, body)
    if count:
        return head + changed
    if not content_words(body):
        return None
    known = {word.casefold() for word in content_words(body)}
    words = [word for word in dict.fromkeys(map(str.casefold, other_words())) if word not in known]
    if not words:
        return NO_WORDS

    def replaced(match: re.Match[str]) -> str:
        nonlocal count
        if match[0].casefold() in _EMPTY:
            return match[0]
        count += 1
        word = words[_drawn(f"{key} word {count}", len(words))]
        return word.capitalize() if match[0][0].isupper() else word

    return head + _WORD.sub(replaced, body)


def _moved(written: str, key: str, kept_out: Collection[int]) -> str:
    """The number up or down by 1 to 3, above 0 and none of `kept_out`."""
    value = _value(written)
    steps = [by for by in range(-MOST_MOVED, MOST_MOVED + 1) if by and value + by > 0]
    allowed = [value + by for by in steps if value + by not in kept_out] or [value + MOST_MOVED + 1]
    new = allowed[_drawn(key, len(allowed))]
    return _written_as(new, written)


def _written_as(value: int, written: str) -> str:
    """A number with the leading zeros, the mark between groups and the script's digits of another."""
    if mark := _GROUP_MARK.search(written):
        digits = f"{value:,}".replace(",", mark[0])
    elif int(written[0]) == 0:
        digits = str(value).zfill(len(written))
    else:
        digits = str(value)
    zero = ord(written[0]) - int(written[0])
    return digits.translate({ord("0") + i: zero + i for i in range(10)})


def _value(written: str) -> int:
    return int("".join(char for char in written if char.isdecimal()))


def _wholes(text: str) -> set[int]:
    """The whole parts of the numbers in a text, in digits or in words, under each way to read them."""
    ascii_text = text.translate(ASCII_DIGITS).replace("−", "-")
    read = {abs(int(value)) for number in find_numbers(ascii_text) for value in number.values}
    return read | {_value(number) for number in _WHOLE.findall(text)}


def _drawn(key: str, count: int) -> int:
    """A number from 0 to count - 1 that hangs on `key` alone."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count
