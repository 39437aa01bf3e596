"""The claim extractor `arithmetic`: finds equations over numbers in steps, one claim for each equals sign.

Left out, because numbers alone cannot decide them: equations with variables or functions, definitions without an
operation (`x = 5`, `1 hour = 60 minutes`), sentences that ask, assume or deny, modular arithmetic and other number bases,
code and addresses. Commas group thousands and points mark decimals ("1,234.5"); decimal commas are left out. Where a
notation is ambiguous the extractor prefers to miss an equation over reading it wrongly.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from ..trace import Step, Trace
from .arithmetic_tokens import Note, Token, tokenize
from .arithmetic_value import BoundExceeded, NotArithmetic, Undefined, evaluate, is_article, is_glued_name, is_unit_word, unit_end
from .base import ClaimExtractor
from .equation import MAX_CLAIM_CHARACTERS, RELATIONS, Comparison, Equation, compare, read
from .exact import EQUATION
from .types import Claim
from .units import (
    CONNECTIVES,
    DETERMINERS,
    FUNCTIONS,
    LABELS,
    MEASURES,
    OF_AFTER,
    OPENERS,
    OPERATORS_AFTER,
    OPERATORS_BEFORE,
    PREPOSITIONS,
)

_RELATION = re.compile(r"=|≈|≃|≅|\\approx|\\simeq|~=|\b(?:is|equals?)\b")
# Arithmetic in these is not that of the integers.
_OTHER_ARITHMETIC = re.compile(
    r"\\equiv|≡|\\p?mod\b|\\bmod|\bmod(?:ulo|ular)?\b|\bbase[- ](?:\$|\\\()?\d|\\mathbb\s?\{?[ZF]\}?_|\b[ZF]_?\{?\d|\bGF\(|ℤ"
    r"|\b(?:binary|hexadecimal|octal|remainders?|(?:units?|ones|last) digits?|last (?:two|three|\d) digits)\b",
    re.IGNORECASE,
)
# The letter x where it does not stand before a number, so that it names something.
_X_IS_A_NAME = re.compile(r"(?<![A-Za-z\\])[xX](?![A-Za-z]|\s{0,3}[\d(\[$\\.])")
_CODE = re.compile(r"```.{0,20000}?(?:```|\Z)|`[^`\n]{1,500}`|\b[a-z]{2,10}://\S+|\bwww\.\S+|\[asy\].{0,20000}?\[/asy\]", re.DOTALL)
# The rest of the sentence denies the equation, or what stands before it only tries it out.
_DENIED = re.compile(
    r"\b(?:not|cannot|false|incorrect|wrong|untrue|invalid|impossible|contradicts?|contradiction|contradictory|errors?"
    r"|mistakes?|mismatch|differs?)\b|n['’]t\b|≠|\\neq?\b|!=",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.;!?](?=\s)|\n")
_TEXT_END = re.compile(r"[^{}$\n]{0,60}\}")
_SUPPOSED = re.compile(
    r"\b(?:substitut|plug)[a-z]{0,5}\b.{0,80}\b(?:equations?|inequality)\b[^.]{0,40}$|\bequations?\s*[:,]?\s*[\\$(\[]*$"
    # "B) 3/8 = 15/48": an option that is tried out.
    r"|^[\s*-]*(?:\([A-J]\)|[A-J][).:])\s*\$?$|\b(?:choice|option)[ _]?\(?[A-J]\)?\s*[:,]?\s*\$?$"
    r"|\b(?:if|whether|suppose|assum\w{1,4}|unless)\s\$?$",
    re.IGNORECASE,
)
_MAX_UNIT_WORDS = 8


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
    blanked = _CODE.sub(lambda match: "`" * len(match.group()), text) if "`" in text or "//" in text or "[asy" in text or "www." in text else text
    for start, end in _windows(blanked):
        out.extend(_Window(blanked, start, end, x_times).equations())
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
        self.partner = _partners(self.tokens)

    def equations(self) -> list[_Found]:
        found: list[tuple[_Found, bool]] = []
        middles = [i for i in range(self.first, self.stop) if self.tokens[i].kind in RELATIONS]
        chained = -1  # where the right side of the equation before ended, if it is a number or expression of its own
        for place, middle in enumerate(middles):
            following = middles[place + 1] if place + 1 < len(middles) else None
            one, chained = self._equation(middle, chained, following)
            if one is not None:
                found.append(one)
        return self._with_notes(found)

    def _equation(self, middle: int, chained: int, following: int | None) -> tuple[tuple[_Found, bool] | None, int]:
        """The equation around `tokens[middle]`, and whether its left side is bare of words; and the next `chained`."""
        end = self._right_end(middle + 1)
        if end is None:
            return None, -1
        next_chained = end if end == following else -1
        start = self._left_start(middle, in_chain=chained == middle)
        if start is None:
            return None, next_chained
        right = self.tokens[middle + 1 : end]
        relation = self.tokens[middle]
        if relation.kind in ("is", "isabout") and not self._says_is(relation, start, middle, right):
            return None, next_chained
        outcome = None
        for begin in self._starts(start, middle):
            left = self.tokens[begin:middle]
            tried = self._outcome(begin, middle, end)
            if tried is None:
                continue
            if outcome is None or tried.label == "supported":
                outcome, start = tried, begin
            if tried.label == "supported":
                break
        if outcome is None:
            return None, next_chained
        left = self.tokens[start:middle]
        if outcome.label != "supported":
            # "10 - 3 = 7 - 2 = 5": each result goes into the next calculation.
            for shorter in self._shorter_ends(middle, end, next_chained >= 0):
                tried = self._outcome(start, middle, shorter)
                if tried is not None and tried.label == "supported":
                    outcome, end = tried, shorter
                    break
        if outcome.label == "contradicted" and next_chained >= 0 and _goes_into(left, right):
            # "0.5 = 0.5/2 = 0.25": a calculation that starts from the last result.
            return None, next_chained
        if not self._asserted(start, end, outcome):
            return None, next_chained
        bare = not any(token.kind in ("word", "%") or token.label for token in left)
        text, a, b = self._claim_text(start, end)
        if not _reads_alone(text, outcome):
            return None, next_chained
        return (_Found(text, a, b), bare), next_chained

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
        last = self.tokens[end - 1]
        if last.texted and last.text == self.text[last.start : last.end] and (closing := _TEXT_END.match(self.text, b)):
            b = closing.end()
        pieces, position = [], a
        for note in self.notes:
            if a <= note.start and note.end <= b:
                pieces.append(self.text[position : note.start - 2])
                position = note.end + 2
        pieces.append(self.text[position:b])
        text = " ".join("".join(pieces).split())
        first = self.tokens[start]
        sign = self.text[a - 1] if a else ""
        # A dollar sign before the first number is money if there is another inside; else it may open a formula.
        if first.money and sign in "$€£¥₹" and (sign in text or sign != "$" or self.tokens[start + 1].text == "/"):
            text, a = sign + text, a - 1
        return text, a, b

    # --- left side

    def _starts(self, start: int, middle: int) -> list[int]:
        """Where the left side may begin: a dash may be a sign, a bullet, or part a label from its text."""
        tokens = self.tokens
        out = [start]
        first = tokens[start]
        if first.kind == "op" and first.text in "+-*" and start + 1 < middle:
            line_start = start == 0 or tokens[start - 1].kind == "nl"
            if line_start and not tokens[start + 1].glued:
                out = [start, start + 1] if first.text == "-" else [start + 1]
        elif start > 0 and tokens[start - 1].kind == "word" and tokens[start - 1].text.lower() in LABELS:
            if first.kind == "num" and tokens[start + 1].text == "-" and start + 2 < middle:
                out = [start, start + 2]
        return out

    def _left_start(self, middle: int, in_chain: bool) -> int | None:
        """Where the expression that ends before `tokens[middle]` begins; None where there is none to judge."""
        k = middle - 1
        while True:
            k = self._skip_units_back(k)
            k = self._operand_start(k)
            if k is None:
                return None
            # tokens[k] begins an operand; is it the first?
            before = k - 1
            if before < self.first:
                return k if self.first == 0 else None
            token = self.tokens[before]
            if token.kind == "op":
                if token.text in "+-" and self._is_sign(before):
                    k = before
                    if before - 1 >= self.first and self.tokens[before - 1].kind == "op" and self.tokens[before - 1].text != "^":
                        k = before - 2
                        continue
                    if before - 1 >= self.first and self.tokens[before - 1].kind == "op":
                        k = before - 2
                        continue
                    return k if self._begins(k, middle, in_chain) else None
                if token.text == "*" and self._is_sign(before):
                    # A bullet or an italic mark.
                    return k if self._begins(before, middle, in_chain) else None
                k = before - 1
                if k < self.first:
                    return None
                continue
            if token.kind in ("frac", "sqrt") or (token.kind == ")" and self.tokens[k].text in ("(", "[", "{")):
                k = before
                continue
            if token.kind == "num" and self.tokens[k].kind in ("(", "frac", "vulgar", "sqrt"):
                k = before
                continue
            if token.kind == "num" and self._is_mixed(before):
                k = before
                continue
            return k if self._begins(k, middle, in_chain) else None

    def _is_sign(self, i: int) -> bool:
        """Whether the operator at `i` has no operand before it: a sign, a bullet, or an emphasis mark."""
        if i == self.first:
            return True
        before = self.tokens[i - 1]
        if before.kind in ("rel", "approx", "is", "isabout", "nl", "punct", "cmp", "(", "op"):
            return True
        # "is -5 + 3": a blank before the sign and none behind it.
        return before.kind == "word" and not self.tokens[i].glued and self.tokens[i + 1].glued and not self._number_before_words(i - 1)

    def _number_before_words(self, k: int) -> bool:
        k = self._skip_units_back(k)
        return k >= self.first and self.tokens[k].kind in ("num", ")", "%", "vulgar", "sup")

    def _skip_units_back(self, k: int) -> int:
        """From the last token of an operand back over its unit words, to its number; `k` itself where there are none."""
        tokens = self.tokens
        i = k
        for _ in range(_MAX_UNIT_WORDS):
            if i < self.first:
                return k
            token = tokens[i]
            if token.kind == "word" and (token.text.lower() in CONNECTIVES or is_glued_name(tokens, i)):
                return k
            if token.kind == "word" and (is_unit_word(token) or (i < k and is_article(tokens, i))):
                i -= 1
            elif token.text == ")" and token.kind == ")" and (opened := self.partner.get(i)) is not None and i - opened <= 8 and unit_end(
                tokens, opened, i + 1
            ) == i + 1:
                i = opened - 1
            elif token.kind == "sup" and i and tokens[i - 1].kind == "word":
                i -= 1
            elif power := self._unit_power_back(i):
                i = power
            elif token.text in "/-" and token.kind == "op" and i < k and tokens[i + 1].kind == "word":
                i -= 1
            else:
                break
        if i < self.first or tokens[i].kind not in ("num", ")", "%", "vulgar", "sup", "!"):
            return k
        return i

    def _unit_power_back(self, i: int) -> int:
        """The index of the word whose power ends at `i` ("cm^2", "mol^{-1}"), or 0."""
        tokens = self.tokens
        for size in range(2, 6):
            k = i - size
            if k >= self.first and tokens[k].kind == "word" and tokens[k + 1].text == "^":
                return k if unit_end(tokens, k, i + 1) == i + 1 else 0
        return 0

    def _operand_start(self, k: int) -> int | None:
        """Where the operand that ends at `tokens[k]` begins, without a sign; None where none ends there."""
        tokens = self.tokens
        while k >= self.first and tokens[k].kind in ("%", "!", "sup"):
            k -= 1
        if k < self.first:
            return None
        if tokens[k].kind == "vulgar":
            return k - 1 if k > self.first and tokens[k - 1].kind == "num" else k
        if tokens[k].kind == "num":
            return k
        if tokens[k].kind != ")":
            return None
        opened = self.partner.get(k)
        if opened is None or opened < self.first:
            return None
        return opened

    def _is_mixed(self, i: int) -> bool:
        """Whether `tokens[i:]` is a mixed number such as "2 1/2"."""
        a = self.tokens[i + 1 : i + 4]
        return (
            [t.kind for t in a] == ["num", "op", "num"]
            and a[1].text == "/"
            and not a[0].glued
            and a[1].glued
            and a[2].glued
            and self.tokens[i].text.isdigit()
        )

    def _begins(self, k: int, middle: int, in_chain: bool) -> bool:
        """Whether what stands before `tokens[k]` lets an expression begin there."""
        if k <= self.first:
            return self.first == 0
        before, token = self.tokens[k - 1], self.tokens[k]
        gap = self.text[before.end : token.start]
        bare = not any(t.kind in ("op", "frac", "sqrt", "(") for t in self.tokens[k + 1 : middle]) and token.kind != "frac"
        if before.kind in RELATIONS:
            return True
        if before.kind == "cmp":
            return True
        if bare and before.kind == "word":
            # "Day 2 = 3 + 4", "the cost of 3 = 3 * 5": a label, not a number that the right side gives.
            return False
        if before.kind == "nl":
            return True
        if before.kind == "punct":
            return not (before.text in ",.:" and not gap) or not token.glued
        if before.kind == "(":
            # The whole equation stands in the bracket; "x^{3 + 4 = 7}" and "f(3 + 4 = 7)" do not occur in sound text.
            return k < 2 or self.tokens[k - 2].kind != "op"
        if before.kind == ")":
            return self._is_enumerator(k - 1)
        if before.kind == "word":
            return not token.glued and self._word_lets_begin(k - 1, glued=token.glued)
        if before.kind == "ellipsis":
            # "So… 3 + 4 = 7", but not "1 + 2 + … 9 + 10 = 55".
            return bool(gap) and (k < 2 or self.tokens[k - 2].kind in ("word", "nl"))
        if before.kind == "bad":
            return before.text in "|_*" and bool(gap) and (k < 2 or self.tokens[k - 2].kind == "nl")
        return False

    def _is_enumerator(self, i: int) -> bool:
        opened = self.partner.get(i)
        if opened is None:
            inside = 1 if i >= self.first + 1 and self.tokens[i - 1].kind in ("num", "word") else 0
            edge = i - 1 - inside
        else:
            inside, edge = i - opened - 1, opened - 1
        if inside == 1 and len(self.tokens[i - 1].text) <= 2:
            return edge < self.first or self.tokens[edge].kind in ("nl", "punct")
        # "(words) 3 + 4"
        return opened is not None and all(t.kind in ("word", "punct") for t in self.tokens[opened + 1 : i]) and inside > 1 and (
            not self.tokens[opened].glued
        )

    def _word_lets_begin(self, i: int, glued: bool) -> bool:
        tokens = self.tokens
        while i >= self.first and tokens[i].kind == "word" and tokens[i].text.lower() in DETERMINERS and i > self.first:
            if tokens[i - 1].kind != "word":
                return tokens[i - 1].kind in ("nl", "punct", *RELATIONS)
            i -= 1
        word = tokens[i].text.lower()
        if word == "of":
            if i - 1 < self.first or tokens[i - 1].text.lower() not in OF_AFTER:
                return False
            return not (i - 2 >= self.first and tokens[i - 2].kind == "num")
        if word in OPERATORS_BEFORE or word in FUNCTIONS:
            return False
        return is_unit_word(tokens[i]) or word == "i"

    # --- right side

    def _right_end(self, begin: int) -> int | None:
        """Index behind the expression that begins at `begin`; None where what follows could change its value."""
        tokens = self.tokens
        i = begin
        last = None  # the end of the operands read so far
        while True:
            signs = 0
            while i < self.stop and tokens[i].kind == "op" and tokens[i].text in "+-" and signs < 2:
                i, signs = i + 1, signs + 1
            after = self._operand_end(i)
            if after is None:
                break
            last = i = after
            token = tokens[i] if i < self.stop else None
            if token is None:
                break
            if token.kind == "op":
                i += 1
            elif not (token.kind in ("frac", "sqrt") or (token.kind == "(" and self._goes_on(i))):
                break
        if last is None or last - begin > 500:
            return None
        return last if self._ends(last) else None

    def _goes_on(self, i: int) -> bool:
        """Whether the bracket at `i` is a factor, not an aside: "2(3)", "2 (3 + 4)", but "7 (3 red, 4 blue)"."""
        closed = self.partner.get(i)
        if closed is None or closed >= self.stop or closed - i > 60:
            return self.tokens[i].glued
        if self.tokens[i].glued:
            return True
        # "2 (3 + 4)" multiplies, "4 (15 minutes)" explains.
        inside = self.tokens[i + 1 : closed]
        return not any(token.kind == "word" for token in inside) or _operations(inside) > 0

    def _operand_end(self, i: int) -> int | None:
        """Index behind the operand at `tokens[i]` with its unit; None where there is none."""
        tokens = self.tokens
        if i >= self.stop:
            return None
        kind = tokens[i].kind
        if kind in ("num", "vulgar"):
            i += 1
            if self._is_mixed(i - 1) and i + 2 < self.stop:
                i += 3
            elif i < self.stop and tokens[i].kind == "vulgar":
                i += 1
        elif kind == "frac":
            for _ in range(2):
                closed = self.partner.get(i + 1) if i + 1 < self.stop and tokens[i + 1].kind == "(" else None
                if closed is None or closed >= self.stop:
                    return None
                i = closed
            i += 1
        elif kind == "sqrt":
            return self._operand_end(i + 1) if i + 1 < self.stop and tokens[i + 1].kind in ("num", "(") else None
        elif kind == "(":
            closed = self.partner.get(i)
            if closed is None or closed >= self.stop:
                return None
            i = closed + 1
        else:
            return None
        while i < self.stop and tokens[i].kind in ("%", "!", "sup"):
            i += 1
        return self._unit_end(i)

    def _unit_end(self, i: int) -> int:
        """Behind the unit words at `i`: all of them where an operator or relation follows, else the first alone."""
        tokens = self.tokens
        end = unit_end(tokens, i, min(self.stop, i + 2 * _MAX_UNIT_WORDS))
        if end == i:
            return i
        follower = tokens[end] if end < self.stop else None
        if follower is not None and (follower.kind in RELATIONS or (follower.kind == "op" and self._operand_end_quick(end + 1))):
            return end
        if tokens[i].kind != "word" or tokens[i].text.lower() in OPERATORS_AFTER:
            return end if tokens[i].kind != "word" else i
        if tokens[i].text.lower() in PREPOSITIONS:
            return i
        return unit_end(tokens, i, min(end, i + _one_unit(tokens, i, end)))

    def _operand_end_quick(self, i: int) -> bool:
        return i < self.stop and self.tokens[i].kind in ("num", "vulgar", "(", "frac", "sqrt", "op")

    def _ends(self, i: int) -> bool:
        """Whether what stands at `tokens[i]` lets the expression before it end there."""
        tokens = self.tokens
        if i >= self.stop:
            return self.stop == len(tokens)
        token, before = tokens[i], tokens[i - 1]
        after = tokens[i + 1] if i + 1 < self.stop else None
        gap = self.text[before.end : token.start]
        if token.kind in ("nl", *RELATIONS):
            return True
        if token.kind == ")":
            return not (after is not None and after.kind in ("sup",)) and not (after is not None and after.text == "^")
        if token.kind == "punct":
            if token.text == "?":
                return False
            glued_next = after is not None and after.start == token.end
            if token.text in ".,:" and not gap and glued_next:
                return after is not None and after.kind in ("nl", "punct", ")", "word") and (
                    token.text == "." and after.kind != "word" or after.kind in ("nl", "punct", ")")
                )
            return True
        if token.kind == "cmp":
            return True
        if token.kind == "word":
            return self._word_lets_end(i)
        if token.kind == "op":
            return self._operator_is_text(i)
        if token.kind == "(":
            return not token.glued
        if token.kind == "ellipsis":
            # "10/3 = 3.333…"; "1 + 2 = 3 …"
            return token.glued and "." in before.text and (after is None or after.kind not in ("num", "op", "("))
        return token.kind == "bad" and token.text in "|*" and bool(gap)

    def _word_lets_end(self, i: int) -> bool:
        token = self.tokens[i]
        word = token.text.lower()
        behind = unit_end(self.tokens, i, min(self.stop, i + 2 * _MAX_UNIT_WORDS))
        if behind > i and behind < self.stop and self.tokens[behind].kind == "op" and not self._operator_is_text(behind):
            # "= 100 golf balls / x"
            return False
        if is_glued_name(self.tokens, i):
            return False
        if word in OPERATORS_AFTER or word in FUNCTIONS:
            return False
        if not is_unit_word(token) and not is_article(self.tokens, i) and token.text not in ("I", "A"):
            return False
        return not self._second_amount(i)

    def _second_amount(self, i: int) -> bool:
        """ "5 dollars and 50 cents", "1 hour 30 minutes", "3 and 1/2": the number read so far is only a part."""
        tokens = self.tokens
        before = tokens[i - 1]
        if tokens[i].text.lower() == "and":
            i += 1
            if i + 1 < self.stop and tokens[i].kind in ("num", "frac", "vulgar"):
                if before.kind == "word":
                    return before.text.lower() in MEASURES
                if tokens[i].kind == "num" and not (i + 2 < self.stop and tokens[i + 1].text == "/" and tokens[i + 1].glued):
                    return False
                # "3 and 1/2", but not "7 and 1/2 + 1 = 3/2".
                behind = self._operand_end(i if tokens[i].kind != "num" else i + 2)
                return behind is None or behind >= self.stop or tokens[behind].kind not in ("op", *RELATIONS)
        return False

    def _operator_is_text(self, i: int) -> bool:
        """Whether the operator behind a result is a dash or an emphasis mark: "= 7 - which is", "= 7*"."""
        token = self.tokens[i]
        after = self.tokens[i + 1] if i + 1 < self.stop else None
        if after is None or after.kind == "nl":
            return token.text in "*-"
        if token.text == "*":
            return token.glued and not after.glued and after.kind in ("word", "punct", "(", ")")
        if token.text == "-":
            return after.kind == "word" and not token.glued and not after.glued and len(after.text) > 1
        return False

    def _shorter_ends(self, middle: int, end: int, goes_on: bool) -> list[int]:
        """Ends of the first number on the right, where it may be the result and the rest the next calculation."""
        first = middle + 1
        while first < end and self.tokens[first].kind == "op":
            first += 1
        after = self._operand_end(first)
        if after is None or after >= end or self.tokens[after].kind != "op":
            return []
        dash = self.tokens[after].text == "-" and not self.tokens[after].glued and self.tokens[after - 1].kind == "word"
        return [after] if goes_on or dash else []

    # --- around it

    def _says_is(self, relation: Token, start: int, middle: int, right: Sequence[Token]) -> bool:
        """Whether "is" between two amounts means "equals"."""
        left = self.tokens[start:middle]
        if not _operations(left):
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

    def _asserted(self, start: int, end: int, outcome: Comparison) -> bool:
        tail = self.text[self.tokens[end - 1].end :][:160]
        head = self.text[max(self.tokens[start].start - 160, 0) : self.tokens[start].start]
        if _DENIED.search(_SENTENCE_END.split(tail, 1)[0]) or _SUPPOSED.search(head.rpartition("\n")[2]):
            return False
        unit = end
        while unit < self.stop and unit - end < 4 and self.tokens[unit].kind == "word":
            unit += 1
        return not (unit < self.stop and self.tokens[unit].text.startswith("?"))

    def _with_notes(self, found: list[tuple[_Found, bool]]) -> list[_Found]:
        """One claim for an annotation and the text around it: the text where it is bare arithmetic, else the annotation."""
        out = [one for one, _ in found]
        extra: list[_Found] = []
        for note in self.notes:
            inner = [
                _Found(one.text, note.start + one.start, note.start + one.end)
                for one in _note_equations(self.text[note.start : note.end])
            ]
            if not inner:
                continue
            around = next((i for i, one in enumerate(out) if one.start <= note.start and note.end <= one.end), None)
            if around is None:
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


def _partners(tokens: Sequence[Token]) -> dict[int, int]:
    """For each bracket with a partner, the partner's index, both ways."""
    out: dict[int, int] = {}
    open_at: list[int] = []
    for i, token in enumerate(tokens):
        if token.kind == "(":
            open_at.append(i)
        elif token.kind == ")" and open_at:
            out[i] = open_at.pop()
            out[out[i]] = i
        elif token.kind in ("nl", *RELATIONS):
            open_at.clear()
    return out


