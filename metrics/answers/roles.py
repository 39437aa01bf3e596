"""What a number does in the text around it: whether it stands there whole, and whether it is a result or an operand."""

from __future__ import annotations

import re

from ..numbers import Written
from .conversions import is_conversion


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VARIABLES = "abdefijnopqrtuvwxyz"  # "12i"; but "12m" is a length
_BEFORE = 64  # characters looked at on either side
_BEHIND = 96

# Part of a word, an index, a power, a fraction, a time; or the number of a step.
_PART_OF_WORD = re.compile(r"(?:(?<!\\)(?<![A-Za-zÀ-ɏ_])|^)[A-Za-zÀ-ɏ_][\wÀ-ɏ]*$")
_COMMAND = re.compile(r"\\[A-Za-z]+$")
_NOT_WHOLE_LEFT = re.compile(
    r"[/^_√]$|\d:$|\d\.$|\d,$|#$|\\(?:[dtc]?(?:frac|binom)|sqrt)\s{0,2}(?:\[\d\])?\s{0,2}$"
    r"|\\[dt]?binom\s{0,2}\d{1,6}\s{1,3}$"
)
_NUMBERED = re.compile(
    r"(?<![^\W_])(?:step|case|part|equation|figure|table|schritt|étape|paso|passo|шаг|problem|question|example|method|day)"
    r"\s?#?\s?$",
    re.IGNORECASE,
)
_NOT_WHOLE_RIGHT = re.compile(
    rf":\d|(?:st|nd|rd|th)(?![^\W_])|[{_VARIABLES}{_VARIABLES.upper()}](?![^\W\d_])(?!')"
    r"|\s?\\(?:pi|sqrt|frac|theta|alpha|beta|gamma|phi|omega|lambda|mu|sigma|log|ln|sin|cos|tan)(?![a-zA-Z])"
    r"|\s?√|_|[A-Z]{2,}[a-z]?\d|!(?=\s?[-=+*/^×)])|\((?=-?(?:[a-z]|\d{1,6})\s?[-+*/^)])"
)

_OPERATOR = r"(?:[*×·⋅÷+^]|\\(?:times|cdot|div|pm)(?![A-Za-z]))"
_QUANTITY = r"\d[\d.,/]*\s?[%°]?(?:\s?(?:[A-Za-zÀ-ɏ]+(?:/[A-Za-z]+)?)){0,3}\s?\)?"
_OPERAND_LEFT = re.compile(
    rf"(?:[\w)\]}}%°\"'][^\S\n]*{_OPERATOR}"
    rf"|(?:{_QUANTITY}|\)|(?<![A-Za-z])[a-z])[^\S\n]?[-/]"
    r"|\d\s?x|(?:\d|\)|[a-z]s)\s(?:times|choose|plus|minus|multiplied by|divided by|over)"
    r"|\d\s?%?\sof"
    r"|\b(?:sum|product|difference|quotient)\s(?:of|between)\s(?:[$€£]?\d[\d.,]{0,15}(?:\s(?!is|are|was|eq)[a-z]{1,12})?,?\s(?:and\s)?){0,4})"
    r"[^\S\n]*[$€£¥₹(\[]{0,3}$"
)
_UNITS = r"\s?[%°]?(?:\s?-?(?!(?:so|and|then|which|is|are|but|or)\s)(?:[A-Za-zÀ-ɏ]+(?:/[A-Za-z]+)?)){0,3}?"
# "12 cm^2"; m alone may be a variable, too.
UNIT_POWER = (
    r"(?:(?:[mckd]m|in|ft|yd|mi|units?|inches|feet|met(?:er|re)s?|yards?|miles?)\s?\^\s?[23](?!\d)"
    r"|(?<=\s)m\s?\^\s?[23](?=[\s.,;)]*(?:$|[a-z]{2}|[*×/=])))"
)
_UNIT_POWER = re.compile(rf"\s?{UNIT_POWER}")
_OPERAND_RIGHT = re.compile(
    rf"{_UNITS}[)\]]?[^\S\n]*(?:{_OPERATOR}[^\S\n]*(?=[\d$€£(\[\\.-]|[a-z](?![A-Za-z]))"
    r"|/[^\S\n]?(?=[\d($])|-[^\S\n]?(?=[\d($])|(?:\sx\s?|x)(?=\d)"
    r"|(?<=\s)(?:times(?=\s(?:\d|as|more|the|that|her|his|its|their|larger|bigger|older|faster|[$(]))"
    r"|(?:plus|minus|choose)(?=\s[\d$(\\])|multiplied\sby|divided\sby|(?:more|less|fewer|greater)\sthan\s[$€£]?\d))"
    r"|\s?(?:%|percent)\s(?:of|\*|×)\s?(?=[$€£]?\d)"
)
# "multiplied by 100%", "divide both sides by 4", "adding 5 to"
_BY = re.compile(r"\b(?:multipl|divid)[a-z]{1,4}\s(?:[^\s.;=]{1,20}\s){0,4}by$", re.IGNORECASE)
_ADDS = _set("add adds added adding subtract subtracts subtracted subtracting multiply multiplying divide dividing")
_PART_OF = re.compile(r"\sof\s(?:the\s)?[$€£¥₹]?\d")
_RUNS_ON = re.compile(r"\d[^=\n]{0,60}?(?:[-+*/×÷·]|\\(?:times|cdot|div))[^=\n]{0,60}=\s?[$€£]?$")
_RANGE_LEFT = re.compile(r"(?<![\d=])(?:\d[\d.,]*\s?[-~]\s?|between\s[^.\n]{0,24}\d[^.\n]{0,16}\sand\s)[$€£]?$")
_TO = re.compile(r"(?P<verb>[A-Za-z]+\s)?(?:about\s)?[$€£]?\d[\d.,]*\sto\s[$€£]?$")
_TO_RIGHT = re.compile(r"\sto\s[$€£]?\d")
# "from 6 am to 4 pm"
_FROM_LEFT, _FROM_TO = re.compile(r"\bfrom\s[$€£]?$"), re.compile(r"\s?[^\W\d]{1,12}\.?\sto\s[$€£]?\d")
_NO_RANGE = _set("from round rounds rounded rounding up down increased decreased rose fell")
_RANGE_RIGHT = re.compile(r"\s?[-~]\s?\d")
_BETWEEN = re.compile(r"between\s[$€£]?$", re.IGNORECASE)


