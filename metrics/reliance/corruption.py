"""Steps put wrong: each number moved by 1 to 3; where there is none, words of another question's chain.

What is put in hangs on the chain and the step alone, never on chance or order, the same on every machine; for a step
without a number also on which other chains are at hand.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Collection, Sequence

from ..answers.matching import AnswerMatcher
from ..controls.other_chains import ForeignSteps
from ..likelihood import Unscored
from ..trace import Trace
from .own import toward

MOST_MOVED = 3
# Steps of other chains, at least, whose words are at hand to corrupt a step with.
_WORDS_FROM = 16
NO_WORDS = Unscored(
    "no words of another question's chain are at hand to corrupt a step with: score more chains together"
)

# "Step 3:", "2.", "- 4)": what counts the steps says nothing.
_LABEL = re.compile(
    r"\s{0,8}(?:[-*•#>]{1,6}\s{0,4})?(?:\*\*)?(?:step\s?)?[0-9]{1,3}\s?[.:)](?=[\s*]*\S)", re.IGNORECASE
)
# The whole part of a number; what follows it (decimals, %) stays. Digits within a name ("B12", "x_1") are none.
_WHOLE = re.compile(r"(?<!\w)(?<![0-9]\.)(?:[0-9]{1,3}(?:,[0-9]{3}){1,12}|[0-9]{1,40})(?![0-9])")
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

    @functools.cache
    def other_words() -> list[str]:
        if foreign is None:
            return []
        matcher = AnswerMatcher(itself.answers, itself.question, itself.choices)
        drawn, _ = foreign.draw(itself, matcher, max(len(texts), _WORDS_FROM))
        return [word for text in drawn for word in content_words(text)]

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
    kept_out = {_value(number) for number in _WHOLE.findall(own)}

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
    if "," in written:
        return f"{new:,}"
    return str(new).zfill(len(written)) if written.startswith("0") and len(written) > 1 else str(new)


def _value(written: str) -> int:
    return int(written.replace(",", ""))


def _drawn(key: str, count: int) -> int:
    """A number from 0 to count - 1 that hangs on `key` alone."""
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % count
