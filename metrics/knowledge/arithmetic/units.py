"""Words that stand beside numbers in written arithmetic: units, scale words, and words that are themselves operations.

The tables decide when an equation may be judged by its numbers alone. They need not be complete: a missing word at
worst leaves an equation unjudged, since only equations that are read in full are judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The names of a measure, its usual one first.
_NAMES = (
    "s sec secs second seconds|min mins minute minutes|h hr hrs hour hours|day days|week weeks|month months|year years"
    "|decade decades|century centuries|fortnight fortnights|m meter meters metre metres|inch in inches|foot ft feet"
    "|yard yd yards|mile mi miles|block blocks|lap laps|g gram grams gm|kg kilogram kilograms kilo kilos"
    "|ton tons tonne tonnes|ounce oz ounces|pound lb lbs pounds|stone|l liter liters litre litres|cup cups|pint pints"
    "|quart quarts|gallon gallons|tsp teaspoon teaspoons|tbsp tablespoon tablespoons|floz|$ dollar dollars buck bucks"
    "|cent cents ¢|penny pennies pence|nickel nickels|dime dimes|quarter quarters|£ quid|€ euro euros|dozen dozens"
    "|pair pairs|score|gross|half halves|piece pieces|item items|mph|kph kmh kmph|degree degrees|radian radians rad"
    "|celsius|fahrenheit|kelvin k|n newton newtons|j joule joules|w watt watts|pa pascal pascals|v volt volts"
    "|amp amps ampere amperes|hz hertz|ohm ohms|mol mole moles|cal|ev|c coulomb coulombs|t|f|torr|atm|bar|btu|psi"
    "|erg ergs|dyne dynes|ppm|ppb|mmhg"
)
_NAME_OF = {word: names.split()[0] for names in _NAMES.split("|") for word in names.split()}
_PREFIXES = {
    "kilo": "k", "mega": "M", "giga": "G", "milli": "m", "centi": "c", "deci": "d", "micro": "µ", "nano": "n",
    "pico": "p",
}  # fmt: skip
# Units that are written with a metric prefix; lower case, as `unit` leaves them.
_PREFIXED = _set("j w n pa v a hz ev m g s l mol cal atm ohm c f t bar")
_BASE_OF = {prefix + base: base for base in _PREFIXED for prefix in ("k", "m", "c", "d", "µ", "u", "n", "p")}
_BASE_OF |= {base: base for base in _PREFIXED} | {"kg": "g"}
# Measures of one dimension with different scales. An equation that mixes two of them ("180 minutes / 3 = 1 hour") may
# hold a conversion that it does not spell out.
_DIMENSIONS = (
    "s min h day week month year decade century fortnight quarter",
    "m inch foot yard mile block lap",
    "g ton ounce pound stone",
    "l cup pint quart gallon tsp tbsp floz",
    "$ cent penny nickel dime quarter",
    "£ penny pound",
    "€ cent",
    "dozen pair score gross half piece item",
    "mph kph",
    "degree radian",
    "celsius fahrenheit kelvin",
    "j cal ev erg btu",
    "pa torr atm bar psi mmhg",
    "n dyne",
)
_DIMENSIONS_OF: dict[str, set[int]] = {}
for _index, _words in enumerate(_DIMENSIONS):
    for _word in _words.split():
        _DIMENSIONS_OF.setdefault(_word, set()).add(_index)
COUNTS = _set("dozen dozens pair pairs score gross couple half halves")
PIECES = {"pair": Fraction(2), "dozen": Fraction(12), "score": Fraction(20), "gross": Fraction(144)}
# In these alone no conversion hides: a product of them is in the one unit that belongs to it.
COHERENT = _set("m s kg kelvin amp mol n j w pa c v hz ohm t f")
# Those that are written with metric prefixes, and those of physics.
SCALED = frozenset(_BASE_OF) | COHERENT | _set("torr atm bar btu psi erg dyne ppm ppb mmhg")
MEASURED = (frozenset(_DIMENSIONS_OF) | SCALED) - COUNTS - _set("a score piece item")
# By what a result in this unit may differ from one in the next smaller or larger unit.
FACTORS: dict[str, tuple[int, ...]] = {
    "s": (60, 3600), "min": (60, 1440), "h": (60, 24, 3600), "day": (24, 7, 30, 365), "week": (7, 52),
    "month": (12, 30), "year": (12, 52, 365), "inch": (12, 36), "foot": (12, 3, 5280), "yard": (3, 36),
    "mile": (5280, 1760), "ounce": (16,), "pound": (16, 2000), "ton": (2000,), "$": (100,), "cent": (100,),
    "cup": (2, 16), "pint": (2, 8), "quart": (2, 4), "gallon": (4, 8, 16), "dozen": (12,),
}  # fmt: skip
# By what, and a power of ten, measures of a dimension differ between systems: a cal or eV in J, an atm in Pa or Torr, …
CONVERSIONS: dict[str, tuple[Fraction, ...]] = {
    name: tuple(map(Fraction, factors.split()))
    for name, factors in {
        "s": "6 3.6 8.64 3.154", "m": "2.54 3.048 1.609 9.144", "g": "4.536 2.835", "l": "3.785 2.832",
        "j": "4.184 1.602 9.649 2.306 1.055", "pa": "1.01325 7.6 7.5006 6.895",
    }.items()
}  # fmt: skip

# Words that may stand directly behind a digit without a space; other letters there are taken for variables ("3p").
GLUED_UNITS = _set(
    "mm cm dm km mg kg ml mL dL cl cL oz lb lbs ft in inch yd mi hr hrs min mins sec secs mph kph kmh am pm hp Hz kHz"
    " MHz kW kWh kJ kcal cal Pa kPa mol mmol km/h m/s deg eV mV kV mA GB MB KB kB TB usd USD EUR GBP cents pts"
)

# Single letters that are units where they stand apart behind a number: "3 m", "3 m/s".
LETTER_UNITS = _set("m s g h l L N J W V K")

# Words that end a unit: what follows is another clause or belongs to another number.
CONNECTIVES = _set(
    "and or nor but so then thus hence therefore because since as if when while where which who that we i you he she"
    " they it is are was were be equals equal gives makes get gets has have had"
)
# Words that may stand directly before a calculation whose result follows "is".
OPENERS = CONNECTIVES - {"and", "or", "nor"} | _set("now first next finally note total also")
# Words behind a result that belong to the sentence and not to its unit: "= $18 a day".
PREPOSITIONS = _set("a an of per for in on at by from to with each every into out")

# Behind a result these make "is" something other than "equals": "4 + 2 is 1 of the options".
IS_AFTER = _set("of or th to out in")
# Between a rate and what it applies to.
SHARES = _set("on at off from above over for")
DETERMINERS = _set("the a an her his their its this that these those my our your another only just about")

# Words that change the value of the number behind them, so that it cannot start an expression.
OPERATORS_BEFORE = _set(
    "of times plus minus divided multiplied by over per than twice double doubled thrice triple half third thirds"
    " fourth quarter fifth sixth tenth squared cubed square cube root choose permute power average mean median negative"
    " factorial percent product difference quotient ratio base if whether suppose assume not without instead every"
    " into between"
)
# "of" may introduce an expression after these: "a total of 3 + 4 = 7".
OF_AFTER = _set(
    "total sum cost costs price amount profit value combined distance area volume perimeter weight income score instead"
    " speed rate salary revenue bill balance loss savings discount tip tax dose dosage bolus concentration"
)
# Words that change the value of the number before them, so that it cannot end a side.
OPERATORS_AFTER = _set(
    "times plus minus divided multiplied more less fewer greater larger smaller squared cubed remainder rem"
    " factorial over out base to raised th st nd rd or"
)
# In a comment behind a result, "(False)": words that deny it.
DENIALS = _set("false wrong incorrect not no never invalid impossible contradiction error untrue")
FUNCTIONS = _set(
    "sqrt cbrt sin cos tan cot csc arcsin arccos arctan log ln lg exp max min gcd lcm hcf abs floor ceil round det mod"
    " modulo choose factorial squared cubed pi phi sum prod lim"
)
# Words for "the result is rounded", between the sign and the number.
ABOUT = _set("about approximately approx roughly around nearly almost")
# After a number these start a second amount of the same quantity: "5 dollars and 50 cents", "1 hour 30 minutes".
MEASURES = frozenset(word for word, name in _NAME_OF.items() if name in _DIMENSIONS_OF) - COUNTS
LABELS = _set("step part question problem case line row example equation eq option choice method scenario attempt")


def mixes_scales(units: Iterable[str]) -> list[str]:
    """The first two of `units` that measure one dimension on different scales, or an empty list."""
    seen: dict[int | str, str] = {}
    for word in units:
        base = _BASE_OF.get(word, word)
        for dimension in (base, *_DIMENSIONS_OF.get(base, ())):
            other = seen.setdefault(dimension, word)
            if other != word:
                return [other, word]
    return []


def dimensions(units: Iterable[str]) -> set[str]:
    """The first unit of each dimension that `units` measure."""
    return {_DIMENSIONS[i].split()[0] for word in units for i in _DIMENSIONS_OF.get(_BASE_OF.get(word, word), ())}


@lru_cache(maxsize=4_096)
def unit(word: str) -> str:
    """One name for a unit however it is written: "Hours", "hr" and "h" are "h"; of other words the singular."""
    word = word.lower()
    if word in _NAME_OF:
        return _NAME_OF[word]
    for prefix, letter in _PREFIXES.items():
        if word.startswith(prefix) and (base := _NAME_OF.get(word[len(prefix) :])) in _PREFIXED:
            return f"{letter}{base}".lower()
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("es") and word[:-2].endswith(("s", "x", "ch", "sh")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
