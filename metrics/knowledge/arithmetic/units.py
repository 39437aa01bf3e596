"""Words that stand beside numbers in written arithmetic: units, scale words, and words that are themselves operations.

The tables decide when an equation may be judged by its numbers alone. They need not be complete: a missing word at
worst leaves an equation unjudged, since only equations that are read in full are judged.
"""

from __future__ import annotations

from collections.abc import Iterable


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Measures of one dimension with different scales. An equation that mixes two of them ("180 minutes / 3 = 1 hour") may
# hold a conversion that it does not spell out.
_DIMENSIONS = (
    "s sec secs second seconds min mins minute minutes h hr hrs hour hours day days week weeks month months year years"
    " decade decades century centuries fortnight quarter quarters",
    "mm cm dm m km millimeter millimeters millimetre millimetres centimeter centimeters centimetre centimetres meter"
    " meters metre metres kilometer kilometers kilometre kilometres in inch inches ft foot feet yd yard yards mi mile"
    " miles block blocks lap laps",
    "mg g kg gram grams kilogram kilograms milligram milligrams ton tons tonne tonnes oz ounce ounces lb lbs pound"
    " pounds stone",
    "ml cl l liter liters litre litres milliliter milliliters millilitre millilitres cup cups pint pints quart quarts"
    " gallon gallons tsp teaspoon teaspoons tbsp tablespoon tablespoons floz",
    "$ dollar dollars cent cents penny pennies nickel nickels dime dimes quarter quarters buck bucks",
    "£ pence pound pounds quid",
    "€ euro euros cent cents",
    "dozen dozens pair pairs score gross half halves piece pieces item items",
    "mph kph kmh kmph",
    "degree degrees radian radians celsius fahrenheit",
)
_DIMENSIONS_OF: dict[str, set[int]] = {}
for _index, _words in enumerate(_DIMENSIONS):
    for _word in _words.split():
        _DIMENSIONS_OF.setdefault(_word, set()).add(_index)

# Words that may stand directly behind a digit without a space; other letters there are taken for variables ("3p").
GLUED_UNITS = _set(
    "mm cm dm km mg kg ml mL dL cl cL oz lb lbs ft in inch yd mi hr hrs min mins sec secs mph kph kmh am pm hp Hz kHz"
    " MHz kW kWh kJ kcal cal Pa kPa mol mmol km/h m/s deg eV mV kV mA GB MB KB kB TB usd USD EUR GBP cents pts"
)

# Units that are written with a metric prefix, lower case as `stem` leaves them.
SI_UNITS = frozenset(
    prefix + unit
    for unit in _set("j w n pa v a hz ev m g s l mol mole cal kg ppm atm ohm c f t")
    for prefix in ("", "k", "m", "c", "µ", "u", "n", "p", "g")
)

COUNTS = _set("dozen dozens pair pairs score gross couple half halves")

# Words that end a unit: what follows is another clause or belongs to another number.
CONNECTIVES = _set(
    "and or nor but so then thus hence therefore because since as if when while where which who that we i you he she"
    " they it is are was were be equals equal gives makes get gets has have had"
)
# Words that may stand directly before a calculation whose result follows "is".
OPENERS = CONNECTIVES - {"and", "or", "nor"} | _set("now first next finally note total also")
# Words behind a result that belong to the sentence and not to its unit: "= $18 a day".
PREPOSITIONS = _set("a an of per for in on at by from to with each every into out")

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
    " speed rate salary revenue bill balance loss savings discount tip tax"
)
# Words that change the value of the number before them, so that it cannot end a side.
OPERATORS_AFTER = _set(
    "times plus minus divided multiplied more less fewer greater larger smaller squared cubed remainder rem"
    " factorial over out base to raised th st nd rd or"
)
FUNCTIONS = _set(
    "sqrt cbrt sin cos tan cot csc arcsin arccos arctan log ln lg exp max min gcd lcm hcf abs floor ceil round det mod"
    " modulo choose factorial squared cubed pi phi sum prod lim"
)
# Words for "the result is rounded", between the sign and the number.
ABOUT = _set("about approximately approx roughly around nearly almost")
# After a number these start a second amount of the same quantity: "5 dollars and 50 cents", "1 hour 30 minutes".
MEASURES = frozenset(_DIMENSIONS_OF) - COUNTS
LABELS = _set("step part question problem case line row example equation eq option choice method scenario attempt")


_PREFIXES = _set("k m c d h da µ μ u n p f g t mega giga kilo milli micro nano pico centi")


def mixes_scales(words: Iterable[str]) -> list[str]:
    """The first two measures of one dimension but different scale among `words`, or an empty list."""
    words = list(words)
    for word in words:
        for other in words:
            if len(word) > len(other) and word.endswith(other) and word[: -len(other)] in _PREFIXES:
                return [other, word]
    seen: dict[int, str] = {}
    for word in words:
        for dimension in _DIMENSIONS_OF.get(word, ()):
            other = seen.setdefault(dimension, word)
            if stem(other) != stem(word):
                return [other, word]
    return []


def stem(word: str) -> str:
    """`word` without a plural ending; good enough to match "apples" with "apple"."""
    word = word.lower()
    if word in ("feet", "pence"):
        return {"feet": "foot", "pence": "penny"}[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("es") and word[:-2].endswith(("s", "x", "ch", "sh")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