def _one_unit(tokens: Sequence[Token], i: int, end: int) -> int:
    """How many tokens the first unit word takes with its power."""
    return next((n for n in range(1, end - i) if unit_end(tokens, i, i + n) == i + n and tokens[i + n].kind == "word"), end - i)


def _is_claim(left: Sequence[Token], right: Sequence[Token]) -> bool:
    """Whether the two sides assert something of numbers, not a rate of conversion or a label."""
    if right[0].text == "(" and len(right) == 3 and not any(t.kind == "op" for t in left):
        # "(123)(12) = (132)": permutations.
        return False
    operations = _operations(left)
    named = any(t.kind in ("word", "%") for t in left)
    if not operations:
        # "3 boxes = 3 * 12": the number names something. "24 = 48/2" is a claim.
        return not named
    written = [t for t in left if t.kind not in ("word", "%")]
    if operations == 1 and named and [t.kind for t in written[:3]] == ["num", "op", "num"]:
        # "1/2 hour = 30 minutes", "pages 3/4 = …": a fraction of something.
        if written[1].text == "/" and written[1].glued and written[2].glued:
            return False
    # "pages 5-10 = 6": a range.
    if operations == 1 and [t.kind for t in left[:3]] == ["num", "op", "num"] and left[1].text == "-":
        if left[1].glued and left[2].glued and right[0].kind == "num" and _value(left[:1]) < _value(left[2:3]):
            return False
    if any(t.label == "word" for t in (*left, *right)):
        # "3 plus 4 times 2" is read from left to right by some.
        return len({t.text in "+-" for t in (*left, *right) if t.kind == "op"}) <= 1
    return True


def _reads_alone(text: str, outcome: Comparison) -> bool:
    """Whether a judge who sees the claim's text alone comes to the same conclusion."""
    try:
        return compare(read(text), text).label == outcome.label
    except NotArithmetic:
        return False


def _goes_into(left: Sequence[Token], right: Sequence[Token]) -> bool:
    return not _operations(left) and right[0].kind == "num" and _value(left) == _value(right[:1])


def _operations(tokens: Sequence[Token]) -> int:
    """How many operations `tokens` hold; 0 where they are no expression."""
    try:
        return evaluate(tokens).operations
    except NotArithmetic:
        return 0
    except (BoundExceeded, Undefined):
        return 1


def _value(tokens: Sequence[Token]) -> Fraction | float:
    try:
        return evaluate(tokens).value
    except (NotArithmetic, BoundExceeded, Undefined):
        return math.nan
