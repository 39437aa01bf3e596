"""Tells whether one side of an equation can only be a share of something, so that a percentage beside it is that share.

"(680 - 774) / 774" is a change relative to 774, and "= -13.63%" behind it says how large; "60 - 45 = 25%" may say that
15 is 25% of something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .tokens import Token

Share = Literal["", "quotient", "relative"]
_HUNDRED = ("100",)


def share(tokens: Sequence[Token]) -> Share:
    """What kind of share `tokens` write.

    "relative": a quotient whose divisor is a term of its dividend, `(a - b) / b`, or a quotient less one, `a / b - 1`.
    "quotient": another quotient, or a sum of quotients. "": neither, or percentages are in it already. A factor of 100
    does not matter.
    """
    if any(token.kind == "%" for token in tokens):
        return ""
    return _share([token for token in tokens if token.kind != "word"])


def quotient(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]] | None:
    """Dividend and divisor of a side that is one quotient, a factor of 100 left out; None for others."""
    return _quotient(_bare([token for token in tokens if token.kind != "word"]))


def has_factor_100(tokens: Sequence[Token]) -> bool:
    """Whether a share is written times 100, so that its value is the number before the percent sign."""
    return any(
        token.text == "*" and _HUNDRED in (_texts(tokens[i + 1 : i + 2]), _texts(tokens[max(i - 1, 0) : i]))
        for i, token in enumerate(tokens)
        if token.kind == "op"
    )


def _share(tokens: Sequence[Token]) -> Share:
    tokens = _bare(tokens)
    terms = _split(tokens, "+-")
    if len(terms) > 1:
        kinds = [_quotient(_bare(term)) is not None for term in terms]
        ones = sum(_texts(term) == ("1",) for term in terms)
        if not any(kinds) or sum(kinds) + ones < len(terms):
            return ""
        return "relative" if ones == 1 and len(terms) == 2 else "quotient"
    parts = _quotient(tokens)
    if parts is None:
        return ""
    above, below = (_bare(part) for part in parts)
    terms = [_texts(_bare(term)) for term in _split(above, "+-")]
    return "relative" if len(terms) > 1 and _texts(below) in terms else "quotient"


def _quotient(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]] | None:
    """Dividend and divisor where `tokens` are one quotient, a factor of 100 left out."""
    factors: list[tuple[str, Sequence[Token]]] = []
    for sign, factor in _factors(tokens):
        if factor and factor[0].kind == "frac":
            above, below = _group(factor, 1), _group(factor, 1 + len(_group(factor, 1)))
            if 1 + len(above) + len(below) != len(factor) or sign == "/":
                return None
            factors += [("*", above), ("/", below)]
        elif not (sign == "*" and _texts(factor) == _HUNDRED):
            factors.append((sign, factor))
    signs = [sign for sign, _ in factors]
    return (factors[0][1], factors[1][1]) if signs == ["*", "/"] else None


def _factors(tokens: Sequence[Token]) -> list[tuple[str, Sequence[Token]]]:
    """The factors of a product, each with the sign before it."""
    if len(_split(tokens, "+-")) != 1:
        return []
    out: list[tuple[str, Sequence[Token]]] = []
    begin, sign, depth = 0, "*", 0
    for i, token in enumerate(tokens):
        depth += (token.kind == "(") - (token.kind == ")")
        if depth == 0 and token.kind == "op" and token.text in "*/":
            out.append((sign, tokens[begin:i]))
            begin, sign = i + 1, token.text
    return [*out, (sign, tokens[begin:])]


def _split(tokens: Sequence[Token], signs: str) -> list[Sequence[Token]]:
    """`tokens` cut at `signs` that stand between two operands outside of brackets."""
    out, begin, depth = [], 0, 0
    for i, token in enumerate(tokens):
        depth += (token.kind == "(") - (token.kind == ")")
        between = i > begin and tokens[i - 1].kind != "op"
        if depth == 0 and between and token.kind == "op" and token.text in signs:
            out.append(tokens[begin:i])
            begin = i + 1
    return [*out, tokens[begin:]]


def _bare(tokens: Sequence[Token]) -> Sequence[Token]:
    """`tokens` without a sign before them and without brackets around all of them."""
    while True:
        if tokens and tokens[0].kind == "op" and tokens[0].text in "+-" and len(_split(tokens, "+-")) == 1:
            tokens = tokens[1:]
        elif len(tokens) > 2 and tokens[0].kind == "(" and len(_group(tokens, 0)) == len(tokens):
            tokens = tokens[1:-1]
        else:
            return tokens


def _group(tokens: Sequence[Token], i: int) -> Sequence[Token]:
    """The bracketed group that begins at `tokens[i]`, brackets included; empty where none does."""
    depth = 0
    for k in range(i, len(tokens)):
        depth += (tokens[k].kind == "(") - (tokens[k].kind == ")")
        if depth == 0:
            return tokens[i : k + 1] if k > i else ()
    return ()


def _texts(tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(token.text for token in tokens)
