"""Evaluates one side of a written equation exactly: a bounded recursive-descent parser over rational numbers.

Nothing is handed to an interpreter. Length, nesting, digits, exponents and the size of every intermediate result are
bounded, so hostile input costs no more than ordinary input.

Written arithmetic is ambiguous in places ("2½" in LaTeX, "50 + 10%"). `Reading` names one way to read such a place; the
plain reading is the usual one, and the judge tries others before it calls an equation wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from math import factorial, isqrt

from ...numbers import MAX_EXPONENT, SCALES, readings, vulgar_fraction
from .tokens import Token
from .units import CONNECTIVES, DENIALS, FUNCTIONS, GLUED_UNITS, MEASURED, MEASURES, SCALED, unit

MAX_TOKENS = 400
MAX_NESTING = 40
MAX_DIGITS = 1000
MAX_BITS = 12_000
MAX_FACTORIAL = 200
_MAX_ROOT = 12
_ROOT_SCALE = 10**100
ROOT_ERROR = Fraction(1, 10**60)


_ARITHMETIC_KINDS = frozenset(("num", "vulgar", "op", "(", ")", "%", "!", "word", "frac", "sqrt"))


class NotArithmetic(ValueError):
    """The tokens are no arithmetic expression over numbers."""


class BoundExceeded(ValueError):
    """The expression is arithmetic, but evaluating it would cost more than the bounds allow."""


class Undefined(ValueError):
    """The expression is arithmetic without a value: division by zero."""


class Reading(Enum):
    """One way to read an ambiguous notation; the value says it in words."""

    PLAIN = ""
    PERCENT_AS_UNIT = "reading % as a unit"
    PERCENT_OF_REST = "reading the percentage as a share of the amount before it"
    PRODUCT_FIRST = "reading the product without a sign first"
    MIXED_AS_PRODUCT = "reading the number before the fraction as a factor"
    SIGN_FIRST = "reading the sign before the power"
    SHARE_OF_ALL = "reading the share as one of all that follows"
    GROUPED_BY_POINT = "reading the point as a thousands separator"
    SCIENTIFIC_FIRST = "reading the power of ten as part of the divisor"
    SCALE_AS_UNIT = "reading the scale word as a unit"
    FRACTION_FIRST = "reading the fraction as one number"
    EXCLAMATION = "reading ! as punctuation"
    # Against the usual rules: an equation that holds so may have been meant so, but is not right as it stands.
    LAST_DIVISION_FIRST = "reading the last division first"
    PRODUCT_BELOW = "reading the product behind / as the divisor"
    FRACTION_AS_EXPONENT = "reading the fraction as the exponent"
    LOST_POWER = "reading the digits behind 10 as its power"
    TIGHT_FIRST = "reading what is written without blanks first"
    ROOT_OF_ALL = "reading the root of all that follows"
    MIXED_IN_BRACKETS = "reading the number and the fraction in brackets as one"
    NEGATIVE_IN_BRACKETS = "reading the number in brackets as a negative amount, as accounts do"

    @property
    def is_usual(self) -> bool:
        return self not in _UNUSUAL


_UNUSUAL = frozenset(
    (
        Reading.LAST_DIVISION_FIRST,
        Reading.PRODUCT_BELOW,
        Reading.FRACTION_AS_EXPONENT,
        Reading.LOST_POWER,
        Reading.TIGHT_FIRST,
        Reading.ROOT_OF_ALL,
        Reading.MIXED_IN_BRACKETS,
        Reading.NEGATIVE_IN_BRACKETS,
    )
)


@dataclass
class Amount:
    """What one side of an equation says.

    Attributes:
        value: exact; of an irrational root its first 100 digits.
        operations: how many operations were carried out; signs and percent signs are none.
        decimals: decimal places shown, where the side is one written number (0.5: 1, 50%: 2, 1.2 × 10^5: -4).
        trailing_zeros: how many zeros an integer written alone ends in.
        is_fraction: the side is nothing but one proper fraction `a/b`.
        is_irrational: `value` holds an irrational root, so that an equal one may differ far behind the point.
        is_measured: it holds decimals or units of measurement, so that its result may be rounded.
        term_units: per top-level term, the unit words that stand in it; money as its sign.
        readings: the readings that would differ from the one used.
    """

    value: Fraction
    operations: int = 0
    decimals: int | None = None
    trailing_zeros: int = 0
    is_fraction: bool = False
    is_percentage: bool = False
    is_measured: bool = False
    is_irrational: bool = False
    term_units: list[frozenset[str]] = field(default_factory=list)
    readings: set[Reading] = field(default_factory=set)

    @property
    def units(self) -> frozenset[str]:
        """All unit words."""
        return frozenset().union(*self.term_units)


def evaluate(
    tokens: Sequence[Token],
    reading: Reading = Reading.PLAIN,
    nudged: Token | None = None,
    letters: Mapping[str, Fraction] | None = None,
) -> Amount:
    """The amount that `tokens` write, all of them.

    Args:
        nudged: a decimal among `tokens` to take half a unit of its last place larger: what does its rounding matter?
        letters: what units stand for, or letters that may be variables, in the place of 1.

    Raises:
        NotArithmetic: variables, functions, a stray sign: no expression over numbers.
        BoundExceeded, Undefined: an expression that is not or cannot be evaluated; the message says why.
    """
    if len(tokens) > MAX_TOKENS:
        raise BoundExceeded(f"{len(tokens)} tokens exceed the bound {MAX_TOKENS}")
    for i, token in enumerate(tokens):
        named = token.kind == "word" and (
            is_glued_name(tokens, i) or not (is_unit_word(token) or is_article(tokens, i))
        )
        if named or token.kind not in _ARITHMETIC_KINDS:
            raise NotArithmetic(f"{token.text!r} is no arithmetic")
    return _Parser(tokens, reading, nudged, letters or {}).run()


def unit_end(tokens: Sequence[Token], i: int, stop: int) -> int:
    """Where the unit words that begin at `tokens[i]` end: "cm^2", "eggs per day", "(eggs)", "/hour"; `i` if none do.

    A single letter is a variable, not a unit, unless it stands in \\text{}.
    """
    while i < stop:
        token = tokens[i]
        if token.kind == "word" and (token.text.lower() in CONNECTIVES or is_glued_name(tokens, i)):
            break
        if token.kind == "word" and (is_unit_word(token) or is_article(tokens, i)):
            i = _power_end(tokens, i + 1, stop)
        elif (token.text == "/" and i + 1 < stop and _is_rate(tokens, i)) or (
            token.text == "-" and token.glued and i + 1 < stop and tokens[i + 1].kind == "word" and tokens[i + 1].glued
        ):
            i += 1
        elif token.text == "(" and not token.glued and (end := _comment_end(tokens, i, stop)):
            i = _power_end(tokens, end, stop)
        else:
            break
    return i


def _power_end(tokens: Sequence[Token], i: int, stop: int) -> int:
    """Behind the power of a unit at `tokens[i]`: cm^2, cm^{2}, mol^-1, mol^{-1}; `i` where there is none."""
    if _has_lost_power(tokens, i, stop):
        return i + 2
    if i + 1 >= stop or tokens[i].text != "^":
        return i
    braced = tokens[i + 1].text == "{"
    number = i + 1 + braced
    if number + 1 < stop and tokens[number].text == "-":
        number += 1
    if number + braced >= stop or not (tokens[number].text.isdigit() and len(tokens[number].text) < 3):
        return i
    return number + 1 + braced


def _has_lost_power(tokens: Sequence[Token], i: int, stop: int) -> bool:
    """Whether "-1" at `tokens[i]` is the power of the unit before it, as in "21,100 cm-1"."""
    if i + 1 >= stop or tokens[i].text != "-" or not tokens[i].glued or unit(tokens[i - 1].text) not in MEASURED:
        return False
    power, behind = tokens[i + 1], tokens[i + 2] if i + 2 < len(tokens) else None
    return power.glued and power.kind == "num" and len(power.text) == 1 and (behind is None or behind.kind != "word")


def is_unit_word(token: Token) -> bool:
    """Whether a word can be (part of) a unit: no variable, no function, no word that does arithmetic."""
    letters = token.text
    if letters.lower() in FUNCTIONS and not token.texted:
        return False
    return token.texted or len(letters) > 1 or not (letters.isascii() or "Ͱ" <= letters <= "Ͽ")


def is_glued_name(tokens: Sequence[Token], i: int) -> bool:
    """Whether the word at `i` stands directly behind a number and is no known unit: a variable, as in "3p" or "2ab".

    Scripts other than Latin and Greek name no variables.
    """
    token = tokens[i]
    if not token.glued or token.texted or token.text in GLUED_UNITS or i == 0:
        return False
    latin = token.text[0].isascii() or "Ͱ" <= token.text[0] <= "Ͽ"
    return latin and tokens[i - 1].kind in ("num", "vulgar", ")", "!")


def is_article(tokens: Sequence[Token], i: int) -> bool:
    """Whether `tokens[i]` is the article of "5 a day", and not a variable."""
    token = tokens[i]
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    return token.text == "a" and not token.glued and after is not None and after.kind == "word" and len(after.text) > 1


def _is_rate(tokens: Sequence[Token], i: int) -> bool:
    """Whether the slash at `i` makes a unit: "miles/hour", "$15/day", "5/hour", but not "1/total"."""
    word, before = tokens[i + 1], tokens[i - 1] if i else None
    if word.kind != "word" or not is_unit_word(word) or before is None:
        return False
    known = word.texted or word.text.lower() in MEASURES or word.text in GLUED_UNITS
    return known or before.kind == "word" or bool(before.money)


def _comment_end(tokens: Sequence[Token], i: int, stop: int) -> int:
    """The index behind "(words)" at `tokens[i]`, or 0."""
    k = i + 1
    while (
        k < stop
        and k - i <= 8
        and tokens[k].kind == "word"
        and is_unit_word(tokens[k])
        and tokens[k].text.lower() not in DENIALS
    ):
        k += 1
    return k + 1 if k > i + 1 and k < stop and tokens[k].text == ")" else 0


def _core(tokens: Sequence[Token]) -> Sequence[Token]:
    """`tokens` without the brackets around them all and without a sign."""
    while len(tokens) > 2 and tokens[0].text in ("(", "{") and tokens[-1].kind == ")":
        tokens = tokens[1:-1]
    signed = len(tokens) > 0 and tokens[0].kind == "op" and tokens[0].text in "+-"
    return tokens[1:] if signed else tokens


def _places(number: str) -> tuple[int, int]:
    """Decimal places of a written number (1.2e5: -4), and the zeros that an integer ends in."""
    digits, _, exponent = re.sub(r"[^0-9a-z.+-]", "", number.lower()).partition("e")
    decimals = len(digits.partition(".")[2]) - int(exponent or 0)
    return decimals, 0 if "." in digits else len(digits) - len(digits.rstrip("0"))


def _scientific_decimals(core: Sequence[Token]) -> int | None:
    """Decimal places of `1.2 * 10^5`, or None where the exponent is more than an integer of up to four digits."""
    if core[0].kind != "num" or core[1].kind != "op":
        return None
    tail = [token for token in core[4:] if token.text not in "{}()"]
    negative = bool(tail) and tail[0].text == "-"
    if len(tail) != 1 + negative or not tail[-1].text.isdigit() or len(tail[-1].text) > 4:
        return None
    exponent = -int(tail[-1].text) if negative else int(tail[-1].text)
    return len(core[0].text.partition(".")[2]) - exponent


def _is_fraction(core: Sequence[Token]) -> bool:
    """Whether a side is written as `1/2`, `\\frac{1}{2}` or ½."""
    kinds = [token.kind for token in core]
    if kinds == ["num", "op", "num"]:
        return core[1].text == "/" and core[0].text.isdigit() and core[2].text.isdigit()
    return kinds[:1] == ["frac"] or kinds == ["vulgar"]


def _whole_root(value: int, degree: int) -> int:
    """The largest whole number whose power of this degree is at most `value`."""
    if degree == 2:
        return isqrt(value)
    root = 1 << -(-value.bit_length() // degree)
    while True:  # Newton's method from above
        lower = ((degree - 1) * root + value // root ** (degree - 1)) // degree
        if lower >= root:
            return root
        root = lower


def _unit_power(tokens: Sequence[Token], i: int) -> int:
    """The power of the unit at `tokens[i]`, as `unit_end` reads it: 2 in "cm^2" or "cm^{2}", -1 in "m^-1"."""
    if i + 2 >= len(tokens) or tokens[i + 1].text != "^":
        return 1
    number = i + 2 + (tokens[i + 2].text == "{")
    negative = tokens[number].text == "-"
    return -int(tokens[number + 1].text) if negative else int(tokens[number].text)


class _Parser:
    def __init__(
        self, tokens: Sequence[Token], reading: Reading, nudged: Token | None, letters: Mapping[str, Fraction]
    ) -> None:
        self.nudged = nudged
        self.letters = letters
        self.tokens = tokens
        self.reading = reading
        self.i = 0
        self.depth = 0
        self.operations = 0
        self.units: set[str] = set()
        self.unit_tokens: set[int] = set()
        self.readings: set[Reading] = set()
        self.percent = False  # whether the factor just read is a bare percentage
        self.rounded = False  # whether an irrational root was taken

    def may(self, reading: Reading) -> bool:
        """Note that `reading` would read this place differently; whether it is the one in use."""
        self.readings.add(reading)
        return self.reading is reading

    def run(self) -> Amount:
        terms: list[frozenset[str]] = []
        value = self.sum(terms)
        if self.i != len(self.tokens):
            raise NotArithmetic(f"{self.tokens[self.i].text!r} does not continue an expression")
        if self.rounded and abs(value - round(value)) < ROOT_ERROR:
            value = Fraction(round(value))
        out = Amount(value, self.operations, term_units=terms, readings=self.readings, is_irrational=self.rounded)
        self.describe(out)
        return out

    def describe(self, out: Amount) -> None:
        """Fill in how the side is written."""
        core = _core([token for i, token in enumerate(self.tokens) if i not in self.unit_tokens])
        kinds = [token.kind for token in core]
        out.is_percentage = kinds == ["num", "%"]
        if kinds == ["num"] or out.is_percentage:
            out.decimals, out.trailing_zeros = _places(core[0].text)
            if out.is_percentage and self.reading is not Reading.PERCENT_AS_UNIT:
                out.decimals += 2
        elif kinds == ["num", "word"] and self.reading is Reading.SCALE_AS_UNIT:
            out.decimals, out.trailing_zeros = _places(core[0].text)  # "6.33 million"
        elif [token.text for token in core[1:4]] == ["*", "10", "^"]:
            out.decimals = _scientific_decimals(core)
        out.is_measured = any(token.kind == "num" and "." in token.text for token in self.tokens) or bool(
            out.units & SCALED
        )
        out.is_fraction = out.operations == 1 and 0 < abs(out.value) < 1 and _is_fraction(core)

    def peek(self) -> Token | None:
        return self.tokens[self.i] if self.i < len(self.tokens) else None

    def at(self, kind: str, *texts: str) -> bool:
        token = self.peek()
        return token is not None and token.kind == kind and (not texts or token.text in texts)

    def bounded(self, value: Fraction) -> Fraction:
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise BoundExceeded(f"a result of more than {MAX_BITS} bits exceeds the bound")
        return value

    def sum(self, terms: list[frozenset[str]] | None = None) -> Fraction:
        """terms is given at the top level only, where each term's units are wanted."""
        outer, self.units = self.units, set()
        value = self.product()
        collected = [frozenset(self.units)]
        while self.at("op", "+", "-"):
            sign = self.tokens[self.i].text
            self.i += 1
            self.operations += 1
            self.units = set()
            self.percent = False
            term = self.product()
            collected.append(frozenset(self.units))
            if self.percent and self.may(Reading.PERCENT_OF_REST):
                term *= value
            value = self.bounded(value + term if sign == "+" else value - term)
        self.units = outer.union(*collected)
        if terms is not None:
            terms.extend(collected)
        return value

    def product(self) -> Fraction:
        value = self.factor()
        while True:
            token = self.peek()
            if token is not None and token.kind == "op" and token.text in "*/":
                self.i += 1
                self.operations += 1
                if token.label == "of" and self.may(Reading.SHARE_OF_ALL):
                    value = self.bounded(value * self.sum())
                    self.percent = False
                    continue
                right = self.factor()
                if token.text == "/":
                    right = self.divisor(right)
                value = self.bounded(value * right if token.text == "*" else self.divide(value, right))
            elif self.follows_without_sign():
                self.operations += 1
                value = self.bounded(value * self.factor())
            else:
                return value
            self.percent = False

    def divisor(self, value: Fraction) -> Fraction:
        """The divisor that begins with `value`: by the usual rules that alone, in other readings more."""
        if self.power_of_ten_follows() and self.may(Reading.SCIENTIFIC_FIRST):
            self.i += 1
            self.operations += 1
            value = self.bounded(value * self.factor())
        if self.follows_without_sign() and self.may(Reading.PRODUCT_FIRST):
            while self.follows_without_sign():
                self.operations += 1
                value = self.bounded(value * self.factor())
        if self.at("op", "/") and self.may(Reading.LAST_DIVISION_FIRST):
            while self.at("op", "/"):
                self.i += 1
                value = self.bounded(self.divide(value, self.factor()))
        if self.at("op", "*") and self.may(Reading.PRODUCT_BELOW):
            while self.at("op", "*"):
                self.i += 1
                value = self.bounded(value * self.factor())
        return value

    def follows_without_sign(self) -> bool:
        """A product written without a sign: `2(3)`, `(2)(3)`, `3\\sqrt{4}`."""
        return self.at("(") or self.at("frac") or self.at("sqrt")

    def power_of_ten_follows(self) -> bool:
        """`1.58 * 10^6` behind a division sign."""
        texts = [token.text for token in self.tokens[self.i : self.i + 3]]
        before = self.tokens[self.i - 1]
        return texts == ["*", "10", "^"] and before.kind in ("num", ")")

    def divide(self, top: Fraction, bottom: Fraction) -> Fraction:
        if bottom == 0:
            raise Undefined("division by zero")
        return top / bottom

    def factor(self) -> Fraction:
        signs = 0
        negative = False
        while self.at("op", "+", "-"):
            signs += 1
            negative ^= self.tokens[self.i].text == "-"
            self.i += 1
            if signs > 2:
                raise NotArithmetic("more than two signs in a row")
        return self.power(negative)

    def power(self, negative: bool) -> Fraction:
        base = self.postfix()
        if self.at("op", "^"):
            if negative and self.may(Reading.SIGN_FIRST):
                base, negative = -base, False
            self.i += 1
            begin = self.i
            # The units behind "10^{-3} L" are read with the exponent, and are the power's.
            letters, self.letters = self.letters, {}
            exponent = self.nested(self.factor)
            self.letters = letters
            behind = self.standing_for(i for i in range(begin, self.i) if i in self.unit_tokens)
            after = self.tokens[self.i : self.i + 2]
            tight = [token.glued for token in after] == [True, True]
            fraction = tight and after[0].text == "/" and after[1].kind == "num"  # "2^1/2"
            if fraction and self.may(Reading.FRACTION_AS_EXPONENT):
                self.i += 2
                exponent = self.divide(exponent, self.number(after[1]))
            base = self.raised(base, exponent, begin) * behind * self.units_behind()
        return -base if negative else base

    def nested(self, parse: Callable[[], Fraction]) -> Fraction:
        """`parse()` one level deeper."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise BoundExceeded(f"nesting deeper than {MAX_NESTING} exceeds the bound")
        value = parse()
        self.depth -= 1
        return value

    def raised(self, base: Fraction, exponent: Fraction, begin: int | None = None) -> Fraction:
        self.operations += 1
        self.percent = False
        if abs(exponent) > MAX_EXPONENT:
            written = "".join(token.text for token in self.tokens[begin : self.i]) if begin is not None else ""
            written = written.removeprefix("{").removesuffix("}") if written.count("{") == 1 else written
            shown = str(exponent) if exponent.numerator.bit_length() < 100 else "of more than 100 bits"
            given = shown if written in ("", shown) else f"{written} = {shown}"
            raise BoundExceeded(f"exponent {given:.120} exceeds the bound {MAX_EXPONENT}")
        if base == 0 and exponent <= 0:
            raise Undefined("zero to the power zero" if exponent == 0 else "division by zero")
        whole, root = abs(exponent.numerator), exponent.denominator
        if root > _MAX_ROOT:
            raise NotArithmetic(f"a power with exponent {exponent} is beyond the roots that are taken")
        if root > 1:
            base = self.root(base, root)
        if max(base.numerator.bit_length(), base.denominator.bit_length()) * whole > 2 * MAX_BITS and abs(base) != 1:
            raise BoundExceeded(f"a power of more than {MAX_BITS} bits exceeds the bound")
        result = base**whole
        return self.bounded(1 / result if exponent < 0 else result)

    def root(self, value: Fraction, degree: int = 2) -> Fraction:
        """The root, exactly where it is rational, else its first 100 digits."""
        if value < 0:
            if degree % 2 == 0:
                raise NotArithmetic("root of a negative number")
            return -self.root(-value, degree)
        top, bottom = _whole_root(value.numerator, degree), _whole_root(value.denominator, degree)
        if top**degree == value.numerator and bottom**degree == value.denominator:
            return Fraction(top, bottom)
        self.rounded = True
        return Fraction(_whole_root(value.numerator * _ROOT_SCALE**degree // value.denominator, degree), _ROOT_SCALE)

    def postfix(self) -> Fraction:
        value = self.nested(self.primary)
        if self.tightly_added():
            value = self.with_tight_terms(value)
        self.percent = False
        if self.at("!"):
            self.readings.add(Reading.EXCLAMATION)
            self.i += 1
            if self.at("!"):
                raise NotArithmetic("a double factorial")
            if not (self.reading is Reading.EXCLAMATION and self.i == len(self.tokens)):
                if value.denominator != 1 or value < 0:
                    raise NotArithmetic("the factorial of something that is no whole number")
                if value > MAX_FACTORIAL:
                    raise BoundExceeded(f"a factorial of more than {MAX_FACTORIAL} exceeds the bound")
                self.operations += 1
                value = Fraction(factorial(int(value)))
        if self.at("%"):
            self.i += 1
            self.percent = True
            self.units.add("%")
            self.readings.add(Reading.PERCENT_AS_UNIT)
            if self.reading is not Reading.PERCENT_AS_UNIT:
                value /= 100
        else:
            value *= self.scale_word()
        return value * self.units_behind()

    def scale_word(self) -> int:
        token = self.peek()
        if token is None or token.kind != "word" or token.text.lower() not in SCALES:
            return 1
        self.i += 1
        return 1 if self.may(Reading.SCALE_AS_UNIT) else SCALES[token.text.lower()]

    def units_behind(self) -> Fraction:
        """Read over the units here; what the letters among them stand for."""
        end = unit_end(self.tokens, self.i, len(self.tokens))
        words = [i for i in range(self.i, end) if self.tokens[i].kind == "word"]
        self.units.update(unit(self.tokens[i].text) for i in words)
        self.unit_tokens.update(range(self.i, end))
        self.i = end
        return self.standing_for(words)

    def standing_for(self, places: Iterable[int]) -> Fraction:
        """What the units at these places stand for, multiplied."""
        letters = Fraction(1)
        for i in places if self.letters else ():
            if self.tokens[i].kind != "word":
                continue
            if self.tokens[i].text.lower() == "per":
                continue
            below = self.tokens[i - 1].text.lower() in ("/", "per")
            power = -_unit_power(self.tokens, i) if below else _unit_power(self.tokens, i)
            letters *= self.letters.get(unit(self.tokens[i].text), Fraction(1)) ** power
        return letters

    def primary(self) -> Fraction:
        token = self.peek()
        if token is None:
            raise NotArithmetic("an operand is missing")
        self.i += 1
        if token.money:
            self.units.add(token.money)
        if token.kind == "num":
            if (power := self.lost_power(token)) is not None:
                return power
            return self.with_fraction(self.number(token), token) * self.letters.get(token.money, 1)
        if token.kind == "vulgar":
            self.operations += 1
            return Fraction(*vulgar_fraction(token.text))
        if token.kind == "(":
            return self.group(token)
        if token.kind == "frac":
            top = self.argument()
            bottom = self.argument()
            self.operations += 1
            return self.bounded(self.divide(top, bottom))
        if token.kind == "sqrt":
            self.operations += 1
            begin = self.i
            if not self.at("num"):
                value = self.argument()
                # "√(3)² + (4)²"
                if self.tokens[begin].text == "(" and self.at("op", "^") and self.may(Reading.ROOT_OF_ALL):
                    self.i = begin
                    value = self.sum()
            elif self.i + 1 < len(self.tokens) and self.may(Reading.ROOT_OF_ALL):
                value = self.sum()
            else:
                value = self.number(self.take("num"))
            return self.root(value, int(token.text))
        raise NotArithmetic(f"{token.text!r} is no number")

    def lost_power(self, token: Token) -> Fraction | None:
        """The power of ten that the number just read stands for where its exponent lost its mark, in that reading.

        "1.67 × 10 -27", "6.02 x 1023"
        """
        if token.text[:2] != "10" or self.i < 2 or self.tokens[self.i - 2].text != "*":
            return None
        after = self.tokens[self.i : self.i + 2]
        if [t.kind for t in after] == ["op", "num"] and token.text == "10" and after[0].text == "-":
            if after[1].text.isdigit() and len(after[1].text) <= 3 and self.may(Reading.LOST_POWER):
                self.i += 2
                return Fraction(10) ** -int(after[1].text)
        elif token.text.isdigit() and len(token.text) in (3, 4) and token.text[2] != "0":
            mantissa = self.tokens[self.i - 3].text if self.i >= 3 else ""
            if len(mantissa.partition(".")[0]) == 1 and self.may(Reading.LOST_POWER):
                return Fraction(10) ** int(token.text[2:])
        return None

    def tightly_added(self) -> bool:
        """Whether a number follows, added without blanks, beside a sign with blanks: "8-2 / 3"."""
        after = self.tokens[self.i : self.i + 2]
        if (
            [t.kind for t in after] != ["op", "num"]
            or after[0].text not in "+-"
            or not (after[0].glued and after[1].glued)
        ):
            return False
        around = (self.i - 2, self.i + 2)
        spaced = any(
            0 <= k < len(self.tokens) and self.tokens[k].kind == "op" and self.tokens[k].text in "*/" for k in around
        )
        if self.i >= 2 and self.tokens[self.i - 2].kind == "op" and self.tokens[self.i - 1].glued:
            return False
        if not spaced or (self.i + 2 < len(self.tokens) and self.tokens[self.i + 2].glued):
            return False
        return self.may(Reading.TIGHT_FIRST)

    def with_tight_terms(self, value: Fraction) -> Fraction:
        while self.tightly_added():
            sign, number = self.tokens[self.i : self.i + 2]
            self.i += 2
            self.operations += 1
            value += self.number(number) if sign.text == "+" else -self.number(number)
        return value

    def take(self, kind: str) -> Token:
        token = self.peek()
        if token is None or token.kind != kind:
            raise NotArithmetic(f"expected {kind!r}, found {token.text if token else 'the end'!r}")
        self.i += 1
        return token

    def argument(self) -> Fraction:
        return self.group(self.take("("))

    def group(self, opened: Token) -> Fraction:
        begin = self.i
        value = self.sum()
        closed = self.take(")")
        if self.is_alone_in_brackets(begin) and self.may(Reading.NEGATIVE_IN_BRACKETS):
            return -value
        if _PAIRS[opened.text] != closed.text:
            raise NotArithmetic(f"{opened.text!r} is closed by {closed.text!r}")
        if opened.text == "|":
            self.operations += 1
            return abs(value)
        return value

    def is_alone_in_brackets(self, begin: int) -> bool:
        """Whether the group just read, from `begin` on, is one number that is added or taken away: "3 + (13)"."""
        before = self.tokens[begin - 2 : begin] if begin >= 3 else ()
        added = [token.text for token in before] in (["+", "("], ["-", "("]) and self.tokens[begin - 3].kind != "op"
        return added and self.i == begin + 2 and self.tokens[begin].kind == "num"

    def with_fraction(self, whole: Fraction, token: Token) -> Fraction:
        """A mixed number (`2 1/2`, `2½`, `2\\frac{1}{2}`), or `whole` alone."""
        after = self.tokens[self.i : self.i + 3]
        tight = [t.kind for t in after] == ["num", "op", "num"] and after[1].glued and after[2].glued
        if whole.denominator == 1 and tight and after[1].text == "/" and not after[0].glued:
            self.i += 3
            return whole + self.divide(self.number(after[0]), self.number(after[2]))
        if [t.kind for t in after[:2]] == ["op", "num"] and after[0].text == "/" and after[0].glued and after[1].glued:
            # "3 / 1/2"
            spaced = self.i >= 2 and self.tokens[self.i - 2].text == "/" and not token.glued
            if spaced and self.may(Reading.FRACTION_FIRST):
                self.i += 2
                self.operations += 1
                return self.divide(whole, self.number(after[1]))
        behind = self.tokens[self.i : self.i + 5]
        if [t.kind for t in behind] == ["(", "num", "op", "num", ")"] and behind[2].text == "/":
            # "1(3/4)"
            part = self.divide(self.number(behind[1]), self.number(behind[3]))
            if whole.denominator == 1 and 0 < part < 1 and self.may(Reading.MIXED_IN_BRACKETS):
                self.i += 5
                return whole + part
        if self.at("vulgar"):
            self.i += 1
            return whole + Fraction(*vulgar_fraction(after[0].text))
        if self.at("frac") and whole.denominator == 1:
            begin = self.i
            self.i += 1
            part = self.divide(self.argument(), self.argument())
            if 0 < part < 1 and not self.may(Reading.MIXED_AS_PRODUCT):
                return whole + part
            self.i = begin
        return whole

    def number_bound(self, digits: str) -> str:
        if len(digits) > MAX_DIGITS:
            raise BoundExceeded(f"a number of {len(digits)} characters exceeds the bound {MAX_DIGITS}")
        return digits

    def number(self, token: Token) -> Fraction:
        try:
            plain, *grouped = readings(self.number_bound(token.text))
        except ValueError as error:
            raise BoundExceeded(str(error)) from None
        if grouped and self.may(Reading.GROUPED_BY_POINT):
            return grouped[0]
        if token is not self.nudged:
            return plain
        mantissa, _, exponent = token.text.lower().partition("e")
        return plain + Fraction(10) ** int(exponent or 0) / (2 * 10 ** len(mantissa.partition(".")[2]))


_PAIRS = {"(": ")", "[": "]", "{": "}", "|": "|"}
