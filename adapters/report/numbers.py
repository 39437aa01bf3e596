"""Formats numbers for the page: by unit, with a true minus sign, and a dash for a missing value."""

from __future__ import annotations

import math

DASH = "–"
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def places(*values: float) -> int:
    """The number of decimals that suits the largest value, so that the numbers of a row line up."""
    size = max((abs(value) for value in values if not _missing(value)), default=0.0)
    return 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3


def value(number: float, unit: str = "", decimals: int | None = None) -> str:
    """A measure's value: shares in per cent, others with `decimals` (default: chosen from the number)."""
    if _missing(number):
        return DASH
    return f"{_minus(f'{100 * number:.1f}')}\u00a0%" if unit == "share" else _plain(number, decimals)


def difference(number: float, unit: str = "", decimals: int | None = None) -> str:
    """A difference with its sign: shares in percentage points (pp)."""
    if _missing(number):
        return DASH
    text = _minus(f"{100 * number:.1f}") if unit == "share" else _plain(number, decimals)
    return _signed(text, number) + ("\u00a0pp" if unit == "share" else "")


def interval(low: float, high: float, unit: str = "", decimals: int | None = None) -> str:
    """Both ends of a difference's interval."""
    if _missing(low) or _missing(high):
        return DASH
    ends = [difference(end, unit, decimals).removesuffix("\u00a0pp") for end in (low, high)]
    return f"{ends[0]} to {ends[1]}" + ("\u00a0pp" if unit == "share" else "")


def relative(number: float) -> str:
    """A ratio as a signed percentage."""
    if _missing(number):
        return DASH
    percent = 100 * number
    if abs(percent) > 9999:
        return "> 9,999\u00a0%" if percent > 0 else "< −9,999\u00a0%"
    text = f"{percent:,.1f}" if abs(percent) < 100 else f"{percent:,.0f}"
    return f"{_signed(_minus(text), percent)}\u00a0%"


def p_value(number: float) -> str:
    if _missing(number):
        return DASH
    return "< 0.001" if number < 0.001 else f"{number:.3f}"


def _plain(number: float, decimals: int | None = None) -> str:
    size = abs(number)
    if size >= 1e6:
        exponent = math.floor(math.log10(size))
        return f"{_minus(f'{number / 10**exponent:.2f}')}\u00a0×\u00a010{str(exponent).translate(_SUPERSCRIPT)}"
    return _minus(f"{number:,.{places(number) if decimals is None else decimals}f}")


def _signed(text: str, number: float) -> str:
    """Add a plus to a gain. A value that rounds to zero gets no sign, since a sign would claim a direction."""
    if not text.strip("−0.,"):
        return text.lstrip("−")
    return f"+{text}" if number > 0 else text


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _missing(number: float) -> bool:
    return not math.isfinite(number)