def is_alone(text: str, number: Written) -> bool:
    """Whether a number stands there whole: 72 is not in B72, x_72, 72x, 72nd, 7:20, "Step 72"."""
    left = text[max(0, number.start - _BEFORE) : number.start]
    right = text[number.end : number.end + _BEHIND]
    if number.form == "words":
        return not re.match(r"-[^\W\d_]", right) and not _NUMBERED.search(left)
    if _NOT_WHOLE_LEFT.search(left) or _NOT_WHOLE_RIGHT.match(right) or _NUMBERED.search(left):
        return False
    return not _PART_OF_WORD.search(left) or _COMMAND.search(left) is not None


def is_operand(text: str, number: Written) -> bool:
    """Whether a number only goes into a computation, a range or a conversion of units, and is no result of it."""
    left = text[max(0, number.start - _BEFORE) : number.start]
    right = text[number.end : number.end + _BEHIND]
    if _RANGE_LEFT.search(left) and "=" not in right[:24]:
        return True
    if (_RANGE_RIGHT.match(right) and not left.rstrip().endswith("=")) or _BETWEEN.search(left):
        return True
    to = _TO.search(left)
    if to and (to["verb"] or "").strip().casefold() not in _NO_RANGE:
        return True
    if _TO_RIGHT.match(right) or (_FROM_LEFT.search(left) and _FROM_TO.match(right)):
        return True
    if _OPERAND_LEFT.search(left):
        return True
    words = left.rstrip(" $€£¥₹")
    verb = words[-12:].rpartition(" ")[2].casefold()
    if verb in _ADDS or (verb == "by" and _BY.search(words)):
        return True
    if abs(number.values[0]) < 1 and _PART_OF.match(right):  # "1/3 of 12"
        return True
    power = _UNIT_POWER.match(text, number.end)
    behind = text[power.end() : power.end() + _BEHIND] if power else right
    if _OPERAND_RIGHT.match(behind) and not _RUNS_ON.search(left):
        return True
    return any(is_conversion(value, left, right) for value in number.values[:1])


