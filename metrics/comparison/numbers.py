"""Formats a comparison's numbers: few digits, a true minus sign, a dash for a missing value."""

from __future__ import annotations

import math

NONE = "–"
_MINUS = "−"


def number(value: float, digits: int = 3, *, sign: bool = False) -> str:
    """A number with about `digits` significant digits and no exponent up to a million; a dash for nan."""
    if math.isnan(value):
        return NONE
    if not value:
        return "0"
    if not 1e-4 <= abs(value) < 1e7:
        text = f"{value:{'+' if sign else ''}.{digits - 1}e}"
    else:
        size = math.floor(math.log10(abs(value)))
        places = min(4, max(0, digits - 1 - size))
        text = f"{value:{'+' if sign else ''},.{places}f}"
    return text.replace("-", _MINUS)


def percent(value: float) -> str:
    """A relative change: +12 %, −39 %; a dash for nan."""
    if math.isnan(value):
        return NONE
    if abs(value) < 0.005:
        return "0 %"
    return f"{value:+,.0%}".replace("%", " %").replace("-", _MINUS)


def p_value(value: float) -> str:
    return NONE if math.isnan(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def plural(count: int, noun: str) -> str:
    """`1 chain`, `2,000 chains`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
