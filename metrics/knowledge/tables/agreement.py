"""Whether a cell, or an amount in a sentence, says a figure: units, scales, rounding and signs."""

from __future__ import annotations

import re
from fractions import Fraction

from .amounts import Amount, currencies
from .context import About
from .layout import Cell
from .sources import Place
from .words import stems

_NEGATIVE = re.compile(
    r"\b(?:loss\w*|lost|deficit|expens\w*|cost\w*|outflow\w*|us(?:ed|e)|negative\w*|deduct\w*|decreas\w*|declin\w*|benefit\w*"
    r"|paid|payments?|repurchas\w*|charge\w*|write\w*|reduc\w*|allowance|provision|less|minus|tax\w*|depreciation"
    r"|amorti[sz]ation|liabilit\w*|debt)\b",
    re.IGNORECASE,
)
_OR_LOSS = re.compile(r"(?<=\w)\s?/?\s?\((?:loss(?:es)?|expenses?|deficit|benefit|decrease)\)", re.IGNORECASE)
_EITHER = re.compile(r"\b(?P<profit>\w+)\s?/?\s?\((?P<loss>loss(?:es)?|deficit|outflows?)\)", re.IGNORECASE)
_HEDGED = Fraction(1, 10)
_NEAR = Fraction(1, 100)
_TWICE_ROUNDED = Fraction(6, 10)  # of a unit of the last digit: 2,149.6 thousand as 2.15 and then 2.2 million


def agreement(about: About, place: Place) -> str:
    """ "same" where the cell says the figure, why it may do so, or "": it surely says another."""
    figure, cell = about.figure, place.cell
    why = ""
    if figure.percent and not cell.percent:
        return ""
    if cell.percent and (figure.money or figure.scale != 1):
        return "one of them is a percentage"
    said = currencies(figure.written) or currencies(about.after[:16])
    if said and place.currencies and not said & place.currencies:
        return "the currency differs"
    for value, other, unit, certain in _readings(about, cell):
        off = abs(abs(value) - abs(other))
        if about.bound and off > cell.amount.unit * (other / cell.value if cell.value else 1) / 2:
            if (about.bound == "lower") == (abs(value) > abs(other)):
                # "over 1 billion" is not said of 774 million, however it is rounded.
                why = why or ("rounding may explain the difference" if off <= _NEAR * abs(other) else "")
                continue
            why = why or "it is a bound, and holds"
        if off <= unit / 2 or (about.hedged and off <= _HEDGED * abs(other) / 5):
            if value * other >= 0:
                if not figure.signed and value > 0 and _says_loss(about, place):
                    why = why or "the sign differs"
                    continue
                return "same"
            # "Net income (loss)" is no loss by its label alone.
            negative = f"{about.sentence} {_OR_LOSS.sub(' ', place.row.label)}"
            if not figure.signed and _NEGATIVE.search(negative):
                return "same"
            why = why or "the sign differs"
        elif (off < unit and (abs(value) < abs(other) or off <= unit * _TWICE_ROUNDED)) or (
            about.hedged and off <= _HEDGED * abs(other)
        ):
            why = why or "rounding may explain the difference"
        elif not certain and _power_of_1000(value, other, unit):
            why = why or "the table may be in thousands or millions"
    return why


def _says_loss(about: About, place: Place) -> bool:
    """Whether the sentence names the loss of a row that holds either: "net loss" of "Net income (loss)"."""
    match = _EITHER.search(place.row.label)
    if match is None:
        return False
    said = stems(about.sentence)
    return stems(match["loss"]) <= said and not stems(match["profit"]) & said


def _readings(about: About, cell: Cell) -> list[tuple[Fraction, Fraction, Fraction, bool]]:
    """What figure and cell may stand for, one unit of the figure's last digit, and whether the scale is certain."""
    figure = about.figure
    v, c, unit = figure.value, cell.value, figure.unit
    zeros = 0
    if not figure.decimals and v:
        digits = figure.written.replace(",", "")
        run = re.search(r"0+(?=\D*$)", digits)
        zeros = len(run.group()) if run else 0
    if cell.percent:
        return [(v, c, unit, True)]
    if figure.scale != 1:
        if cell.scale is not None:
            return [(v * figure.scale, c * cell.scale, unit * figure.scale, True)]
        return [(v, c, unit, False), (v * figure.scale, c, unit * figure.scale, False)]
    copied = not about.in_full or about.scale == cell.scale
    out = [(v, c, unit, False)] if copied or cell.scale in (None, 1) else []
    if cell.scale not in (None, 1):
        # "$774,000" of 774 thousand; "$1,500,000" of 1,496.5 thousand shows fewer digits.
        out.append((v, c * cell.scale, Fraction(10 ** min(zeros, 9)), False))
    return out


def _power_of_1000(a: Fraction, b: Fraction, unit: Fraction) -> bool:
    """Whether `a`, rounded to `unit`, is `b` in thousands, millions or billions, or the reverse."""
    factors = [Fraction(1000) ** n for n in (-3, -2, -1, 1, 2, 3)]
    return any(abs(abs(a) - abs(b) * factor) <= unit / 2 for factor in factors)


def equal_amounts(a: Amount, b: Amount) -> bool:
    off = abs(abs(a.value * a.scale) - abs(b.value * b.scale))
    return off <= a.unit * a.scale / 2
