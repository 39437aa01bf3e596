"""The claim extractor `arithmetic`: finds equations over numbers in steps, one claim for each equals sign.

Left out, because numbers alone cannot decide them: equations with variables or functions, definitions without an
operation (`x = 5`, `1 hour = 60 minutes`), sentences that ask, assume or deny, modular arithmetic and other number
bases, code and addresses, equations of more than 1,000 characters. Commas group thousands and points mark decimals
("1,234.5"); decimal commas are left out. Where a notation is ambiguous the extractor prefers to miss an equation over
reading it wrongly.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from ...numbers import ASCII_DIGITS
from ...trace import Step, Trace
from ..base import ClaimExtractor
from ..types import Claim
from .equation import MAX_CLAIM_CHARACTERS, RELATIONS, Comparison, Equation, compare, read
from .evaluate import BoundExceeded, NotArithmetic, Undefined, evaluate, operations
from .judge import EQUATION
from .sides import Sides
from .tokens import Note, Token, tokenize
from .units import OPENERS

_RELATION = re.compile(r"=|≈|≃|≅|\\approx|\\simeq|~=|\b(?:is|equals?)\b")
# Arithmetic in these is not that of the integers.
_OTHER_ARITHMETIC = re.compile(
    r"\\equiv|≡|\\p?mod\b|\\bmod|\bmod(?:ulo|ular)?\b|\bbase[- ](?:\$|\\\()?\d|\\mathbb\s?\{?[ZF]\}?_|(?-i:\bZ_\{?\d)"
    r"|\bGF\(|ℤ"
    r"|\b(?:binary|hexadecimal|octal|(?:units?|ones|last) digits?|last (?:two|three|\d) digits)\b"
    r"|\bremainders?\s+(?:when|upon|if|is|of\s+[\d$\\])|\b(?:leaves?|with)\s+(?:a\s+)?remainders?\b",
    re.IGNORECASE,
)
# The letter x where it does not stand before a number, so that it names something.
_X_IS_A_NAME = re.compile(r"(?<![A-Za-z\\])[xX](?![A-Za-z]|\s{0,3}[\d(\[$\\.])")
_CODE = re.compile(
    r"```.{0,20000}?(?:```|\Z)|`[^`\n]{1,500}`"
    r"|\b[a-z]{2,10}://\S+|\bwww\.\S+|\[asy\](?:(?!\[asy\]).){0,20000}?\[/asy\]",
    re.DOTALL,
)
# The rest of the sentence denies the equation, or what stands before it only tries it out.
_DENIED = re.compile(
    r"\b(?:not|cannot|false|incorrect|wrong|untrue|invalid|impossible|contradicts?|contradiction|contradictory|errors?"
    r"|mistakes?|mismatch|differs?)\b|n['’]t\b|≠|\\neq?\b|!=",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?](?=\s)|\n")
# Not every blank: a thin one may group digits.
_BLANKS = re.compile(r"[ \t\n\r]+")
_OPENING = re.compile(r"\\(?:left|[bB]igg?l?)\s?$")
_TEXT_END = re.compile(r"[^{}$\n]{0,60}\}")
_SUPPOSED = re.compile(
    r"\b(?:substitut|plug)[a-z]{0,5}\b.{0,80}\b(?:equations?|inequality)\b[^.]{0,40}$|\bequations?\s*[:,]?\s*[\\$(\[]*$"
    # "B) 3/8 = 15/48": an option that is tried out.
    r"|^[\s*-]*(?:\([A-J]\)|[A-J][).:])\s*\$?$|\b(?:choice|option)[ _]?\(?[A-J]\)?\s*[:,]?\s*\$?$"
    r"|\b(?:if|whether|suppose|assum\w{1,4}|unless)\s\$?$",
    re.IGNORECASE,
)


class _Found(NamedTuple):
    """An equation in a text: its claim text and its span there."""

    text: str
    start: int
    end: int


def extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
    """Per trace, the equations in its steps, in reading order; spans are positions in the response."""
    return [_extract(trace, own) for trace, own in zip(traces, steps, strict=True)]


ARITHMETIC = ClaimExtractor("arithmetic", extract)


def _extract(trace: Trace, steps: Sequence[Step]) -> list[Claim]:
    if _OTHER_ARITHMETIC.search(trace.question) or _OTHER_ARITHMETIC.search(trace.response):
        return []
    x_times = not _X_IS_A_NAME.search(trace.response)
    return [
        Claim(found.text, index, step.start + found.start, step.start + found.end, EQUATION)
        for index, step in enumerate(steps)
        for found in find_equations(step.text, x_times=x_times)
    ]


def find_equations(text: str, *, x_times: bool = True) -> list[_Found]:
    """The equations over numbers in `text`, in reading order."""
    out: list[_Found] = []
    # Code and addresses are blanked out, which keeps positions, as do ASCII digits in the place of others.
    text = _CODE.sub(lambda match: "`" * len(match.group()), text).translate(ASCII_DIGITS)
    for start, end in _windows(text):
        out.extend(_Window(text, start, end, x_times).equations())
    return out


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Stretches around relation signs that together hold every equation of at most MAX_CLAIM_CHARACTERS."""
    start = end = -1
    for match in _RELATION.finditer(text):
        low, high = match.start() - MAX_CLAIM_CHARACTERS, match.end() + MAX_CLAIM_CHARACTERS
        if end < 0:
            start = max(low, 0)
        elif low > end:
            yield start, min(end, len(text))
            start = low
        end = high
    if end >= 0:
        yield start, min(end, len(text))


