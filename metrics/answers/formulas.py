r"""Decides whether a step writes a formula that equals the gold one: `\frac{\sqrt3}{2}` as `\dfrac{\sqrt{3}}{2}`.

Only short formulas of the step are looked at, and of those only what could be equal by its letters and its shape, so
that ordinary chains need no computer algebra. What could take it long or grow without bound is refused beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from .math_verify_client import TookTooLong, equal

_LONGEST = 160  # characters of a formula
_PER_STEP = 16  # formulas of a step that are compared, the last ones
_PER_CHAIN = 120
_CANDIDATES = 400

_DELIMITED = re.compile(
    rf"\$\$?(?P<dollars>[^$]{{1,{_LONGEST}}})\$|\\\((?P<round>.{{1,{_LONGEST}}}?)\\\)|"
    rf"\\\[(?P<square>.{{1,{_LONGEST}}}?)\\\]",
    re.DOTALL,
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{")
_AFTER_EQUALS = re.compile(rf"=(?P<side>[^=$\n;]{{1,{_LONGEST}}})")
# Outside all marks: "so it is 2x+x^2." Letters in words of up to three ("sin"), an operator in between.
_OPERAND = r"(?:\d{1,9}(?:\.\d{1,9})?)?(?:\\?[A-Za-z]{1,4}|[πθ])?(?:\^(?:\{[^{}]{1,9}\}|\w))?"
_IN_PROSE = re.compile(
    rf"(?<![\w\\$^+*/·-])(?<![-+*/^·]\s)[-(]{{0,2}}(?=[\w\\]){_OPERAND}"
    rf"(?:[)(]?\s?[-+*/^·][ ]?[(]?{_OPERAND}[)]?){{1,12}}(?![\w^]|\s?[-+*/^·]\s?[\w(\\])"
)
# "2πr", "2√3", "x(x+2)": told from words by a sign, or by a bracket with an operator.
_BY_SIGN = re.compile(
    r"(?<![\w\\$^+*/·(-])(?:\d{0,9}[π√](?:\w{1,4}|\([^()\n]{1,20}\))?|\d{0,9}[a-z]?\([^()\n]{1,20}[-+*/^][^()\n]{1,20}\)){1,3}"
    r"(?![\w^(]|\s?[-+*/^·]\s?[\w(\\])"
)
_SENTENCE_END = re.compile(r"[.,]\s|[.,:]$|\\\\|\\[()\[\]]|\s(?:and|or|so|but|which|is|where|for|we|as|if|the)\s")
_SPACE = re.compile(r"\s+|\\[,;:! ]|\\q?quad(?![a-z])|~|&")
_WRAPPERS = re.compile(
    r"\\(?:left|right|displaystyle|big|Big|bigg|Bigg)(?![a-zA-Z])|\\(?:boxed|fbox)(?=\{)|\\text\{(?:\s|and|or){0,9}\}"
)
_UNICODE = {
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-"),
    ord("π"): r"\pi ",
    ord("×"): r"\times ",
    ord("·"): r"\cdot ",
    ord("∞"): r"\infty ",
    ord("∪"): r"\cup ",
    ord("≤"): r"\le ",
    ord("≥"): r"\ge ",
    ord("²"): "^2",
    ord("³"): "^3",
}
_ROOT = re.compile(r"√(?:\(([^()]{1,40})\)|\{([^{}]{1,40})\}|(\w+))|(?<![\\\w])sqrt\(([^()]{1,40})\)")
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_OPERATOR_NAMES = [
    "frac", "dfrac", "tfrac", "cfrac", "sqrt", "pi", "cdot", "times", "div", "pm", "mp", "left", "right",
    "infty", "cup", "cap", "le", "leq", "ge", "geq", "in", "ln", "log", "sin", "cos", "tan", "cot", "sec",
    "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "exp", "binom", "dbinom", "tbinom", "text",
    "mathrm", "mathbf", "begin", "end", "lt", "gt", "neq", "ne", "mathbb", "emptyset", "circ", "degree", "to",
    "ldots", "dots",
]  # fmt: skip
_OPERATORS = frozenset(f"\\{name}" for name in _OPERATOR_NAMES)
_IRRATIONAL = re.compile(r"\\(?:sqrt|pi|ln|log|sin|cos|tan|cot|sec|csc|arc|exp|infty)|[a-zA-Z]")
_PLAIN_NUMBER = re.compile(r"[-+]?[\d.,{}]+")
_WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}")
_HEAVY = re.compile(r"\\(?:int|iint|oint|sum|prod|lim|limsup|operatorname|mod|pmod|bmod|def|input)(?![a-zA-Z])|\*\*|!!")
_FACTORIAL = re.compile(r"(?<![\d)}\w])\d{1,2}!(?!=)")
_EXPONENT = re.compile(r"\^\s*(?:\{(?P<braced>[^{}^]{0,20})\}|(?P<bare>\\?\w|-\d)(?!\s*\^))")
_LARGEST_POWER = 10_000
_DEEPEST = 8


def is_tame(latex: str) -> bool:
    """Whether a formula is short, without powers, factorials, sums or nesting that could take for ever to work out."""
    if not 0 < len(latex) <= _LONGEST or _HEAVY.search(latex) or re.search(r"\d{16}", latex):
        return False
    if "!" in latex and ("^" in latex or latex.count("!") != len(_FACTORIAL.findall(latex))):
        return False
    if "binom" in latex and re.search(r"\d{3}", latex):
        return False
    exponents = list(_EXPONENT.finditer(latex))
    if len(exponents) != latex.count("^"):
        return False  # an exponent that is long, or holds another
    power = 1
    for exponent in exponents:
        for digits in re.findall(r"\d+", exponent["braced"] or exponent["bare"] or ""):
            power *= max(1, int(digits))
    return power <= _LARGEST_POWER and _depth(latex) <= _DEEPEST


def _depth(latex: str) -> int:
    deepest = depth = 0
    for char in latex:
        depth += (char in "{([") - (char in "})]")
        deepest = max(deepest, depth)
    return deepest


class FormulaMatcher:
    """Looks for one gold formula in the steps of one chain.

    Attributes:
        usable: False where the gold answer is no formula that can be compared.
    """

    def __init__(self, gold: str) -> None:
        self._gold = _tidy(gold.strip().strip("$").strip())
        self.usable = is_tame(self._gold) and not _WORDS.search(_COMMAND.sub(" ", self._gold))
        self._letters = _letters(self._gold)
        if "=" in self._gold and not self._letters:
            self.usable = False  # to a computer algebra system any two true equations between numbers are equal
        self._commas = _commas(self._gold)
        self._irrational = _IRRATIONAL.search(self._gold) is not None
        self._left = _PER_CHAIN

    def equals_one_in(self, text: str) -> bool:
        """Whether a formula of the text equals the gold one. A comparison that hangs ends the search in this chain."""
        if not self.usable:
            return False
        candidates = dict.fromkeys(filter(self._could_be, islice(formulas(text), _CANDIDATES)))
        for formula in list(candidates)[-_PER_STEP:]:
            if self._left <= 0:
                return False
            self._left -= 1
            try:
                if equal(self._gold, formula):
                    return True
            except TookTooLong:
                self._left = 0
        return False

    def _could_be(self, formula: str) -> bool:
        if formula == self._gold:
            return True
        if _commas(formula) != self._commas or _letters(formula) != self._letters:
            return False
        return not (self._irrational and _PLAIN_NUMBER.fullmatch(formula)) and is_tame(formula)


def formulas(text: str) -> Iterator[str]:
    r"""The short formulas of a text: between $…$, \(…\), \[…\], in \boxed{…}, and what stands right of an "=".

    Also those outside all marks that have an operator. Tidied: no spaces, `\left` or `\dfrac`. One that recurs comes
    again.
    """
    for match in _DELIMITED.finditer(text):
        inner = match[match.lastgroup or 0]
        yield from _sides(inner)
    for match in _BOXED.finditer(text):
        inner = _braced(text, match.end())
        if inner:
            yield from _sides(inner)
    for match in _AFTER_EQUALS.finditer(text):
        side, *rest = _SENTENCE_END.split(match["side"].strip(), maxsplit=1)
        if side and (rest or len(match["side"]) < _LONGEST):  # else it goes on beyond what was read
            yield _tidy(side)
    for pattern in (_IN_PROSE, _BY_SIGN):
        for match in pattern.finditer(text):
            yield _tidy(match[0].strip())


def _sides(formula: str) -> Iterator[str]:
    whole = _tidy(formula.strip().rstrip(".,;"))
    yield whole
    if "=" in whole and len(whole) <= _LONGEST:
        yield from filter(None, whole.split("=")[1:])


def _braced(text: str, start: int) -> str | None:
    depth = 1
    for index in range(start, min(len(text), start + _LONGEST)):
        depth += (text[index] == "{") - (text[index] == "}")
        if not depth:
            return text[start:index]
    return None


def _tidy(formula: str) -> str:
    formula = formula[: 4 * _LONGEST].translate(_UNICODE)
    formula = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2] or m[3] or m[4]}}}", formula)
    formula = re.sub(r"\\[dtc]frac(?![a-zA-Z])", r"\\frac", _WRAPPERS.sub("", formula))
    # A space ends a command's name, so that \pi x does not become \pix.
    formula = re.sub(r"(\\[a-zA-Z]+)\s+(?=[a-zA-Z])", "\\1\0", formula)
    return _SPACE.sub("", formula).replace("\0", " ").replace("*", r"\cdot ")


def _letters(formula: str) -> frozenset[str]:
    """Variables: single letters and letters by name, without the commands that stand for operations."""
    named = {command for command in _COMMAND.findall(formula) if command not in _OPERATORS}
    rest = re.sub(r"\\(?:text|mathrm|begin|end)\{[^{}]*\}", "", formula)
    return frozenset(named) | frozenset(re.findall("[a-zA-Z]", _COMMAND.sub("", rest)))


def _commas(formula: str) -> int:
    return re.sub(r"\{,\}|(?<=\d),(?=\d{3}(?!\d))", "", formula).count(",")
