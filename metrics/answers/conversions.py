"""Numbers that everybody knows of two units ("7 days a week", "12 inches in a foot"): no results where written."""

from __future__ import annotations

import re
from fractions import Fraction

_KNOWN = {
    ("day", "week"): (7,),
    ("hour", "day"): (24,),
    ("minute", "hour"): (60,),
    ("second", "minute"): (60,),
    ("second", "hour"): (3600,),
    ("month", "year"): (12,),
    ("week", "year"): (52,),
    ("week", "month"): (4,),
    ("day", "year"): (365, 366),
    ("day", "month"): (28, 30, 31),
    ("year", "decade"): (10,),
    ("year", "century"): (100,),
    ("cent", "dollar"): (100,),
    ("inch", "foot"): (12,),
    ("foot", "yard"): (3,),
    ("inch", "yard"): (36,),
    ("foot", "mile"): (5280,),
    ("ounce", "pound"): (16,),
    ("cup", "quart"): (4,),
    ("quart", "gallon"): (4,),
    ("cup", "gallon"): (16,),
    ("pint", "quart"): (2,),
    ("cup", "pint"): (2,),
    ("centimeter", "meter"): (100,),
    ("meter", "kilometer"): (1000,),
    ("gram", "kilogram"): (1000,),
    ("milliliter", "liter"): (1000,),
    ("degree", "circle"): (360,),
    ("degree", "triangle"): (180,),
    ("egg", "dozen"): (12,),
    ("item", "dozen"): (12,),
}
_IRREGULAR = {
    **{"feet": "foot", "inches": "inch", "centuries": "century", "metre": "meter", "litre": "liter"},
    **{"cm": "centimeter", "m": "meter", "km": "kilometer", "g": "gram", "kg": "kilogram", "ml": "milliliter"},
    **{"l": "liter", "h": "hour", "hr": "hour", "min": "minute", "sec": "second", "yr": "year", "in": "inch"},
    **{"ft": "foot", "yd": "yard", "oz": "ounce", "lb": "pound", "mo": "month", "wk": "week"},
    # German, French, Spanish
    **{
        "sekunde": "second",
        "sekunden": "second",
        "minuten": "minute",
        "stunde": "hour",
        "stunden": "hour",
        "tag": "day",
    },
    **{"tage": "day", "woche": "week", "wochen": "week", "monat": "month", "monate": "month", "jahr": "year"},
    **{"seconde": "second", "heure": "hour", "jour": "day", "semaine": "week", "mois": "month", "an": "year"},
    **{"segundo": "second", "minuto": "minute", "hora": "hour", "día": "day", "semana": "week", "mes": "month"},
    **{"meses": "month", "año": "year", "année": "year"},
}
_ONE = (
    r"(?:\s?/\s?|\s?=\s?(?:1|one)\s|\s(?:(?:in|per|a|an|one|1|each|every|make|makes|is|are|the|pro|hat|eine?[mr]?|am|im|par|"
    r"dans|en|une?|una?|por|al|la|el|cada)\s){1,3})"
)
_BEHIND = re.compile(rf"[\s-]?(?P<small>[^\W\d_]{{1,11}}){_ONE}(?P<big>[^\W\d_]{{1,10}})(?!\w)", re.IGNORECASE)
_SMALL = re.compile(r"[\s-]?(?P<small>[^\W\d_]{1,11})(?!\w)", re.IGNORECASE)
_BEFORE = re.compile(
    r"(?<!\w)(?P<big>[^\W\d_]{1,10})\s?"
    r"(?:=|\(|\s(?:has|have|contains?|is|are|equals|with|of|hat|haben|sind|a|compte|tiene|tienen|son))\s?(?:about\s)?$",
    re.IGNORECASE,
)


def is_conversion(value: Fraction, before: str, behind: str) -> bool:
    """Whether a number with the text around it says how many of one unit make another."""
    match = _BEHIND.match(behind)
    if match is not None and value in _KNOWN.get((_one(match["small"]), _one(match["big"])), ()):
        return True
    small, big = _SMALL.match(behind), _BEFORE.search(before)
    return bool(small and big and value in _KNOWN.get((_one(small["small"]), _one(big["big"])), ()))


def _one(word: str) -> str:
    word = word.casefold()
    word = _IRREGULAR.get(word, word)
    if word not in ("century",) and word.endswith("s"):
        word = word[:-1]
    return _IRREGULAR.get(word, word)