class _Window:
    """One stretch of text, cut into tokens."""

    def __init__(self, text: str, start: int, end: int, x_times: bool) -> None:
        self.text = text
        self.tokens, self.notes = tokenize(text, start, end, x_times=x_times)
        # A token at the edge of a window inside the text may be half a token: no equation may reach it.
        self.first = 1 if start > 0 else 0
        self.stop = len(self.tokens) - (1 if end < len(text) else 0)
        self.sides = Sides(text, self.tokens, self.first, self.stop)

    def equations(self) -> list[_Found]:
        found: list[tuple[_Found, bool]] = []
        middles = [i for i in range(self.first, self.stop) if self.tokens[i].kind in RELATIONS]
        for middle, following in zip(middles, [*middles[1:], -1], strict=False):
            one = self._equation(middle, following)
            if one is not None:
                found.append(one)
        return self._with_notes(found)

    def _equation(self, middle: int, following: int) -> tuple[_Found, bool] | None:
        """The equation around `tokens[middle]`, and whether its left side is bare of words.

        following: index of the next relation sign, or -1.
        """
        end = self.sides.right_end(middle + 1)
        if end is None:
            return None
        goes_on = end == following
        start = self.sides.left_start(middle)
        if start is None:
            return None
        right = self.tokens[middle + 1 : end]
        relation = self.tokens[middle]
        if relation.kind in ("is", "isabout") and not self._says_is(relation, start, middle, right):
            return None
        outcome = None
        for begin in self.sides.starts(start, middle):
            tried = self._outcome(begin, middle, end)
            if tried is None:
                continue
            if outcome is None or tried.label == "supported":
                outcome, start = tried, begin
            if tried.label == "supported":
                break
        if outcome is None:
            return None
        left = self.tokens[start:middle]
        if outcome.label != "supported":
            # "10 - 3 = 7 - 2 = 5": each result goes into the next calculation.
            for shorter in self.sides.shorter_ends(middle, end, goes_on):
                tried = self._outcome(start, middle, shorter)
                if tried is not None and tried.label == "supported":
                    outcome, end = tried, shorter
                    break
        if outcome.label == "contradicted" and goes_on and _goes_into(left, right):
            # "0.5 = 0.5/2 = 0.25": a calculation that starts from the last result.
            return None
        if not self._asserted(start, end):
            return None
        bare = not any(token.kind in ("word", "%") or token.label for token in left)
        text, a, b = self._claim_text(start, end)
        if not _reads_alone(text, outcome):
            return None
        return _Found(text, a, b), bare

    def _outcome(self, start: int, middle: int, end: int) -> Comparison | None:
        left, right = self.tokens[start:middle], self.tokens[middle + 1 : end]
        if not left or not right or right[-1].end - left[0].start > MAX_CLAIM_CHARACTERS:
            return None
        if not _is_claim(left, right):
            return None
        try:
            return compare(Equation(left, right, self.tokens[middle].kind in ("approx", "isabout")), self.text)
        except NotArithmetic:
            return None

    def _claim_text(self, start: int, end: int) -> tuple[str, int, int]:
        a, b = self.tokens[start].start, self.tokens[end - 1].end
        if opening := _OPENING.search(self.text, max(a - 8, 0), a):
            a = opening.start()
        last = self.tokens[end - 1]
        if last.texted and last.text == self.text[last.start : last.end] and (closing := _TEXT_END.match(self.text, b)):
            b = closing.end()
        if self.text.startswith("**", b) and self.text.count("**", a, b) % 2:
            b += 2
        pieces, position = [], a
        for note in self.notes[bisect_left(self.notes, (a,)) : bisect_left(self.notes, (b,))]:
            pieces.append(self.text[position : note.start - 2])
            position = note.end + 2
        pieces.append(self.text[position:b])
        text = _BLANKS.sub(" ", "".join(pieces))
        first = self.tokens[start]
        sign = self.text[a - 1] if a else ""
        # A dollar sign before the first number is money if there is another inside; else it may open a formula.
        if (
            first.money
            and sign in "$€£¥₹"
            and (sign in text or sign != "$" or "word" in (t.kind for t in self.tokens[start : start + 3]))
        ):
            text, a = sign + text, a - 1
        return text, a, b

    def _says_is(self, relation: Token, start: int, middle: int, right: Sequence[Token]) -> bool:
        """Whether "is" between two amounts means "equals"."""
        left = self.tokens[start:middle]
        if not operations(left):
            return False
        if relation.text.lower() != "is":
            return True
        before = self.tokens[start - 1] if start > self.first else None
        if before is not None and before.kind == "word" and before.text.lower() not in OPENERS:
            # "the number of divisors of 3 * 4 is 6"
            return False
        operators = [t for t in left if t.kind == "op"]
        fraction = len(operators) == 1 and operators[0].text in "/-" and operators[0].glued
        return bool(operators) and not fraction and not any(t.kind == "op" for t in right)

    def _asserted(self, start: int, end: int) -> bool:
        behind = self.tokens[end - 1].end
        tail = self.text[behind : behind + 160]
        head = self.text[max(self.tokens[start].start - 160, 0) : self.tokens[start].start]
        if _DENIED.search(_SENTENCE_END.split(tail, 1)[0]) or _SUPPOSED.search(head.rpartition("\n")[2]):
            return False
        unit = end
        while unit < self.stop and unit - end < 4 and self.tokens[unit].kind == "word":
            unit += 1
        return not (unit < self.stop and self.tokens[unit].text.startswith("?"))

    def _with_notes(self, found: list[tuple[_Found, bool]]) -> list[_Found]:
        """One claim for an annotation and the text around it: the text's if it is bare arithmetic, else the note's."""
        out = [one for one, _ in found]
        starts = [one.start for one in out]
        extra: list[_Found] = []
        for note in self.notes:
            inner = [
                _Found(one.text, note.start + one.start, note.start + one.end)
                for one in _note_equations(self.text[note.start : note.end])
            ]
            if not inner:
                continue
            around = bisect_right(starts, note.start) - 1
            if around < 0 or note.end > out[around].end:
                extra.extend(inner)
            elif not found[around][1] and self._same_result(note):
                out[around] = _Found(inner[-1].text, out[around].start, out[around].end)
        return sorted([*out, *extra], key=lambda one: (one.start, one.end))

    def _same_result(self, note: Note) -> bool:
        """Whether the number behind the annotation is the annotation's own result."""
        if note.index >= len(self.tokens) or self.tokens[note.index].kind != "num":
            return True
        result, _ = tokenize(self.text[note.start : note.end].rpartition("=")[2])
        return _value(result[:2]) == _value([self.tokens[note.index]])


