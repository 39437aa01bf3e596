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

from ...trace import Step, Trace
from ..base import ClaimExtractor
from ..types import Claim, ExtractionFailed
from .equation import MAX_CLAIM_CHARACTERS, RELATIONS, Comparison, decide
from .evaluate import BoundExceeded, NotArithmetic, Undefined, evaluate
from .judge import EQUATION
from .sides import Sides
from .tokens import Note, Token, in_ascii, tokenize
from .units import IS_AFTER, MEASURED, OPENERS, SHARES, unit

# "is" and "equals" count before a number only.
MAX_SIGNS = 5_000  # of a chain; real ones hold a few hundred at most
_RELATION = re.compile(r"=|≈|≃|≅|\\approx|\\simeq|~=|\b(?:is|equals?)\b(?=[^.;!?\n]{0,40}[\d½⅓⅔¼¾])")
# What a sentence holds before an "is" that means "equals".
_CALCULATES = re.compile(
    r"[\d)}%]\s?(?:\$\s?)?(?:[-+*/^×·⋅•÷−–∕⁄√!]|[xX]\b|\\|(?:of|percent)\b)|sqrt|√|[½⅓⅔¼¾²³]"
    r"|\b(?:times|plus|minus|divided|multiplied)\b"
)
_SENTENCES = re.compile(r"[.!?]\s+(?=[A-Z][a-z])|\n\s*\n\s*")
# One of these words is in every text that `_OTHER_ARITHMETIC` finds something in.
_OTHER_WORDS = (
    "equiv",
    "≡",
    "mod",
    "mathbb",
    "z_",
    "gf(",
    "ℤ",
    "group",
    "base",
    "binary",
    "decimal",
    "octal",
    "digit",
    "remainder",
)
# Arithmetic in these is not that of the integers.
_BASE = r"(?:\$|\\\()?(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twelve|sixteen|[bnk])\b"
_OTHER_ARITHMETIC = re.compile(
    r"\\equiv|≡|\\p?mod\b|\\bmod|\bmod(?:ulo)?\b\s?[({$\\]{0,3}\s?(?:\d|[a-z]\b)"
    r"|\bmodular (?:arithmetic|inverse|reduction|equation|congruence|multiplication|exponentiation)"
    r"|\\mathbb\s?\{?[ZF]\}?_|(?-i:\bZ_\{?\d)|\bGF\(|ℤ|\bgroups?\s+[$\\(]{0,2}[SDAZ]_"
    # A number system, and not the base of a triangle.
    rf"|\b(?:in|into|to|from|using)\s+base[- ]{_BASE}|\bbase[- ]{_BASE}(?:\$|\\\))?[- ]"
    r"(?:numbers?|numerals?|systems?|digits?|representations?|expansions?|notation|arithmetic|integers?|form)\b"
    r"|\b(?:in|into|to|from|as)\s+(?:binary|hexadecimal|octal)\b|\b(?:binary|hexadecimal|octal)\s+(?:numbers?|numerals?"
    r"|digits?|representations?|systems?|strings?|form|expansions?|notation|values?|codes?|arithmetic|addition)\b"
    r"|\b(?:(?:units?|ones|last) digits?|last (?:two|three|\d) digits)\b"
    r"|\bremainders?\b[^.\n]{0,80}\bdivi[ds]|\bdivi[ds]\w*\b[^.\n]{0,80}\bremainders?\b",
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
    r"\b(?:not(?!\s+(?:among|one of the|listed|an option|in the (?:list|options|choices|answers?)))|cannot|false"
    r"|incorrect|wrong|untrue|invalid|impossible|contradicts?|contradiction|contradictory|errors?"
    r"|mistakes?|mismatch|differs?)\b|n['’]t\b|≠|\\neq?\b|!=",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?](?=\s)|\n")
