"""Units of medicine and of the laboratory that convert into each other: "5 mg/kg * 70 kg = 350 mg", "0.5 mg = 500 mcg".

A table, and no library: pint does not know dollars and reads "a" as a year. Only what converts by definition is in it.
International units, milliequivalents and moles are measures of their own: how many milligrams they are depends on the
substance. So are days and weeks, which people count as working days. Any other word counts as itself, and cancels only
against itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import NamedTuple

# Per dimension its units, in the dimension's base unit.
_TABLE: Mapping[str, Mapping[str, str]] = {
    "mass": {
        **{"ng": "1/1000000000", "µg": "1/1000000", "μg": "1/1000000", "ug": "1/1000000", "mcg": "1/1000000"},
        **{"mg": "1/1000", "g": "1", "kg": "1000"},
    },
    "volume": {
        **{"µl": "1/1000000", "μl": "1/1000000", "ul": "1/1000000", "mcl": "1/1000000"},
        **{"ml": "1/1000", "cc": "1/1000", "cl": "1/100", "dl": "1/10", "l": "1"},
    },
    "amount": {
        **{"pmol": "1/1000000000000", "nmol": "1/1000000000"},
        **{"µmol": "1/1000000", "μmol": "1/1000000", "umol": "1/1000000", "mmol": "1/1000", "mol": "1"},
    },
    "activity": {"miu": "1/1000", "iu": "1"},
    "time": {"s": "1", "min": "60", "h": "3600"},
}
_UNITS = {name: (dimension, Fraction(factor)) for dimension, units in _TABLE.items() for name, factor in units.items()}
# "1 hour = 60 minutes" is a rate that nobody gets wrong, and "1 h = 45 min" a lesson: no claims without a calculation.
_STATED = frozenset(("mass", "volume", "amount", "activity"))
# A pound in grams, as it is defined, and as people reckon with it: 2.2 and 2.205 to a kilogram, .45 kg, 454 g.
_POUND = tuple(map(Fraction, ("453.59237", "5000/11", "200000/441", "450", "454")))
# Of temperatures: how many make a kelvin, and where 0 K stands. They convert as a whole, and not in a calculation.
_TEMPERATURES = {
    "kelvin": (Fraction(1), Fraction(0)),
    "celsius": (Fraction(1), Fraction("-273.15")),
    "fahrenheit": (Fraction(9, 5), Fraction("-459.67")),
}
# Two different sets of values for what the dimensions and other words may stand for: what cancels, cancels with both.
_FIRST, _SECOND = (
    tuple(map(Fraction, (8_191, 7_919, 7_907, 7_901, 7_883, 7_879, 7_877, 7_873, 7_867, 7_853))),
    tuple(map(Fraction, (6_133, 6_131, 6_121, 6_113, 6_101, 6_091, 6_089, 6_079, 6_073, 6_067))),
)

Evaluate = Callable[[Mapping[str, Fraction]], tuple[Fraction, Fraction]]


def is_stated(name: str) -> bool:
    """Whether a unit is of a kind that people convert without a calculation: "2 g = 2000 mg"."""
    return name in ("pound", *_TEMPERATURES) or (name in _UNITS and _UNITS[name][0] in _STATED)


class Restated(NamedTuple):
    """One written quantity in the unit of another.

    Attributes:
        values: by the definition of the units, then by what people reckon with.
        difference: for a temperature its value as a difference ("a rise of 10 °C = 18 °F"); else None.
    """

    values: tuple[Fraction, ...]
    difference: Fraction | None = None


def restate(value: Fraction, unit: str, other: str) -> Restated | None:
    """A quantity of so many `unit` in `other`, of pounds and temperatures; None where these two do not convert."""
    if unit == other:
        return None
    if unit in _TEMPERATURES and other in _TEMPERATURES:
        (size, zero), (other_size, other_zero) = _TEMPERATURES[unit], _TEMPERATURES[other]
        ratio = other_size / size
        return Restated(((value - zero) * ratio + other_zero,), value * ratio)
    grams = {name: factor for name, (dimension, factor) in _UNITS.items() if dimension == "mass"}
    if unit == "pound" and other in grams:
        return Restated(tuple(value * pound / grams[other] for pound in _POUND))
    if other == "pound" and unit in grams:
        return Restated(tuple(value * grams[unit] / pound for pound in _POUND))
    return None


class Conversion(NamedTuple):
    """How two sides compare once their units are converted.

    Attributes:
        ratio: left over right.
        stated: whether the sides may be compared without a calculation on either.
    """

    ratio: Fraction
    stated: bool


def convert(names: set[str], letters: set[str], evaluate: Evaluate) -> Conversion | None:
    """How the sides of an equation compare; None where no two units convert into each other, or dimensions differ.

    Args:
        names: all units of both sides, as `units.unit` names them.
        letters: those that stand as single letters, which may be variables: "2 g = 200 mg" shows by its other unit that
            they are none.
        evaluate: the values of both sides with these in the place of units.
    """
    mixed = _mixed(names)
    if not any(map(is_stated, names)):
        return None  # hours and minutes alone: everyday sums, in which people leave steps out
    if not mixed or not any(names_of - letters for names_of in mixed.values()) or len(names) > len(_FIRST):
        return None
    ratios = []
    for values in (_FIRST, _SECOND):
        left, right = evaluate(_standing_for(names, values))
        if not left or not right:
            return None
        ratios.append(left / right)
    if ratios[0] != ratios[1] or ratios[0] <= 0:
        return None
    return Conversion(ratios[0], not _STATED.isdisjoint(mixed))


def _mixed(names: set[str]) -> dict[str, set[str]]:
    """The dimensions of which there are units of different sizes, with them."""
    found: dict[str, set[str]] = {}
    for name in names & _UNITS.keys():
        found.setdefault(_UNITS[name][0], set()).add(name)
    return {one: units for one, units in found.items() if len({_UNITS[name][1] for name in units}) > 1}


def _standing_for(names: set[str], values: tuple[Fraction, ...]) -> dict[str, Fraction]:
    own = {name: _UNITS[name][0] if name in _UNITS else f"the word {name}" for name in sorted(names)}
    bases = dict(zip(dict.fromkeys(own.values()), values, strict=False))
    return {name: bases[base] * (_UNITS[name][1] if name in _UNITS else 1) for name, base in own.items()}