def _note_equations(inner: str) -> list[_Found]:
    return _Window(inner, 0, len(inner), True).equations() if "<" not in inner else []


def _is_claim(left: Sequence[Token], right: Sequence[Token]) -> bool:
    """Whether the two sides assert something of numbers, not a rate of conversion or a label."""
    if right[0].text == "(" and len(right) == 3 and not any(t.kind == "op" for t in left):
        # "(123)(12) = (132)": permutations.
        return False
    count = operations(left)
    named = any(t.kind in ("word", "%") for t in left)
    if not count:
        # "3 boxes = 3 * 12": the number names something. "24 = 48/2" is a claim.
        return not named
    written = [t for t in left if t.kind not in ("word", "%")]
    if count == 1 and named and _is_tight(written, "/"):
        # "1/2 hour = 30 minutes", "pages 3/4 = …": a fraction of something.
        return False
    if count == 1 and _is_tight(left, "-") and right[0].kind == "num" and _value(left[:1]) < _value(left[2:3]):
        # "pages 5-10 = 6": a range.
        return False
    if any(t.label == "word" for t in (*left, *right)):
        # "3 plus 4 times 2" is read from left to right by some.
        return len({t.text in "+-" for t in (*left, *right) if t.kind == "op"}) <= 1
    return True


def _is_tight(tokens: Sequence[Token], sign: str) -> bool:
    """Whether `tokens` begin with two numbers and `sign` between them without blanks."""
    kinds = [token.kind for token in tokens[:3]]
    return kinds == ["num", "op", "num"] and tokens[1].text == sign and tokens[1].glued and tokens[2].glued


def _reads_alone(text: str, outcome: Comparison) -> bool:
    """Whether a judge who sees the claim's text alone comes to the same conclusion."""
    try:
        return compare(read(text), text).label == outcome.label
    except NotArithmetic:
        return False


def _goes_into(left: Sequence[Token], right: Sequence[Token]) -> bool:
    return not operations(left) and right[0].kind == "num" and _value(left) == _value(right[:1])


def _value(tokens: Sequence[Token]) -> Fraction | float:
    try:
        return evaluate(tokens).value
    except (NotArithmetic, BoundExceeded, Undefined):
        return math.nan
