"""Cuts text into the tokens of written arithmetic: plain, Unicode and LaTeX notation, money, units, annotations.

One compiled pattern walks the text once; no alternative can backtrack over more than a bounded piece, so time is linear
in the text's length whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ...numbers import ASCII_DIGITS, DECIMAL, GROUPED, SPACED
from .units import ABOUT, DETERMINERS, LETTER_UNITS


class Token(NamedTuple):
    """One token.

    Attributes:
        kind: "num", "vulgar" (½), "op" (text is one of + - * / ^), "(", ")", "%", "!", "word", "ellipsis", "rel" (=),
            "approx" (≈), "is" (= in words), "cmp" (<, ≠, …), "nl", "punct", "frac", "sqrt" (text is the degree of the
            root), or "bad": something that is no arithmetic (an unknown LaTeX command, a subscript). The bars of an
            absolute value are brackets.
        text: canonical for operators, else as written.
        start, end: half-open span in the text given to `tokenize`.
        glued: nothing stands between it and the token before.
        money: a currency sign stands before or behind it.
        label: for "op", how it was written where that matters: "of", "x", "word"; for "word", "letter" where a single
            letter stands as a unit does and may still be a variable.
        texted: a word from inside LaTeX's \\text{}, so that a single letter is a unit and no variable.
    """

    kind: str
    text: str
    start: int
    end: int
    glued: bool = False
    money: str = ""
    label: str = ""
    texted: bool = False


_LETTERS = r"[^\W\d_²³¹⁰⁴-⁹½¼¾⅐-⅞]+"
_PATTERN = re.compile(
    rf"""
    [^\S\n]*(?:
    (?P<word>{_LETTERS}(?:['’]{_LETTERS})?)
  | (?P<nl>\n|\\(?:begin|end)\s?\{{(?![A-Za-z]{{0,9}}matrix)[A-Za-z]{{1,20}}\*?\}}|\\\\|\\[\[\]]|\$\$)
  | (?P<space>[^\S\n]+ | \\[,;:!\ >] | ~(?!=) | & | \\(?:quad|qquad|displaystyle|textstyle|limits|nobreak|hfill)\b)
  | (?P<note><<[^<>\n]{{0,300}}>>)
  | (?P<hex>0x[0-9A-Fa-f]{{1,40}}(?![0-9A-Za-z]))
  | (?P<num>{GROUPED}|{SPACED}|{DECIMAL})
  | (?P<text>\\(?:text|mathrm|mbox|textrm|mathit|textit|textnormal|rm)\s*\{{(?P<inner>[^{{}}\\0-9=\n]{{0,200}})\}})
  | (?P<box>\\(?:boxed|fbox)(?![A-Za-z])\s?)
  | (?P<wrap>\\(?:text|mathrm|mbox|textrm|mathit|textit|textnormal|mathbf|textbf|bf|boldsymbol|underline|emph
        |left|right|bigl|bigr|Bigl|Bigr|big|Big|bigg|Bigg|biggl|biggr|Biggl|Biggr|middle|rm|it)(?![A-Za-z])\s?)
  | (?P<fracdigits>\\[dtc]?frac\s?(?P<top>[0-9])\s?(?P<bottom>[0-9]))
  | (?P<frac>\\[dtc]?frac(?![A-Za-z]))
  | (?P<sqrt>\\sqrt(?![A-Za-z\[]|\s*\[) | \\sqrt\s?\[\s?(?P<root>[2-9])\s?\] | [√∛∜])
  | (?P<times>\\(?:times|cdot|ast)(?![A-Za-z]) | [×·⋅∙∗✕✖] | \\\*)
  | (?P<div>\\div(?![A-Za-z]) | [÷∕⁄])
  | (?P<minus>[−–‒﹣])
  | (?P<approx>\\(?:approx|simeq|approxeq)(?![A-Za-z]) | [≈≃≅] | ~=)
  | (?P<cmp>\\(?:neq?|leq?|geq?|lt|gt|implies|iff|to|equiv|Rightarrow|rightarrow|Leftrightarrow|Longrightarrow
        |longrightarrow|therefore|because)(?![A-Za-z])
      | =>|=<(?!<)|[<>!:]=+>?|-+>|<-+(?![0-9(.])|[<>]+|[≠≤≥≡→⇒⇔⟹∴∵])
  | (?P<ellipsis>\.{{2,}} | … | \\(?:[lcvd]?dots|dotsb|dotsc)(?![A-Za-z]))
  | (?P<rules>={{3,}})
  | (?P<rel>==|=)
  | (?P<degree>(?:\^\s?(?:\{{\s?\\circ\s?\}}|\\circ(?![A-Za-z])) | \\(?:degree|textdegree|circ)(?![A-Za-z]) | °)
        (?:\s?(?P<scale>[CF])(?![A-Za-z])|[\s~]?\\(?:text|mathrm)\{{[\s~]?(?P<scaled>[CF])\}})? | [℃℉])
  | (?P<percent>\\?%)
  | (?P<money>\\\$|\$|[€£¥₹¢])
  | (?P<maths>\\[()])
  | (?P<power>\*\*+|\^)
  | (?P<star>\*) | (?P<plus>\+) | (?P<hyphen>-) | (?P<slash>//+|/)
  | (?P<bar>\||\\[lr]?vert(?![A-Za-z]))
  | (?P<open>[(\[{{]|\\\{{) | (?P<close>[)\]}}]|\\\}})
  | (?P<bang>!+)
  | (?P<sup>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
  | (?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])
  | (?P<punct>[.,;:?"“”`•#])
  | (?P<bad>\\[A-Za-z]+ | .))
    """,
    re.VERBOSE | re.DOTALL,
)
_SUPERSCRIPTS = str.maketrans("⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹", "-+0123456789")
_ASCII = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | ASCII_DIGITS
_TEXT_PARTS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[.,;:?!]")
# Pattern groups that become one token: its kind, and its text where that is not what was written.
_SAME = ("num", "nl", "approx", "cmp", "rel", "frac", "vulgar", "word", "punct", "bad", "bar")
_OPERATORS = {"times": "*", "div": "/", "minus": "-", "star": "*", "plus": "+", "hyphen": "-"}
_SIMPLE = {
    **{kind: (kind, "") for kind in _SAME},
    **{name: ("op", sign) for name, sign in _OPERATORS.items()},
    "percent": ("%", "%"),
    "hex": ("bad", ""),
    "rules": ("cmp", ""),
    "ellipsis": ("ellipsis", ""),
}
# What its neighbours do not change.
_SETTLED = frozenset(("num", "(", ")", "%", "!", "vulgar", "frac", "sqrt", "cmp", "bad", "ellipsis"))
_LINE_BREAKS = ("\n", "\\\\")
_GROUPS = {
    "inner": "text", "top": "fracdigits", "bottom": "fracdigits", "root": "sqrt", "scale": "degree", "scaled": "degree"
}  # fmt: skip
_OPERAND_ENDS = ("num", "vulgar", ")", "%", "!")
_OPERAND_STARTS = ("num", "vulgar", "(", "frac", "sqrt")
# What may stand between the bars of an absolute value, and how much of it.
_BETWEEN_BARS = frozenset(("num", "vulgar", "op", "(", ")", "%", "word", "frac", "sqrt"))
_MAX_BETWEEN_BARS = 40
_ROOTS = {"∛": "3", "∜": "4"}
_SCALES = {"C": "celsius", "℃": "celsius", "F": "fahrenheit", "℉": "fahrenheit"}


class Note(NamedTuple):
    """A calculator annotation `<<48/2=24>>`: the span of what is inside, and the index of the token behind it."""

    start: int
    end: int
    index: int


def in_ascii(text: str) -> str:
    """`text`, as long as before, with ASCII digits for those of other scripts and ASCII signs for full-width ones."""
    return text if text.isascii() else text.translate(_ASCII)


def tokenize(
    text: str, start: int = 0, end: int | None = None, *, x_times: bool = True
) -> tuple[list[Token], list[Note]]:
    """The tokens and the annotations of `text[start:end]`; spans are positions in `text`.

    Args:
        x_times: whether the letter x between two numbers is a multiplication sign.
    """
    raw, notes = _scan(text, start, len(text) if end is None else end)
    if any(token.kind == "bar" for token in raw):
        _pair_bars(raw)
    return _settle(raw, notes, x_times)


def _scan(text: str, start: int, end: int) -> tuple[list[Token], list[Note]]:
    out: list[Token] = []
    notes: list[Note] = []
    touching = False  # whether a token ends exactly where the next one begins
    money, money_end = "", 0
    for match in _PATTERN.finditer(text, start, end):
        group = match.lastgroup or "bad"
        group = _GROUPS.get(group, group)
        begin, stop = match.span(group)
        touching = touching and begin == match.start()
        if group == "word" and not money:
            # Nearly all.
            out.append(Token("word", match[group], begin, stop, touching))
            touching = True
        elif group == "note":
            notes.append(Note(begin + 2, stop - 2, len(out)))
            if money_end == begin:
                money_end = stop
        elif group in ("space", "wrap", "maths", "box"):
            touching = touching and group == "wrap"
            if money_end == begin and group == "wrap":
                money_end = stop
            if group == "box" and out and _ends_operand(out[-1]):
                # "7 apples \\boxed{7}": the answer once more, and no factor.
                out.append(Token("punct", "$", begin, begin))
        elif group == "money":
            sign = match[group][-1]
            if out and out[-1].end == begin and out[-1].kind == "num" and not out[-1].money:
                out[-1] = out[-1]._replace(money=sign)
            if sign == "$" and money == "$" and text[money_end:begin].isspace():
                # One formula ends and the next begins.
                out.append(Token("punct", "$", begin, begin))
            money, money_end, touching = sign, stop, False
        else:
            written = match[group]
            if group in _SIMPLE:
                kind, canonical = _SIMPLE[group]
                first = Token(kind, canonical or written, begin, stop, touching)
                out.append(first)
            else:
                at = len(out)
                out.extend(_tokens(group, match, written, begin, stop))
                if at == len(out):
                    continue
                first = out[at] = out[at]._replace(glued=touching)
            if money:
                # A sign parted from its number by a blank or more may be the end of a formula.
                if first.kind == "num" and money_end == begin:
                    out[-1] = first._replace(money=money)
                money = ""
            touching = True
    return out, notes


def _tokens(group: str, match: re.Match[str], written: str, begin: int, stop: int) -> Iterator[Token]:
    if group == "slash":
        # "//" is integer division, or part of an address.
        yield Token("bad" if len(written) > 1 else "op", written[:1], begin, stop)
    elif group == "power":
        yield Token("op", "^", begin, stop, label=written)
    elif group == "degree":
        scale = match["scale"] or match["scaled"] or written
        yield Token("word", _SCALES.get(scale, "degree"), begin, stop, texted=True)
    elif group == "sqrt":
        yield Token("sqrt", match["root"] or _ROOTS.get(written, "2"), begin, stop)
    elif group in ("open", "close"):
        yield Token("(" if group == "open" else ")", written[-1], begin, stop)
    elif group == "bang":
        yield Token("!" if written == "!" else "punct", written, begin, stop)
    elif group == "sup":
        power = written.translate(_SUPERSCRIPTS)
        yield Token("op", "^", begin, begin, label="sup")
        if power[0] in "-+":
            yield Token("op", power[0], begin, begin + 1, True)
        yield Token("num", power.lstrip("-+"), begin, stop, True)
    elif group == "fracdigits":
        yield Token("frac", "frac", begin, begin)
        for name in ("top", "bottom"):
            yield Token("(", "{", match.start(name), match.start(name), True)
            yield Token("num", match.group(name), match.start(name), match.end(name), True)
            yield Token(")", "}", match.end(name), match.end(name), True)
    elif group == "text":
        offset = match.start("inner")
        for word in _TEXT_PARTS.finditer(match.group("inner")):
            kind = "punct" if word.group() in ".,;:?!" else "word"
            yield Token(kind, word.group(), offset + word.start(), offset + word.end(), texted=True)


def _pair_bars(raw: list[Token]) -> None:
    """Make brackets of the bars around an absolute value; the others are punctuation, as in a table."""
    i = 0
    while i < len(raw):
        if raw[i].kind == "bar":
            closed = 0 if i and _ends_operand(raw[i - 1]) and raw[i].glued else _closing_bar(raw, i)
            kind = "(" if closed else "punct" if raw[i].text == "|" else "bad"
            raw[i] = raw[i]._replace(kind=kind, text="|")
            if closed:
                raw[closed] = raw[closed]._replace(kind=")", text="|")
                i = closed
        i += 1


def _closing_bar(raw: Sequence[Token], opened: int) -> int:
    """The index of the bar that closes the absolute value which the bar at `opened` begins, or 0."""
    i = opened + 1
    while i < len(raw) and i - opened <= _MAX_BETWEEN_BARS and raw[i].kind in _BETWEEN_BARS:
        i += 1
    signed = opened + 1 + (raw[opened + 1].text == "-") if opened + 1 < len(raw) else opened
    if i >= len(raw) or raw[i].kind != "bar" or i <= signed or not _ends_operand(raw[i - 1]):
        return 0
    if raw[signed].kind not in _OPERAND_STARTS:
        return 0
    # "| 4 | 2 + 2 = 4 |": cells of a table.
    return 0 if i + 1 < len(raw) and raw[i + 1].kind in (*_OPERAND_STARTS, "word", "bar") else i


def _settle(raw: Sequence[Token], notes: Sequence[Note], x_times: bool) -> tuple[list[Token], list[Note]]:
    """Second pass, where a token's neighbours decide: bold marks, x as times, operations in words, line breaks."""
    out: list[Token] = []
    moved = [0] * (len(raw) + 1)  # where each raw token went, for the annotations
    i = 0
    while i < len(raw):
        moved[i] = len(out)
        token = raw[i]
        if token.kind in _SETTLED or (token.kind == "word" and token.text.lower() not in _WORDS):
            out.append(token)
            i += 1
            continue
        taken = 1
        before = out[-1] if out else None
        after = raw[i + 1] if i + 1 < len(raw) else None
        if token.kind == "op" and token.text == "^" and token.label.startswith("**"):
            if not _is_power(token, before, after):
                i += 1
                if after is not None:  # a bold mark: what it parted is not glued, but it is not a blank either
                    raw = raw if not after.glued else _unglue(raw, i)
                continue
            out.append(token)
        elif token.kind == "nl":
            if not _joins_lines(raw, i, before):
                out.append(token)
        elif token.text == "•" and before is not None and before.kind in _OPERAND_ENDS and _starts_operand(raw, i + 1):
            out.append(token._replace(kind="op", text="*"))
        elif token.kind == "word":
            word = token.text.lower()
            made, taken = (None if word == "x" and not x_times else _WORDS[word](raw, i, before)) or (token, 1)
            for k in range(1, taken):
                moved[i + k] = len(out) + 1
            out.append(made)
        elif token.kind in ("rel", "approx") and after is not None and after.kind == "word" and after.text in ABOUT:
            taken = 2
            moved[i + 1] = len(out) + 1
            out.append(token._replace(kind="approx", end=after.end))
        else:
            out.append(token)
        i += taken
    moved[len(raw)] = len(out)
    return out, [note._replace(index=moved[note.index]) for note in notes]


def _joins_lines(raw: Sequence[Token], i: int, before: Token | None) -> bool:
    """Whether an equation goes on over the line break at `i`: a relation sign stands before or behind it."""
    if raw[i].text not in _LINE_BREAKS:
        return False
    if before is not None and before.kind in ("rel", "approx"):
        return True
    behind = i
    while behind < len(raw) and behind < i + 2 and raw[behind].text in _LINE_BREAKS:
        # LaTeX's line break and the text's own count as one, two of a kind part paragraphs.
        if behind > i and raw[behind].text == raw[i].text:
            return False
        behind += 1
    return behind < len(raw) and raw[behind].kind in ("rel", "approx")


def _unglue(raw: Sequence[Token], i: int) -> Sequence[Token]:
    if not isinstance(raw, list):
        raw = list(raw)
    raw[i] = raw[i]._replace(glued=False)
    return raw


def _is_power(token: Token, before: Token | None, after: Token | None) -> bool:
    """`2**3` and `2 ** 3` are powers; `**24** eggs` is bold type."""
    if token.label != "**" or before is None or after is None:
        return False
    operands = _ends_operand(before) and (
        after.kind in (*_OPERAND_STARTS, "word") or (after.kind == "op" and after.text == "-")
    )
    return operands and token.glued == after.glued


def _x(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "3x4" and "3 x 4" multiply, "3 4x 5" and "2x (y)" do not."""
    token = raw[i]
    if before is None or not _ends_operand(before) or token.texted or not _starts_operand(raw, i + 1):
        return None
    if before.kind == "word" and token.glued:
        return None
    return Token("op", "*", token.start, token.end, glued=token.glued, label="x"), 1


def _percent(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int]:
    del before
    token = raw[i]
    return Token("%", "%", token.start, token.end, glued=token.glued), 1


def _per_cent(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    del before
    if _texts(raw, i + 1, 1) != ["cent"]:
        return None
    token = raw[i]
    return Token("%", "%", token.start, raw[i + 1].end, glued=token.glued), 2


def _sign(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "3 plus 4"."""
    token = raw[i]
    if not _ends_operand(before) or not _starts_operand(raw, i + 1):
        return None
    return Token("op", _SIGNS[token.text.lower()], token.start, token.end, label="word"), 1


def _participle(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "8 divided by 2"."""
    token = raw[i]
    by = i + 1 < len(raw) and raw[i + 1].text == "by"
    if not by or not _ends_operand(before) or not _starts_operand(raw, i + 2):
        return None
    return Token("op", _SIGNS[token.text.lower()], token.start, raw[i + 1].end, label="word"), 2


def _of(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "1/2 of the 8" multiplies, "3 of the 8" does not."""
    if before is None:
        return None
    after = raw[i + 1] if i + 1 < len(raw) else None
    taken = 2 if after is not None and after.kind == "word" and after.text.lower() in DETERMINERS else 1
    share = before.kind in ("%", "vulgar") or (before.kind in ("num", ")") and _is_fraction(raw, i - 1))
    if not share or not _starts_operand(raw, i + taken):
        return None
    return Token("op", "*", raw[i].start, raw[i + taken - 1].end, label="of"), taken


def _is(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "is 8", "is equal to 8", "equals about 8"."""
    del before
    taken = 1
    for words in (["equal", "to"], ["to"]):
        if _texts(raw, i + 1, len(words)) == words:
            taken += len(words)
            break
    kind = "is"
    if i + taken < len(raw) and raw[i + taken].text.lower() in ABOUT:
        kind, taken = "isabout", taken + 1
    if not _starts_operand(raw, i + taken):
        return None
    return Token(kind, raw[i].text, raw[i].start, raw[i + taken - 1].end), taken


def _root(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "sqrt(16)"."""
    del before
    if i + 1 >= len(raw) or raw[i + 1].text != "(":
        return None
    return Token("sqrt", "2" if raw[i].text == "sqrt" else "3", raw[i].start, raw[i].end, glued=raw[i].glued), 1


def _letter(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "3 m" and "m/s" have a unit, "3m" has a variable."""
    token = raw[i]
    if token.texted or token.text not in LETTER_UNITS or before is None:
        return None
    behind_number = before.kind in ("num", ")") and not token.glued
    behind_slash = before.text == "/" and token.glued and i >= 2 and (raw[i - 2].kind == "word" or raw[i - 2].money)
    behind_unit = before.label == "letter" and not token.glued
    if not (behind_number or behind_slash or behind_unit):
        return None
    return token._replace(label="letter", texted=True), 1


def _minutes(raw: Sequence[Token], i: int, before: Token | None) -> tuple[Token, int] | None:
    """ "30 min" and "mL/min" have a unit, "min(3, 4)" is a function."""
    token = raw[i]
    behind = before is not None and (before.kind == "num" or (before.text == "/" and token.glued))
    if token.texted or not behind or (i + 1 < len(raw) and raw[i + 1].text == "("):
        return None
    return token._replace(texted=True), 1


_SIGNS = {"times": "*", "plus": "+", "minus": "-", "divided": "/", "multiplied": "*"}
# Words that may be more than words: each reader gives the token made and how many raw tokens it took, or None.
_WORDS: dict[str, Callable[[Sequence[Token], int, Token | None], tuple[Token, int] | None]] = {
    "x": _x,
    "percent": _percent,
    "pct": _percent,
    "min": _minutes,
    "per": _per_cent,
    **dict.fromkeys(("times", "plus", "minus"), _sign),
    **dict.fromkeys(("divided", "multiplied"), _participle),
    "of": _of,
    **dict.fromkeys(("equals", "is", "equal"), _is),
    **dict.fromkeys(("sqrt", "cbrt"), _root),
    **dict.fromkeys((letter.lower() for letter in LETTER_UNITS), _letter),
}


def _texts(raw: Sequence[Token], i: int, count: int) -> list[str]:
    return [token.text.lower() for token in raw[i : i + count]]


def _ends_operand(token: Token | None) -> bool:
    return token is not None and (token.kind in _OPERAND_ENDS or token.kind == "word")


def _starts_operand(raw: Sequence[Token], i: int) -> bool:
    if i + 1 < len(raw) and raw[i].kind == "op" and raw[i].text in "+-":
        return raw[i + 1].kind == "num" and raw[i + 1].glued
    return i < len(raw) and raw[i].kind in _OPERAND_STARTS


def _is_fraction(raw: Sequence[Token], i: int) -> bool:
    """Whether the number or group that ends at `raw[i]` is the bottom of a fraction (`1/2`, `\\frac{1}{2}`)."""
    if raw[i].kind == "num":
        return i >= 2 and raw[i - 1].kind == "op" and raw[i - 1].text == "/" and raw[i - 2].kind == "num"
    return i >= 6 and raw[i].text == "}" and any(token.kind == "frac" for token in raw[i - 6 : i])