_AROUND = 160  # characters on each side of an equation that are read
# Before "is" and a comma: a list of amounts, and no clause.
_MATHS = re.compile(r"\d.*,|\$.*,|\\.*,", re.DOTALL)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|n['’]t)\s+(?:true|correct|right|valid|possible|the case|say|mean|imply|follow)\b[^.,;]{0,40}$"
    r"|\b(?:false|incorrect(?:ly)?|wrong(?:ly)?|untrue|mistaken(?:ly)?|mistakes?)\b[^.,;]{0,40}$"
    r"|\b(?:claim(?:s|ed)?|thinks?|thought|believe[sd]?|says|said|(?:might|may|could)\s\w+|instead of|rather than)"
    r"(?:\sthat)?[\s:'\"“$(]{0,4}$",
    re.IGNORECASE,
)
# "Try n = 2: …": what follows puts a value into an equation to see whether it holds.
_TRIED = re.compile(
    r"\b(?:try|trying|tried|test(?:ing)?|check(?:ing)?|verify(?:ing)?|suppos(?:e|ing)|assum(?:e|ing)|let(?:['’]s|\sus)"
    r"|plug(?:ging)?|substitut(?:e|ing)|if)\b[^.\n]{0,60}(?<![A-Za-z\\])[a-zA-Z]\s?=\s?[-(\\\d][\w.{}()/\\]{0,20}"
    r"[\s$)\\]{0,5}[,:;]?\s?(?:then|so|we have)?[\s,:$(\\]{0,6}$",
    re.IGNORECASE,
)
# "B) 3/8 = 15/48": an option that is tried out.
_OPTION = re.compile(
    r"^[\s*-]*(?:\([A-J]\)|[A-J][).:])\s*\$?$|\b(?:choice|option)[ _]?\(?[A-J]\)?\s*[:,]?\s*\$?$", re.IGNORECASE
)
# The next sentence speaks of the equation, and denies it.
_DENIED_BEHIND = re.compile(
    r"\W{0,6}(?:(?:th(?:is|at|ese|ey)|which|it|so|but|however|wait|no|nope|oops|hmm|actually|clearly|obviously"
    r"|contradiction|false|wrong|incorrect|impossible|not|the (?:equation|statement|equality|above|last|left))\b"
    r"|[✗✘❌])",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"(?:\bnot|n['’]t)\s+(?:\w+\s)?(?:true|(?:correct|right)(?!\s(?:answer|choice|option))|valid|possible|equal|work|hold"
    r"|match|satisf\w*|the case|a solution|make sense|add up|so)\b|\b(?:false|incorrect|wrong|untrue|invalid|impossible"
    r"|absurd|contradict\w*|mistakes?|errors?|mismatch)\b|^\W{0,6}(?:no|nope)\b|≠|\\neq?\b|!=|[✗✘❌]",
    re.IGNORECASE,
)
_FORMULA_END = re.compile(r"[\d)}]\$(?!\d)")
# A step that a splitter cut off in the middle of a formula: "We have 11 | • 11 • 11 = 11^3".
_AMOUNT_BEFORE = re.compile(r"[\d)}][^\S\n]*\Z|(?:\\(?:cdot|times|div)|(?<=\s)[-+/×·÷])\s*\Z")
_NEAR = 8
_NUMBER_GOES_ON = re.compile(r",\s\d{3}(?!\d)")
_AMOUNTS = ("num", "%", ")", "vulgar")
_IF = re.compile(r"\W*(?:\w+,?\s){0,3}(?:if|suppose|assum(?:e|ing))\b", re.IGNORECASE)
_SPACING = re.compile(r"[\s$\\&]+")
_LEADING_ZERO = re.compile(r"0\d")
_CODE_NAME = re.compile(r"(?:\b[A-Z]{2,}|\b(?:no|number|code|phone|call|id|date|version)\.?)\s$")
# Not every blank: a thin one may group digits.
_BLANKS = re.compile(r"[ \t\n\r]+")
_OPENING = re.compile(r"\\(?:left|[bB]igg?l?)\s?$")
_TEXT_END = re.compile(r"[^{}$\n]{0,60}\}")
_SUPPOSED = re.compile(
    r"\b(?:substitut|plug)[a-z]{0,5}\b.{0,80}\b(?:equations?|inequality)\b[^.]{0,40}$|\bequations?\s*[:,]?\s*[\\$(\[]*$"
    r"|\b(?:if|whether|suppose|assum\w{1,4}|unless)\s\$?$",
    re.IGNORECASE,
)


