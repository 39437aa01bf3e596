"""Decides whether a written equation holds: exactly, as a rounding to the digits shown, or not at all.

An equation is called wrong only when it is wrong under every reading its notation allows, and when neither rounding nor
a conversion of units that is not spelled out could explain the difference. What cannot be evaluated (division by zero,
a power beyond the bounds) is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from ...numbers import SCALES
from ..types import Label
from .evaluate import ROOT_ERROR, Amount, BoundExceeded, NotArithmetic, Reading, Undefined, evaluate, unit_end
from .quantities import Conversion, convert, restate
from .shares import has_factor_100, quotient, share
from .tokens import Token, in_ascii, tokenize
from .units import COHERENT, CONVERSIONS, FACTORS, MEASURED, PIECES, SCALED, dimensions, mixes_scales, unit

MAX_CLAIM_CHARACTERS = 1000
# A number shown with decimals may stand for a value this far off, a whole number shown for a fraction this far.
_ROUNDED_DECIMALS = Fraction(5, 100)
_ROUNDED_WHOLE = Fraction(1, 100)
# What double-precision arithmetic may be off by after a few operations ("0.1 * 3 = 0.30000000000000004").
_FLOATING_POINT = Fraction(1, 10**12)
_MAX_NUDGED = 20
# A number of percent, or what one is divided by, goes up to here: "5 / 2 = 2.5%".
_MOST_PERCENT = 100
# Decimals that are rounded as shown explain a difference up to here.
_DATES = frozenset(("day", "week", "month", "year"))
_CONVERTED = Fraction(3, 1000)
_ROUNDED_OPERANDS = Fraction(1, 100)
# An integer may be rounded to fewer digits than it shows up to here.
_ROUNDED_DIGITS = Fraction(2, 100)
# What units may stand for where it should not matter.
_PRIMES = tuple(map(Fraction, (8_191, 7_919, 7_907, 7_901, 7_883, 7_879, 7_877, 7_873, 7_867, 7_853)))
_APPROXIMATE = Fraction(1, 100)
_APPROXIMATE_AT_BEST = Fraction(1, 10)

_FIRST_SCALE, _LAST_SCALE = 10**3, 10**12

RELATIONS = frozenset(("rel", "approx", "is", "isabout"))


@dataclass(frozen=True)
class Equation:
    """One relation with its two sides as tokens."""

    left: Sequence[Token]
    right: Sequence[Token]
    approximate: bool = False


@dataclass(frozen=True)
class Comparison:
    """Whether an equation holds.

    Attributes:
        reason: one line that says why.
        operations: how many each side holds.
        shown: the value of each side, for a person.
        converted: whether the sides were compared in one unit: "0.5 mg = 500 mcg".
    """

    label: Label
    reason: str
    operations: tuple[int, int] = (1, 0)
    shown: tuple[str, str] = ("", "")
    converted: bool = False


@lru_cache(maxsize=16_384)
def decide(text: str) -> Comparison | None:
    """Whether the equation that `text` is holds; None where it is none, or not one over numbers alone."""
    text = in_ascii(text)
    try:
        return compare(read(text), text)
    except NotArithmetic:
        return None


def read(text: str) -> Equation:
    """The equation that `text` is, all of it.

    Raises:
        NotArithmetic: it is none, or has more than one relation, or is longer than MAX_CLAIM_CHARACTERS.
    """
    if len(text) > MAX_CLAIM_CHARACTERS:
        raise NotArithmetic(f"{len(text)} characters are more than {MAX_CLAIM_CHARACTERS}")
    tokens, _ = tokenize(text)
    relations = [i for i, token in enumerate(tokens) if token.kind in RELATIONS]
    if len(relations) != 1:
        raise NotArithmetic(f"an equation has one relation, found {len(relations)}")
    middle = relations[0]
    equation = Equation(tokens[:middle], tokens[middle + 1 :], tokens[middle].kind in ("approx", "isabout"))
    if not (equation.left and equation.right):
        raise NotArithmetic("a side of the equation is empty")
    return equation


def compare(equation: Equation, text: str) -> Comparison:
    """Whether the equation holds. `text` is what the tokens' spans refer to; reasons quote it.

    Raises:
        NotArithmetic: a side is no expression over numbers, or the equation has no operation in it, or its letters may
            be variables.
    """
    try:
        label, reason, (left, right) = _compare(equation, text, Reading.PLAIN)
        converted = (
            _conversion(equation, left, right, Reading.PLAIN) is not None
            or _restated(equation, left, right) is not None
        )
        letters = any(token.label == "letter" for token in (*equation.left, *equation.right))
        if letters and not converted and not _same_units(equation, left, right):
            raise NotArithmetic("a letter that may be a variable")
    except (BoundExceeded, Undefined) as error:
        return Comparison("insufficient", f"not evaluable: {error}")
    if label != "supported":
        for other in sorted(left.readings | right.readings, key=lambda r: (not r.is_usual, r.value)):
            if not _may_read(equation, other):
                continue
            try:
                tried, why, _ = _compare(equation, text, other)
            except (NotArithmetic, BoundExceeded, Undefined):
                continue
            if tried == "supported" and other.is_usual:
                label, reason = tried, f"{why}, {other.value}"
                break
            undecided = tried == "insufficient" and other is not Reading.GROUPED_BY_POINT
            if label == "contradicted" and (tried == "supported" or undecided):
                label, reason = "insufficient", f"{reason}; {why}, {other.value}"
    if label == "contradicted" and any(" " in t.text for t in (*equation.left, *equation.right) if t.kind == "num"):
        label, reason = "insufficient", f"{reason}; a blank may part two numbers"
    shown = render(left.value), render(right.value)
    return Comparison(label, reason, (left.operations, right.operations), shown, converted)


def _conversion(equation: Equation, left: Amount, right: Amount, reading: Reading) -> Conversion | None:
    """How the sides compare where units convert into each other; None where none do, or dimensions differ."""
    names = set(left.units | right.units)
    if "%" in names:
        return None
    letters = {unit(token.text) for token in (*equation.left, *equation.right) if token.label == "letter"}

    def values(standing_for: Mapping[str, Fraction]) -> tuple[Fraction, Fraction]:
        a, b = (evaluate(side, reading, letters=standing_for).value for side in (equation.left, equation.right))
        return a, b

    try:
        return convert(names - {"per"}, letters, values)
    except (NotArithmetic, BoundExceeded, Undefined):
        return None


def _spelled_out(equation: Equation, left: Amount, right: Amount, ratio: Fraction) -> bool:
    """Whether the numbers alone agree, and the factor between the units is one of them: "2 g * 1000 = 2000 mg"."""
    if _relative(left.value, right.value) > _APPROXIMATE:
        return False
    factor = ratio * right.value / left.value
    written = {
        Fraction(token.text)
        for token in (*equation.left, *equation.right)
        if token.kind == "num" and token.text.isdigit() and len(token.text) < 10
    }
    return factor != 1 and bool({factor, 1 / factor} & written)


def _compare_converted(
    equation: Equation, text: str, left: Amount, right: Amount, ratio: Fraction
) -> tuple[Label, str]:
    """The decision in the units of the side that is a written number, or of the right one."""
    if left.decimals is not None and right.decimals is None:
        right = replace(right, value=left.value / ratio)
    else:
        left = replace(left, value=right.value * ratio)
    written = [
        shorten(" ".join(text[side[0].start : side[-1].end].split())) for side in (equation.left, equation.right)
    ]
    label, reason = _decide(left, right, equation.approximate, (written[0], written[1]))
    return label, f"{reason}, in the same unit"


def _may_read(equation: Equation, reading: Reading) -> bool:
    """Whether what the sides are speaks against a reading that their notation allows."""
    if reading is Reading.SCALE_AS_UNIT:
        # "500 thousand + 2 million = 502 million"
        return len({SCALES[word] for word in _scale_words((*equation.left, *equation.right))}) == 1
    if reading is Reading.PERCENT_AS_UNIT:
        return not any(map(_is_plain_share, (equation.left, equation.right)))
    return True


def _scale_words(tokens: Sequence[Token]) -> list[str]:
    return [token.text.lower() for token in tokens if token.kind == "word" and token.text.lower() in SCALES]


def _is_plain_share(tokens: Sequence[Token]) -> bool:
    """Whether a side is a share and not a number of percent: "(3 - 2) / 2 = 0.5%" does not hold."""
    kind = share(tokens)
    if not kind or has_factor_100(tokens):
        return False
    if kind == "relative" or any(token.money for token in tokens):
        return True
    try:
        whole = evaluate(tokens).value.denominator == 1
        return not whole and all(abs(evaluate(part).value) > _MOST_PERCENT for part in quotient(tokens) or ((),))
    except (NotArithmetic, BoundExceeded, Undefined):
        return False


def _same_units(equation: Equation, left: Amount, right: Amount) -> bool:
    """Whether the units cancel to the same on both sides: then the equation says the same whatever they stand for.

    That holds, too, for letters that may be units or variables.
    """
    names = sorted((left.units | right.units) - {"%"})
    zero = not (left.value and right.value)
    if len(names) > len(_PRIMES) or (names and zero):
        return False
    letters = dict(zip(names, _PRIMES, strict=False))
    try:
        a, b = (evaluate(side, letters=letters).value for side in (equation.left, equation.right))
    except (NotArithmetic, BoundExceeded, Undefined):
        return False
    return not names or a * right.value == b * left.value


def _compare(equation: Equation, text: str, reading: Reading) -> tuple[Label, str, tuple[Amount, Amount]]:
    left = evaluate(equation.left, reading)
    right = evaluate(equation.right, reading)
    found = _conversion(equation, left, right, reading)
    if (decided := _restated(equation, left, right)) is not None:
        return *decided, (left, right)
    if not left.operations + right.operations and not (found and found.stated):
        raise NotArithmetic("no operation on either side")
    if found is not None and not _spelled_out(equation, left, right, found.ratio):
        label, reason = _compare_converted(equation, text, left, right, found.ratio)
        return label, reason, (left, right)
    written = _written(equation.left, text), _written(equation.right, text)
    label, reason = _decide(left, right, equation.approximate, written)
    if label == "contradicted" and (
        why := _unspoken_units(equation, left, right)
        or _unspoken_scale(equation, left, right)
        or _rounded_operands(equation, text, left, right, reading)
        or _in_pieces(equation, left, right)
    ):
        label, reason = "insufficient", f"{reason}; {why}"
    return label, reason, (left, right)


def _restated(equation: Equation, left: Amount, right: Amount) -> tuple[Label, str] | None:
    """The decision on a quantity that is stated in two units, "70 kg = 154 lb" or "37 °C = 98.6 °F"; None: it is none.

    Either side may be the rounded one, to the digits that it shows.
    """
    if left.operations or right.operations or len(left.units) != 1 or len(right.units) != 1:
        return None
    (unit_of_left,), (unit_of_right,) = left.units, right.units
    there = restate(left.value, unit_of_left, unit_of_right)
    back = restate(right.value, unit_of_right, unit_of_left)
    if there is None or back is None:
        return None
    written = render(left.value), render(right.value)
    tried = [
        *(_decide(replace(left, value=value), right, equation.approximate, written) for value in there.values),
        *(
            _decide(replace(right, value=value), left, equation.approximate, (written[1], written[0]))
            for value in back.values
        ),
    ]
    exact = f"{written[0]} {unit_of_left} = {render(there.values[0])} {unit_of_right}"
    if any(label == "supported" for label, _ in tried):
        return "supported", exact
    if (
        there.difference is not None
        and _decide(replace(left, value=there.difference), right, equation.approximate, written)[0] == "supported"
    ):
        return "insufficient", f"{exact}; it holds of a difference of temperatures"
    if any(token.text.lower().startswith("pound") for token in (*equation.left, *equation.right)):
        return "insufficient", f"{exact}, not {written[1]}; pounds may be money"
    return tried[0][0], f"{exact}, not {written[1]}"


def _in_pieces(equation: Equation, left: Amount, right: Amount) -> str:
    """Whether the equation holds with a dozen for twelve, a pair for two, …: "2 dozen + 6 = 30"; the reason, or ""."""
    names = left.units | right.units
    counted = sorted(names & PIECES.keys())
    if not counted or "%" in names:
        return ""
    letters = {name: PIECES.get(name, Fraction(1)) for name in names}
    try:
        a, b = (evaluate(side, letters=letters).value for side in (equation.left, equation.right))
    except (NotArithmetic, BoundExceeded, Undefined):
        return ""
    return f"{counted[0]} may stand for its pieces" if a == b else ""


def _decide(left: Amount, right: Amount, approximate: bool, written: tuple[str, str]) -> tuple[Label, str]:
    # `computed` is the side to evaluate, `shown` the one that may be a rounded result.
    swap = left.decimals is not None and right.decimals is None
    computed, shown = (right, left) if swap else (left, right)
    source, target = (written[1], written[0]) if swap else written
    exact, given = computed.value, shown.value
    if (left.is_irrational or right.is_irrational) and exact != given and _relative(exact, given) < ROOT_ERROR:
        given = exact
    if exact == given:
        if shown.operations and shown.decimals is None:
            return "supported", f"{says(source, exact)} and {says(target, given)}"
        return "supported", says(source, exact)
    if shown.decimals is None:
        return _decide_expressions(exact, given, approximate, f"{says(source, exact)}, but {says(target, given)}")
    off = _relative(exact, given)
    if shown.decimals >= 9 and off <= _FLOATING_POINT:
        return "supported", f"{says(source, exact)}, shown as a floating-point number"
    value = says(source, exact)
    if how := _rounding(exact, shown):
        places = f"{max(shown.decimals, 0)} decimals" if shown.decimals > 0 else "a whole number"
        said = f"{value}, shown as {target} ({how} to {places})"
        limit = _ROUNDED_DECIMALS if shown.decimals > 0 else _ROUNDED_WHOLE
        if (approximate and how == "rounded") or off <= limit:
            return "supported", said
        return "insufficient", f"{value}; {target} may be that {how} to {places}"
    at_zeros = _rounded_at_zeros(exact, shown)
    if approximate:
        if off <= _APPROXIMATE or at_zeros:
            return "supported", f"{value}, about {target}"
        if off <= _APPROXIMATE_AT_BEST:
            return "insufficient", f"{value}; {target} is {float(off):.1%} off"
    things = shown.units and not shown.units & MEASURED and shown.decimals == 0
    if things and exact.denominator != 1 and 0 < shown.value - exact < 1:
        return "insufficient", f"{value}; {target} may be that rounded up to whole ones"
    if at_zeros and off <= _ROUNDED_DIGITS and (exact.denominator != 1 or computed.is_measured):
        return "insufficient", f"{value}; {target} may be that with fewer digits"
    return "contradicted", f"{value}, not {target}"


def _decide_expressions(exact: Fraction, given: Fraction, approximate: bool, said: str) -> tuple[Label, str]:
    """Both sides are computed: nothing shows how many digits were meant."""
    off = _relative(exact, given)
    if approximate:
        label: Label = (
            "supported" if off <= _APPROXIMATE else "insufficient" if off <= _APPROXIMATE_AT_BEST else "contradicted"
        )
        return label, said
    fractional = exact.denominator != 1 or given.denominator != 1
    if fractional and off <= _APPROXIMATE:
        return "insufficient", f"{said}; rounding may explain the difference"
    return "contradicted", said


def _relative(exact: Fraction, given: Fraction) -> Fraction:
    return abs(exact - given) / max(abs(exact), abs(given))


def _rounding(exact: Fraction, shown: Amount) -> str:
    """How `exact` becomes the number shown: "rounded", "cut", or "" when neither gives it."""
    assert shown.decimals is not None
    if shown.decimals <= 0 and exact.denominator == 1 and not shown.is_percentage and shown.decimals == 0:
        return ""
    scale = Fraction(10) ** shown.decimals
    scaled, digits = exact * scale, shown.value * scale
    if abs(scaled - digits) <= Fraction(1, 2):
        return "rounded"
    # Cut off: nearer to zero than the value, by less than one unit of the last digit.
    if abs(scaled - digits) < 1 and abs(digits) < abs(scaled) and digits * scaled >= 0:
        return "cut"
    return ""


def _rounded_at_zeros(exact: Fraction, shown: Amount) -> bool:
    """Whether `shown` is `exact` rounded to, or cut at, tens, hundreds, …, as its trailing zeros allow."""
    if not shown.trailing_zeros:
        return False
    unit = 10 ** min(shown.trailing_zeros, 40)
    cut = abs(shown.value) < abs(exact) and abs(exact - shown.value) < unit
    return cut or abs(exact - shown.value) <= Fraction(unit, 2)


def _unspoken_scale(equation: Equation, left: Amount, right: Amount) -> str:
    """Whether one side leaves out the thousands or millions that its numbers are in, or ""."""
    scaled = [bool(_scale_words(side)) for side in (equation.left, equation.right)]
    if scaled[0] == scaled[1] or left.value * right.value <= 0:
        return ""
    ratio = max(left.value / right.value, right.value / left.value)
    power = _FIRST_SCALE
    while power <= _LAST_SCALE:
        if abs(ratio / power - 1) <= _APPROXIMATE:
            return "the numbers may be in thousands or millions"
        power *= _FIRST_SCALE
    return ""


def _unspoken_units(equation: Equation, left: Amount, right: Amount) -> str:
    """Why the numbers alone do not decide, or ""."""
    if not _same_units(equation, left, right) and (hidden := _hidden_conversion(left, right)):
        return hidden
    for amount, other, side in ((left, right, equation.right), (right, left, equation.left)):
        if amount.is_fraction and other.decimals == 0:
            return "the fraction may name a part of something"
        if amount.is_fraction and other.units & _DATES and other.operations > 1:
            return "the fractions may be dates"
        a_part = "%" not in other.units or Reading.SHARE_OF_ALL in other.readings
        if amount.is_percentage and other.operations and a_part and not _says_share(side, other):
            return "the percentage may name a part of something"
        if len(amount.term_units) > 1 and all("%" in units for units in amount.term_units) and "%" not in other.units:
            return "percentages may be of something"
        if len(amount.term_units) > 1:
            named = [units - {"%"} for units in (*amount.term_units, *other.term_units) if units - {"%"}]
            if any(not (a & b) for a, b in pairwise(named)):
                return "the terms have different units"
    return ""


def _says_share(tokens: Sequence[Token], amount: Amount) -> bool:
    """Whether a percentage beside a side can only be that side: it is a share, and no amount of things."""
    kind = share(tokens)
    return kind == "relative" or (kind == "quotient" and amount.value.denominator != 1 and len(amount.units) <= 1)


def _hidden_conversion(left: Amount, right: Amount) -> str:
    """Why the sides may be one quantity in two units, or ""."""
    if mixed := mixes_scales(sorted(left.units | right.units)):
        return f"{mixed[0]} and {mixed[1]} differ in scale"
    a, b = left.units & MEASURED, right.units & MEASURED
    if (a ^ b) & SCALED and _power_of_ten(left.value, right.value, least=1):
        return "the units may differ by a power of ten"
    if a & SCALED and (b - a) & SCALED and not a | b <= COHERENT:
        return "a quantity in other units"
    if left.decimals is not None and right.decimals is not None and left.units and right.units - left.units:
        return "a quantity in two units"
    if a == b or left.value * right.value <= 0:
        return ""
    ratio = left.value / right.value
    ratio = max(ratio, 1 / ratio)
    if any(ratio in FACTORS.get(unit, ()) for unit in a ^ b):
        return "a conversion of units may be left out"
    # Between systems of units, with any power of ten.
    if (left.is_measured or right.is_measured) and any(
        _power_of_ten(ratio, factor, within=_CONVERTED) or _power_of_ten(1 / ratio, factor, within=_CONVERTED)
        for dimension in dimensions(a ^ b)
        for factor in CONVERSIONS.get(dimension, ())
    ):
        return "a conversion of units may be left out"
    return ""


def _rounded_operands(equation: Equation, text: str, left: Amount, right: Amount, reading: Reading) -> str:
    """Whether decimals that are rounded as shown could explain the difference of a product or quotient, or ""."""
    # Prices are exact; in a LaTeX formula the dollar sign is none.
    in_formula = "\\" in text[equation.left[0].start : equation.right[-1].end]
    slack = Fraction(0)
    for tokens, amount in ((equation.left, left), (equation.right, right)):
        if any(token.money for token in tokens) and not in_formula:
            return ""
        if amount.decimals is not None:
            slack += Fraction(10) ** -amount.decimals / 2
        elif any(token.text in "*/^" for token in tokens if token.kind == "op") or (
            amount.operations and all(token.kind != "op" for token in tokens)
        ):
            decimals = [token for token in tokens if token.kind == "num" and "." in token.text]
            for token in decimals[:_MAX_NUDGED]:
                try:
                    slack += abs(evaluate(tokens, reading, token).value - amount.value)
                except (NotArithmetic, BoundExceeded, Undefined):
                    return ""
    explained = abs(left.value - right.value) <= slack <= _ROUNDED_OPERANDS * max(abs(left.value), abs(right.value))
    return "the decimals shown may be rounded" if explained else ""


def _power_of_ten(a: Fraction, b: Fraction, least: int = 0, within: Fraction = _APPROXIMATE) -> bool:
    """Whether `a` is nearly `b` times a power of ten, or divided by one; least: the smallest exponent that counts."""
    if not a or not b:
        return False
    ratio = abs(a / b)
    ratio = 1 / ratio if ratio < 1 else ratio
    digits = len(str(ratio.numerator // ratio.denominator)) - 1
    return any(n >= least and abs(ratio / 10**n - 1) <= within for n in (digits, digits + 1))


def _written(tokens: Sequence[Token], text: str) -> str:
    """A side as it stands in the text, without the unit words behind it, on one line."""
    end = len(tokens)
    while end > 1 and (tokens[end - 1].kind == "op" or unit_end(tokens, end - 1, end) == end):
        end -= 1
    begin = 0
    while end - begin > 2 and tokens[begin].text == "{" and tokens[end - 1].text == "}" and tokens[begin].kind == "(":
        begin, end = begin + 1, end - 1
    start = tokens[begin].start
    if tokens[begin].money and start and text[start - 1] in "$€£¥₹":
        start -= 1
    words = text[start : tokens[end - 1].end].split()
    return shorten(" ".join(word for word in words if word not in ("&", "\\\\")))


def shorten(text: str, width: int = 120) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def says(source: str, value: Fraction) -> str:
    """`48/2 = 24`, or `10/3 ≈ 3.33333` where the value has no short decimal form."""
    shown = render(value)
    return f"{source} ≈ {shown[6:]}" if shown.startswith("about ") else f"{source} = {shown}"


def render(value: Fraction) -> str:
    """A number for a person: 24, 0.125, "about 3.33333"."""
    sign, value = ("-" if value < 0 else ""), abs(value)
    if value.denominator == 1:
        digits = str(value.numerator)
        return sign + (digits if len(digits) <= 30 else f"{digits[:6]}… ({len(digits)} digits)")
    rest = value.denominator
    twos = fives = 0
    while rest % 2 == 0 and twos <= 12:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0 and fives <= 12:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest == 1 and places <= 12 and value < 10**18:
        scaled = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
        return f"{sign}{scaled[:-places]}.{scaled[-places:]}"
    about = f"{float(value):.6g}" if 10**-300 < value < 10**300 else "beyond a float"
    return f"about {sign}{about}"
