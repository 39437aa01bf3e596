"""Finds how far the two sides of an equation reach, around a relation sign in running text.

A side is the longest run of numbers, operators and units that is an expression. It is given up where something stands
next to it that could change its value: a variable, a function, a word that does arithmetic ("half of"), a second amount
("5 dollars and 50 cents").
"""

from __future__ import annotations

from collections.abc import Sequence

from .equation import RELATIONS
from .evaluate import is_article, is_glued_name, is_unit_word, unit_end
from .quantities import is_stated
from .tokens import Token
from .units import (
    CONNECTIVES,
    DETERMINERS,
    FUNCTIONS,
    LABELS,
    MEASURED,
    MEASURES,
    OF_AFTER,
    OPERATORS_AFTER,
    OPERATORS_BEFORE,
    PREPOSITIONS,
    unit,
)

_MAX_UNIT_WORDS = 8
_MAX_SIDE_TOKENS = 500


class Sides:
    """The tokens of one stretch of text; tokens outside `first` to `stop` may be cut in half and are not read."""

    def __init__(self, text: str, tokens: Sequence[Token], first: int, stop: int) -> None:
        self.text = text
        self.tokens = tokens
        self.first = first
        self.stop = stop
        self.partner = _partners(tokens)

    def starts(self, start: int, middle: int) -> list[int]:
        """Where the left side may begin: a dash may be a sign, a bullet, or part a label from its text."""
        tokens = self.tokens
        out = [start]
        first = tokens[start]
        line_start = start == 0 or tokens[start - 1].kind == "nl"
        labelled = start > 0 and tokens[start - 1].kind == "word" and tokens[start - 1].text.lower() in LABELS
        if first.kind == "op" and line_start and start + 1 < middle and not tokens[start + 1].glued:
            out = [start, start + 1] if first.text == "-" else [start + 1]
        elif first.kind == "num" and labelled and start + 2 < middle and tokens[start + 1].text == "-":
            out = [start, start + 2]
        return out

    def left_start(self, middle: int) -> int | None:
        """Where the expression that ends before `tokens[middle]` begins; None where there is none to judge."""
        k = middle - 1
        while True:
            k = self._skip_units_back(k)
            k = self._operand_start(k)
            if k is None:
                return None
            while k > self.first and self.tokens[k - 1].kind in ("frac", "sqrt"):
                k -= 1
            # tokens[k] begins an operand; is it the first?
            before = k - 1
            if before < self.first:
                return k if self.first == 0 else None
            token = self.tokens[before]
            if token.kind == "op":
                if token.text in "+-" and self._is_sign(before):
                    if before - 1 >= self.first and self.tokens[before - 1].kind == "op":
                        k = before - 2  # "3 * -2"
                        continue
                    return before if self._begins(before, middle) else None
                if token.text == "*" and self._is_sign(before):
                    # A bullet or an italic mark.
                    return k if self._begins(before, middle) else None
                k = before - 1
                if k < self.first:
                    return None
                continue
            if token.kind == ")" and self.tokens[k].kind in ("(", "frac", "sqrt"):
                k = before
                continue
            if token.kind == "num" and self.tokens[k].kind in ("(", "frac", "vulgar", "sqrt"):
                k = before
                continue
            if token.kind == "num" and self._is_mixed(before):
                k = before
                continue
            factor = self.tokens[k].kind in ("(", "frac", "sqrt") and before > self.first
            measured = token.kind == "word" and unit(token.text) in MEASURED
            if factor and measured and self.tokens[before - 1].kind == "num":
                k = before  # "10 lb (3 ft)^2"
                continue
            return k if self._begins(k, middle) else None

    def _is_sign(self, i: int) -> bool:
        """Whether the operator at `i` has no operand before it: a sign, a bullet, or an emphasis mark."""
        if i == self.first:
            return True
        before = self.tokens[i - 1]
        if _closes_bars(before):
            return False
        if before.kind in ("rel", "approx", "is", "isabout", "nl", "punct", "cmp", "(", "op"):
            return True
        # "is -5 + 3": a blank before the sign and none behind it.
        return (
            before.kind == "word"
            and not self.tokens[i].glued
            and self.tokens[i + 1].glued
            and not self._number_before_words(i - 1)
        )

    def _number_before_words(self, k: int) -> bool:
        k = self._skip_units_back(k)
        return k >= self.first and self.tokens[k].kind in ("num", ")", "%", "vulgar")

    def _skip_units_back(self, k: int) -> int:
        """From the last token of an operand back over its unit words to its number; `k` itself where there are none."""
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
            elif (
                token.text == ")"
                and token.kind == ")"
                and (opened := self.partner.get(i)) is not None
                and i - opened <= 8
                and unit_end(tokens, opened, i + 1) == i + 1
            ):
                i = opened - 1
            elif power := self._unit_power_back(i):
                i = power
            elif token.text in "/-" and token.kind == "op" and i < k and tokens[i + 1].kind == "word":
                i -= 1
            else:
                break
        if i < self.first or tokens[i].kind not in ("num", ")", "%", "vulgar", "!"):
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
        while k >= self.first and tokens[k].kind in ("%", "!"):
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

    def _begins(self, k: int, middle: int) -> bool:
        """Whether what stands before `tokens[k]` lets an expression begin there."""
        if k <= self.first:
            return self.first == 0
        before, token = self.tokens[k - 1], self.tokens[k]
        gap = self.text[before.end : token.start]
        bare = (
            not any(t.kind in ("op", "frac", "sqrt", "(") for t in self.tokens[k + 1 : middle]) and token.kind != "frac"
        )
        if before.kind in RELATIONS:
            return True
        if before.kind == "cmp":
            return True
        quantity = k + 1 < middle and self.tokens[k + 1].kind == "word" and is_stated(unit(self.tokens[k + 1].text))
        if bare and before.kind == "word" and not quantity:
            # "Day 2 = 3 + 4", "the cost of 3 = 3 * 5": a label, not a number that the right side gives.
            return False
        if before.kind == "nl":
            # "100 \\cdot" and the rest of the product on the next line.
            return not (k - 2 >= self.first and self.tokens[k - 2].kind == "op" and not self.tokens[k - 2].glued)
        if before.text == "#" and k - 2 >= self.first and self.tokens[k - 2].kind not in ("nl", "punct"):
            return False  # "5 \\# 0 + 5 = 5": an operation of one's own
        if before.kind == "punct":
            return not _closes_bars(before) and (not token.glued or before.text not in ",.:" or bool(gap))
        if before.kind == "(":
            # The whole equation stands in the bracket; "x^{3 + 4 = 7}" and "f(3 + 4 = 7)" do not occur in sound text.
            return k < 2 or self.tokens[k - 2].kind != "op"
        if before.kind == ")":
            return self._is_enumerator(k - 1)
        if before.kind == "word":
            latin = before.text[-1].isascii() or "Ͱ" <= before.text[-1] <= "Ͽ"
            return not (token.glued and latin) and self._word_lets_begin(k - 1)
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
        return (
            opened is not None
            and all(t.kind in ("word", "punct") for t in self.tokens[opened + 1 : i])
            and inside > 1
            and (not self.tokens[opened].glued)
        )

    def _word_lets_begin(self, i: int) -> bool:
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
        return (is_unit_word(tokens[i]) and tokens[i].label != "letter") or word == "i"

    def right_end(self, begin: int) -> int | None:
        """Index behind the expression that begins at `begin`; None where what follows could change its value."""
        tokens = self.tokens
        i = begin
        last = None  # the end of the operands read so far
        while True:
            signs = 0
            while i < self.stop and tokens[i].kind == "op" and tokens[i].text in "+-" and signs < 2:
                i, signs = i + 1, signs + 1
            after = self.operand_end(i)
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
        if last is None or last - begin > _MAX_SIDE_TOKENS:
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
        return not any(t.kind == "word" for t in inside) or (
            inside[0].kind != "word"
            and any(t.kind == "op" and t.text in "+-*/" for t in inside)
            and any(t.kind == "num" for t in inside)
        )

    def operand_end(self, i: int) -> int | None:
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
            return self.operand_end(i + 1) if i + 1 < self.stop and tokens[i + 1].kind in ("num", "(") else None
        elif kind == "(":
            closed = self.partner.get(i)
            if closed is None or closed >= self.stop:
                return None
            i = closed + 1
        else:
            return None
        while i < self.stop and tokens[i].kind in ("%", "!"):
            i += 1
        return self._unit_end(i)

    def _unit_end(self, i: int) -> int:
        """Behind the unit words at `i`: all of them where an operator or relation follows, else the first alone."""
        tokens = self.tokens
        end = unit_end(tokens, i, min(self.stop, i + 2 * _MAX_UNIT_WORDS))
        if end == i:
            return i
        follower = tokens[end] if end < self.stop else None
        if follower is not None and (
            follower.kind in RELATIONS or (follower.kind == "op" and self._starts_operand(end + 1))
        ):
            return end
        if tokens[i].kind != "word" or tokens[i].text.lower() in OPERATORS_AFTER:
            return end if tokens[i].kind != "word" else i
        if tokens[i].text.lower() in PREPOSITIONS:
            return i
        return unit_end(tokens, i, min(end, i + _one_unit(tokens, i, end)))

    def _starts_operand(self, i: int) -> bool:
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
            return not (after is not None and after.text == "^")
        if token.kind == "punct":
            if token.text == "?":
                return False
            glued_next = after is not None and after.start == token.end
            if token.text in ".,:" and not gap and glued_next:
                return (
                    after is not None
                    and after.kind in ("nl", "punct", ")", "word")
                    and ((token.text == "." and after.kind != "word") or after.kind in ("nl", "punct", ")"))
                )
            return True
        if token.kind == "cmp":
            # "≈ 0.5 < k < 1.5"
            return not (
                i + 2 < self.stop and after is not None and after.kind == "word" and tokens[i + 2].kind == "cmp"
            )
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
        if (
            behind > i
            and behind < self.stop
            and self.tokens[behind].kind == "op"
            and not self._operator_is_text(behind)
        ):
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
        """Whether the number read so far is a part of the amount: "5 dollars and 50 cents", "3 and 1/2"."""
        tokens = self.tokens
        before = tokens[i - 1]
        if tokens[i].text.lower() == "and":
            i += 1
            if i + 1 < self.stop and tokens[i].kind in ("num", "frac", "vulgar"):
                if before.kind == "word":
                    return before.text.lower() in MEASURES
                if tokens[i].kind == "num" and not (
                    i + 2 < self.stop and tokens[i + 1].text == "/" and tokens[i + 1].glued
                ):
                    return False
                # "3 and 1/2", but not "7 and 1/2 + 1 = 3/2".
                behind = self.operand_end(i if tokens[i].kind != "num" else i + 2)
                return behind is None or behind >= self.stop or tokens[behind].kind not in ("op", *RELATIONS)
        return False

    def _operator_is_text(self, i: int) -> bool:
        """Whether the operator behind a result is a dash or an emphasis mark: "= 7 - which is", "= 7*"."""
        token = self.tokens[i]
        after = self.tokens[i + 1] if i + 1 < self.stop else None
        if after is None or after.kind == "nl":
            return token.text == "*" and token.glued
        if token.text == "*":
            return token.glued and not after.glued and after.kind in ("word", "punct", "(", ")")
        if token.text == "-":
            return after.kind == "word" and not token.glued and not after.glued and len(after.text) > 1
        return False

    def shorter_ends(self, middle: int, end: int, goes_on: bool) -> list[int]:
        """Ends of the first number on the right, where it may be the result and the rest the next calculation."""
        first = middle + 1
        while first < end and self.tokens[first].kind == "op":
            first += 1
        after = self.operand_end(first)
        if after is None or after >= end or self.tokens[after].kind != "op":
            return []
        dash = self.tokens[after].text == "-" and not self.tokens[after].glued and self.tokens[after - 1].kind == "word"
        # "19.5 times $1.5 on average"
        return [after] if goes_on or dash or self.tokens[after].label == "word" else []


def _closes_bars(token: Token) -> bool:
    """Whether it is the second bar of something like "|P ∩ Q|" that is no number."""
    return token.text == "|" and token.glued


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
    return next(
        (n for n in range(1, end - i) if unit_end(tokens, i, i + n) == i + n and tokens[i + n].kind == "word"), end - i
    )