class _Found(NamedTuple):
    """An equation in a text: its claim text and its span there."""

    text: str
    start: int
    end: int


class _Read(NamedTuple):
    """An equation with its outcome, and the tokens it spans."""

    found: _Found
    outcome: Comparison
    start: int
    end: int


def extract(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim | ExtractionFailed]]:
    """Per trace, the equations in its steps, in reading order; spans are positions in the response.

    A step that holds more than what is left of the chain's `MAX_SIGNS` is marked as read in part.
    """
    return [_extract(trace, own) for trace, own in zip(traces, steps, strict=True)]


ARITHMETIC = ClaimExtractor("arithmetic", extract)


def _extract(trace: Trace, steps: Sequence[Step]) -> list[Claim | ExtractionFailed]:
    if _is_other_arithmetic(trace.question) or _is_other_arithmetic(trace.response):
        return []
    x_times = not _X_IS_A_NAME.search(trace.response)
    out: list[Claim | ExtractionFailed] = []
    left = MAX_SIGNS
    for index, step in enumerate(steps):
        text = _readable(step.text)
        signs = _signs(text)
        if not signs:
            continue
        after = trace.response[step.end : step.end + _AROUND]
        begins = not _AMOUNT_BEFORE.search(trace.response[max(step.start - _NEAR, 0) : step.start])
        for found in _find(text, signs[:left], x_times, after, begins):
            out.append(Claim(found.text, index, step.start + found.start, step.start + found.end, EQUATION))
        if len(signs) > left:
            out.append(ExtractionFailed(index, f"only the first {MAX_SIGNS:,} equals signs of a chain are read"))
        left -= min(left, len(signs))
    return out


def find_equations(text: str) -> list[_Found]:
    """The equations over numbers in `text`, in reading order, those of its first `MAX_SIGNS` equals signs."""
    text = _readable(text)
    return _find(text, _signs(text)[:MAX_SIGNS], x_times=True)


def _find(
    text: str, signs: Sequence[tuple[int, int]], x_times: bool, after: str = "", begins: bool = True
) -> list[_Found]:
    """The equations around `signs`.

    Args:
        after: what follows behind `text`, where an equation may be denied.
        begins: whether an equation may begin where `text` does, and not before it.
    """
    out: list[_Found] = []
    for start, end, sound_start, sound_end in _windows(text, signs):
        window = _Window(text, start, end, sound_start and (begins or start > 0), sound_end, x_times, after)
        out.extend(window.equations(until=signs[-1][1]))
    return out


def _is_other_arithmetic(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _OTHER_WORDS) and _OTHER_ARITHMETIC.search(text) is not None


def _readable(text: str) -> str:
    """`text` without code and addresses and with ASCII digits; positions stay the same."""
    if any(mark in text for mark in ("`", "://", "www.", "[asy]")):
        text = _CODE.sub(lambda match: "`" * len(match.group()), text)
    return in_ascii(text)


def _signs(text: str) -> list[tuple[int, int]]:
    """The spans of the signs in `text` that may part the sides of an equation."""
    return [
        match.span()
        for match in _RELATION.finditer(text)
        if match.group() not in ("is", "equal", "equals")
        or _CALCULATES.search(text, max(match.start() - _AROUND, 0), match.start())
    ]