_ALIASES = {
    **dict.fromkeys(("usd", "buck", "dollar", "us"), "dollar"),
    **dict.fromkeys(("euro", "eur"), "euro"),
    **dict.fromkeys(("kg", "kilogram", "kilo", "kilogramme"), "kg"),
    **dict.fromkeys(("g", "gram", "gramme"), "g"),
    **dict.fromkeys(("mg", "milligram"), "mg"),
    **dict.fromkeys(("m", "meter", "metre"), "m"),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), "cm"),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), "mm"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("l", "liter", "litre"), "l"),
    **dict.fromkeys(("ml", "milliliter", "millilitre"), "ml"),
    **dict.fromkeys(("lb", "pound"), "lb"),
    **dict.fromkeys(("oz", "ounce"), "oz"),
    **dict.fromkeys(("ft", "foot", "feet"), "ft"),
    **dict.fromkeys(("in", "inch", "inches"), "in"),
    **dict.fromkeys(("mi", "mile", "mph", "mpg"), "mi"),
    **dict.fromkeys(("km", "kilometer", "kilometre", "kmh", "kph"), "km"),
    **dict.fromkeys(("yd", "yard"), "yd"),
    **dict.fromkeys(("gal", "gallon"), "gal"),
    **dict.fromkeys(("yr", "year"), "yr"),
    **dict.fromkeys(("wk", "week"), "wk"),
    **dict.fromkeys(("j", "joule"), "j"),
    **dict.fromkeys(("kj", "kilojoule"), "kj"),
    **dict.fromkeys(("w", "watt"), "w"),
    **dict.fromkeys(("kw", "kilowatt"), "kw"),
    **dict.fromkeys(("n", "newton"), "n"),
    **dict.fromkeys(("v", "volt"), "v"),
    **dict.fromkeys(("a", "amp", "ampere"), "a"),
    **dict.fromkeys(("c", "coulomb"), "c"),
    **dict.fromkeys(("k", "kelvin"), "k"),
    **dict.fromkeys(("pa", "pascal"), "pa"),
    **dict.fromkeys(("hz", "hertz"), "hz"),
    **dict.fromkeys(("mol", "mole"), "mol"),
    **dict.fromkeys(("cal", "calorie"), "cal"),
    **dict.fromkeys(("kcal", "kilocalorie"), "kcal"),
    **dict.fromkeys(("μm", "micrometer", "micron"), "μm"),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), "nm"),
    **dict.fromkeys(("atm", "atmosphere"), "atm"),
    **dict.fromkeys(("%", "percent", "pct"), "%"),
    **dict.fromkeys(("°", "degree", "deg", "celsius", "fahrenheit"), "°"),
}
_MONEY = {"$": "dollar", "€": "euro", "£": "lb", "¥": "yen", "₹": "rupee"}
_WORD = re.compile(r"(?:[^\S\n]{0,4}|-)([^\W\d_]+|[%°$€£¥₹])")
# Words behind a number that are no unit of it.
_NO_UNIT = _set(
    "a an and are as at altogether after all before but by daily day does each every for from had has have he her his i"
    " if in into is it its left less long more most not of off old on or out over overall per remaining she so still"
    " than that the their them then there they this to today together tomorrow total toward was we were when where"
    " which while who will with yearly weekly monthly you your"
)
_ADJECTIVES = _set("us american sq whole full more extra additional total cubic square new different other")


def unit_conflicts(text: str, number: Written, unit: str) -> bool:
    """Whether a number is of something else than `unit`; what stands there without any unit may be of it."""
    if not unit:
        return False
    words = re.findall(r"[^\W\d_]+", unit) if unit[0].isalpha() else [unit[0]]
    wanted = _unit(next((word for word in words if word.casefold() not in _ADJECTIVES), words[0]))
    position = number.end
    conflict = False
    for _ in range(3):
        word = _WORD.match(text, position, position + 40)
        if word is None or word[1] == "$":  # the end of a formula, or of "18$"
            break
        found = word[1].casefold()
        if _unit(found) == wanted:
            return False
        conflict = found not in _NO_UNIT
        if found not in _ADJECTIVES:
            break
        position = word.end()
    sign = text[max(0, number.start - 2) : number.start].strip()[-1:]
    if sign in _MONEY and not (sign == "$" and text.startswith("$", number.end)):
        return _MONEY[sign] != wanted
    return conflict


def _unit(word: str) -> str:
    word = word.casefold().rstrip(".")
    if word in _MONEY:
        return _MONEY[word]
    singular = word[:-1] if len(word) > 2 and word.endswith("s") and not word.endswith("ss") else word
    return _ALIASES.get(word) or _ALIASES.get(singular, singular)