def _windows(text: str, signs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool, bool]]:
    """Stretches around `signs` that together hold every equation of at most MAX_CLAIM_CHARACTERS.

    An equation does not reach beyond its sentence: there a stretch ends, and else maybe in the middle of a token. With
    the span of each, whether its beginning and its end are sound.
    """
    if not signs:
        return
    bounds = [0, *(match.end() for match in _SENTENCES.finditer(text)), len(text)]
    start = end = at = 0
    open_window = False
    for low, high in signs:
        if open_window and low - MAX_CLAIM_CHARACTERS <= end and high <= bounds[at + 1]:
            end = min(high + MAX_CLAIM_CHARACTERS, bounds[at + 1])
            continue
        if open_window:
            yield start, end, start == bounds[at], end == bounds[at + 1]
        at = bisect_right(bounds, low, hi=len(bounds) - 1) - 1
        start = max(low - MAX_CLAIM_CHARACTERS, bounds[at])
        end, open_window = min(high + MAX_CLAIM_CHARACTERS, bounds[at + 1]), True
    yield start, end, start == bounds[at], end == bounds[at + 1]


class _Window:
    """One stretch of text, cut into tokens."""

    def __init__(
        self, text: str, start: int, end: int, sound_start: bool, sound_end: bool, x_times: bool, after: str = ""
    ) -> None:
        self.after = after
        self.text = text
        self.tokens, self.notes = tokenize(text, start, end, x_times=x_times)
        # A token at an edge that is not sound may be half a token: no equation may reach it.
        self.first = 0 if sound_start else 1
        self.stop = len(self.tokens) - (0 if sound_end else 1)
        self.sides = Sides(text, self.tokens, self.first, self.stop)

    def equations(self, until: int | None = None) -> list[_Found]:
        """Those whose sign stands before `until`."""
        found: list[tuple[_Found, bool]] = []
        middles = [i for i in range(self.first, self.stop) if self.tokens[i].kind in RELATIONS]
        if until is not None:
            middles = [i for i in middles if self.tokens[i].start < until]
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
        start = None if end is None else self.sides.left_start(middle)
        if start is None or end is None:
            return None
        relation, right = self.tokens[middle], self.tokens[middle + 1 : end]
        if relation.kind in ("is", "isabout") and not self._says_is(relation, start, middle, end):
            return None
        read: _Read | None = None
        for begin in self.sides.starts(start, middle):
            tried = self._read(begin, middle, end)
            if tried is None:
                continue
            if read is None or read.outcome.label == "contradicted" or tried.outcome.label == "supported":
                read = tried
            if read is not None and read.outcome.label == "supported":
                break
        if read is None or (relation.kind in ("is", "isabout") and not read.outcome.operations[0]):
            return None
        goes_on = end == following
        if read.outcome.label != "supported":
            # "10 - 3 = 7 - 2 = 5": each result goes into the next calculation.
            for shorter in self.sides.shorter_ends(middle, end, goes_on):
                tried = self._read(read.start, middle, shorter)
                if tried is not None and tried.outcome.label == "supported":
                    read = tried
                    break
        left = self.tokens[read.start : middle]
        if not self._asserted(read.start, read.end):
            return None
        if read.outcome.label == "contradicted":
            into = (goes_on or end == len(self.tokens)) and not read.outcome.operations[0] and right[0].kind == "num"
            if into and _value(left) == _value(right[:1]):
                # "0.5 = 0.5/2 = 0.25": a calculation that starts from the last result.
                return None
            if self._doubted(read, middle):
                return None
        return read.found, not any(token.kind in ("word", "%") or token.label for token in left)

    def _read(self, start: int, middle: int, end: int) -> _Read | None:
        """The equation whose sides are these tokens, judged by its text alone, as the judge will see it."""
        left, right = self.tokens[start:middle], self.tokens[middle + 1 : end]
        if not left or not right or right[-1].end - left[0].start > MAX_CLAIM_CHARACTERS:
            return None
        found = _Found(*self._claim_text(start, end))
        outcome = decide(found.text)
        if outcome is None or not _is_claim(left, right, outcome.operations[0], outcome.converted):
            return None
        return _Read(found, outcome, start, end)

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
        if sign == "$" and text.count("$") == 1 and _FORMULA_END.search(text):
            # "$2(55 + 75) = 390$ feet": a formula, and no money.
            return text.replace("$", ""), a, b
        # A dollar sign before the first number is money if there is another inside; else it may open a formula.
        if (
            first.money
            and sign in "$€£¥₹"
            and (sign in text or sign != "$" or any(t.kind == "word" and not t.texted for t in self.tokens[start:end]))
        ):
            text, a = sign + text, a - 1
        return text, a, b

    def _says_is(self, relation: Token, start: int, middle: int, end: int) -> bool:
        """Whether "is" between two amounts means "equals"."""
        behind = self.tokens[end] if end < self.stop else None
        if behind is not None and behind.text.lower() in IS_AFTER:
            # "4 + 2 is 1 of the options"
            return False
        if relation.text.lower() != "is":
            return True
        before = self.tokens[start - 1] if start > self.first else None
        if before is not None and before.kind == "word" and before.text.lower() not in OPENERS:
            # "the number of divisors of 3 * 4 is 6"
            return False
        if before is not None and before.kind in RELATIONS:
            # "the number equal to 10^2 is $2$"
            return False
        if before is not None and before.text == "," and _MATHS.search(self._head(start)):
            # "the middle of $2^2, x, 2^4$ is 10"
            return False
        operators = [t for t in self.tokens[start:middle] if t.kind == "op"]
        fraction = len(operators) == 1 and operators[0].text in "/-" and operators[0].glued
        return bool(operators) and not fraction and not any(t.kind == "op" for t in self.tokens[middle + 1 : end])

    def _head(self, start: int) -> str:
        """The sentence up to `tokens[start]`, or the end of that."""
        position = self.tokens[start].start
        return _SENTENCE_END.split(self.text[max(position - _AROUND, 0) : position])[-1]

    def _tail(self, end: int) -> tuple[str, str]:
        """What follows behind `tokens[end - 1]`: the rest of the sentence, and the next one; or the beginning of it."""
        behind = self.tokens[end - 1].end
        text = self.text[behind : behind + 2 * _AROUND]
        if behind + 2 * _AROUND > len(self.text):
            text = f"{text}\n{self.after}"
        rest, _, following = _split(text)
        return rest[:_AROUND], _split(following.lstrip())[0]

    def _asserted(self, start: int, end: int) -> bool:
        position = self.tokens[start].start
        head = self.text[max(position - _AROUND, 0) : position].rpartition("\n")[2]
        if _DENIED.search(self._tail(end)[0]) or _SUPPOSED.search(head):
            return False
        unit = end
        while unit < self.stop and unit - end < 4 and self.tokens[unit].kind == "word":
            unit += 1
        return not (unit < self.stop and self.tokens[unit].text.startswith("?"))

    def _doubted(self, read: _Read, middle: int) -> bool:
        """Whether a wrong equation may not be one that the text asserts, or none."""
        start, end, tokens = read.start, read.end, self.tokens
        before = tokens[start - 1] if start > self.first else None
        computed = before is not None and before.kind in RELATIONS
        head, (rest, following) = self._head(start), self._tail(end)
        if _DENIED_BEFORE.search(head) or _OPTION.search(head) or (not computed and _TRIED.search(head)):
            return True
        if _DENIED_BEHIND.match(following) and _DENIES.search(following):
            return True
        compact = _SPACING.sub("", f"{rest} {following}")
        a, b = map(re.escape, read.outcome.shown)
        if any(re.search(rf"(?<![\w.)-]){x}(?:=|≠|neq?|!=){y}(?![\w.(])", compact) for x, y in ((a, b), (b, a))):
            # "3 * 56 = 8 * 18, 168 = 144": both sides of an equation that is tested.
            return True
        if _NUMBER_GOES_ON.match(self.text, tokens[end - 1].end):
            return True  # "$1, 419"
        if before is not None and before.text.lower() in SHARES and start >= 2 and tokens[start - 2].kind in _AMOUNTS:
            return True  # "5% on ($1,200 - $900) = $15"
        if not computed and read.outcome.operations[1] and _IF.match(head):
            return True  # "If the ratios are equal, then 2 * 25 = 5 * 4"
        left = tokens[start:middle]
        named = left[-1].kind == "word" and unit(left[-1].text) not in MEASURED
        if named and before is not None and before.kind == "word" and read.outcome.operations[1]:
            # "the volume over one 4 x 7 side = 4 x 7 x 5"
            return True
        if any(token.kind == "num" and _LEADING_ZERO.match(token.text) for token in left):
            return True  # "2020-05-03"
        if _CODE_NAME.search(head) and all(token.glued for token in left[1:]):
            return True  # "ISBN 978-3-16"
        return end == len(tokens) and computed and self._is_cut(left, tokens[middle + 1 : end])

    def _is_cut(self, left: Sequence[Token], right: Sequence[Token]) -> bool:
        """Whether the text may end inside a formula: it repeats the left side, or the formula is not closed."""
        repeats = [t.text for t in right] == [t.text for t in left[: len(right)]] and len(right) < len(left)
        formula = self.text.rpartition("$")[2]
        return repeats or (self.text.count("$") % 2 == 1 and "\\" in formula)

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
    return _Window(inner, 0, len(inner), True, True, True).equations() if "<" not in inner else []


def _is_claim(left: Sequence[Token], right: Sequence[Token], count: int, converted: bool = False) -> bool:
    """Whether the two sides assert something of numbers, not a rate of conversion or a label.

    count: the operations on the left. converted: whether the sides are one quantity in two units.
    """
    if right[0].text == "(" and len(right) == 3 and not any(t.kind == "op" for t in left):
        # "(123)(12) = (132)": permutations.
        return False
    named = any(t.kind in ("word", "%") for t in left)
    if not count:
        if converted:
            return True  # "0.5 mg = 500 mcg"
        # "3 boxes = 3 * 12": the number names something. "24 = 48/2" is a claim.
        return not named
    written = [t for t in left if t.kind not in ("word", "%")]
    if count == 1 and named and _is_tight(written, "/"):
        # "1/2 hour = 30 minutes", "pages 3/4 = …": a fraction of something.
        return False
    plain = any(t.text.isdigit() for t in left if t.kind == "num")  # "154,159-176,931" is no range
    if (
        count == 1
        and plain
        and _is_tight(left, "-")
        and right[0].kind == "num"
        and _value(left[:1]) < _value(left[2:3])
    ):
        # "pages 5-10 = 6": a range.
        return False
    if any(t.label == "word" for t in (*left, *right)):
        # "3 plus 4 times 2" is read from left to right by some.
        return len({t.text in "+-" for t in (*left, *right) if t.kind == "op"}) <= 1
    return True


def _split(text: str) -> tuple[str, str, str]:
    """The first sentence of `text`, its end, and the rest."""
    ends = _SENTENCE_END.search(text)
    return (text[: ends.start()], ends.group(), text[ends.end() :]) if ends else (text, "", "")


def _is_tight(tokens: Sequence[Token], sign: str) -> bool:
    """Whether `tokens` begin with two numbers and `sign` between them without blanks."""
    kinds = [token.kind for token in tokens[:3]]
    return kinds == ["num", "op", "num"] and tokens[1].text == sign and tokens[1].glued and tokens[2].glued


def _value(tokens: Sequence[Token]) -> Fraction | float:
    try:
        return evaluate(tokens).value
    except (NotArithmetic, BoundExceeded, Undefined):
        return math.nan
