"""Finds what the given tables and sentences say of a figure in a step.

A row is meant where the words of its label stand near the figure, a column where its year or its words do. A figure is
contradicted only where both are beyond doubt and the cell differs by more than rounding; what is not found is not
covered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from ..claims.sentence import content_words
from ..types import Label, Passage
from .amounts import Amount, amounts, years
from .layout import Cell, Heading, Table

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3})?")
# A figure behind these is worked out and not read off, unless the row's label has the word, too.
_CHANGES = re.compile(
    r"\b(?:increas|decreas|chang|ris(?:e|ing)|rose|fall|fell|grew|grow|declin|drop|gain(?:ed)? |improv|reduc|differ"
    r"|higher|lower|more|less|fewer|up|down)\w*",
    re.IGNORECASE,
)
_WORKED_OUT = re.compile(
    r"\b(?:averages?|mean|median|ratio|proportion|percentages?|shares?|sum|combined|together|difference|growth|margin"
    r"|total|overall|each|per|half|twice|double|both|cumulative|remaining|additional|target|budget\w*|forecast\w*)\b",
    re.IGNORECASE,
)
_TO_OR_FROM = re.compile(
    r"\b(?:from|to|at|vs\.?|versus|against)\s+(?:(?:about|around|nearly|almost|approximately)\s+)?$", re.IGNORECASE
)
_ABOUT = re.compile(
    r"\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|some|circa)\s*$|~\s*$|\b(?:over|above|below|under"
    r"|exceed\w*|more than|less than|at least|at most|up to|between)\s*$",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"\b(?:loss\w*|lost|deficit|expens\w*|cost\w*|outflow\w*|us(?:ed|e)|negative\w*|deduct\w*|decreas\w*|declin\w*|benefit\w*"
    r"|paid|payments?|repurchas\w*|charge\w*|write\w*|reduc\w*|allowance|provision|less|minus|tax\w*|depreciation"
    r"|amorti[sz]ation|liabilit\w*|debt)\b",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(
    r"\b(?:years|months|days|shares outstanding|number of|employees|units|headcount)\b", re.IGNORECASE
)
_ADDED = re.compile(
    r"^\W{0,3}(?:add|less|plus|deduct|of which|including|thereof|hereof)\b[/()\w]{0,10}\s?:?\s", re.IGNORECASE
)
_OR_LOSS = re.compile(r"\b(\w+)\s?/\s?\((\w+)\)|\((\w+)\)\s?/\s?(\w+)\b")
_BRACKETED = re.compile(r"\([^()]{0,80}\)")
_CLAUSE = re.compile(r";|,?\s\b(?:while|whereas|but|compared (?:to|with)|versus)\b", re.IGNORECASE)
_HEDGED = Fraction(1, 10)
_TWICE_ROUNDED = Fraction(6, 10)  # of a unit of the last digit: 2,149.6 thousand as 2.15 and then 2.2 million
_UNEXPLAINED = 2
_SHARED_WORDS = 0.6
_ALL_BUT = 0.8
MAX_SENTENCE = 1_000


def _stems(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


# Words beside a label that make it no other thing.
_NEUTRAL = _stems(
    "company companies group firm corporation business reported report recorded annual annually fiscal year years end"
    " ended period quarter amount amounts amounted balance value values figure figures stood total totaled totalled"
    " totaling reached came equal equaled increased decreased rose fell grew declined dropped increase decrease table"
    " shows show showed shown according respectively january february march april may june july august september"
    " october november december 30 31 29 28 27 million millions thousand thousands billion dollar dollars usd us first"
    " look see find given now know row column generated posted earned spent paid held note noted read based data line"
    " item"
) - _stems("total")


_OF_CHANGES = _stems("percentage percent change difference increase decrease growth rate relative year over ratio by")


@dataclass(frozen=True)
class Source:
    """A table of a passage, or what the passage says besides."""

    passage: Passage
    name: str
    table: Table | None = None
    sentences: Sequence[str] = ()


@dataclass(frozen=True)
class Finding:
    """What the sources say of a figure."""

    label: Label
    reason: str
    evidence: tuple[Passage, ...] = ()


@dataclass(frozen=True)
class _Place:
    """A cell that may be meant."""

    source: Source
    table: Table
    cell: Cell

    @property
    def row(self) -> Heading:
        return self.table.rows[self.cell.row]

    @property
    def column(self) -> Heading:
        return self.table.columns[self.cell.column]

    @property
    def name(self) -> str:
        column = self.column.label or " ".join(sorted(self.column.years)) or str(self.cell.column)
        if self.column.years and not self.column.years & {year for *_, year in years(column)}:
            column = f"{column}, {' '.join(sorted(self.column.years))}"
        section = f" under '{self.row.section}'" if self.row.section else ""
        return f"{self.source.name}, row '{self.row.label:.80}'{section:.80}, column '{column:.60}'"

    @property
    def written(self) -> str:
        scale = {10**3: " thousand", 10**6: " million", 10**9: " billion"}.get(self.cell.scale or 1, "")
        percent = "%" if self.cell.percent and "%" not in self.cell.amount.written else ""
        return f"{self.cell.amount.written}{percent}{'' if self.cell.amount.percent else scale}"

    def evidence(self) -> Passage:
        passage = self.source.passage
        return Passage(f"{passage.id}: {self.name}", self.written, passage.title, passage.score)


def look_up(sentence: str, figures: Sequence[Amount], which: int, sources: Sequence[Source]) -> Finding:
    """What `sources` say of the figure `figures[which]` of a sentence.

    Args:
        figures: the amounts in the sentence that are read off, in reading order.
    """
    about = _About(sentence[:MAX_SENTENCE], figures, which, sources)
    if found := _in_tables(about, sources):
        return found
    if found := _in_sentences(about, sources):
        return found
    return Finding("insufficient", f"no cell or sentence given says what {about.figure.written} is")


def inputs_of(values: Sequence[Amount], sources: Sequence[Source]) -> list[Passage | None]:
    """Where each number of a calculation stands in the sources; None: nowhere."""
    return [_anywhere(value, sources) for value in values]


class _About:
    """A figure with the words and years around it."""

    def __init__(self, sentence: str, figures: Sequence[Amount], which: int, sources: Sequence[Source] = ()) -> None:
        self.sentence = sentence
        self.figure = figures[which]
        self.figures = figures
        before = figures[which - 1].end if which else 0
        after = figures[which + 1].start if which + 1 < len(figures) else len(sentence)
        self.before = sentence[before : self.figure.start]
        self.after = sentence[self.figure.end : after]
        clause = _CLAUSE.search(self.after)
        self.after = self.after[: clause.start()] if clause else self.after
        self.head = sentence[: self.figure.start]
        self.words = _stems(sentence)
        self.context = frozenset().union(*(_stems(text) for source in sources for text in source.sentences))
        self.years = self._years(which)
        self.hedged = _ABOUT.search(self.before[-40:]) is not None

    def _years(self, which: int) -> frozenset[str]:
        """The years that the figure may be of; empty: the sentence names none."""
        found = years(self.sentence)
        names = list(dict.fromkeys(year for *_, year in found))
        if len(names) < 2:
            return frozenset(names)
        if len(found) == len(self.figures):
            order = sorted([(start, "year") for start, *_ in found] + [(f.start, "figure") for f in self.figures])
            alternate = all(a[1] != b[1] for a, b in pairwise(order))
            if alternate or re.search(r"\brespectively\b", self.sentence, re.IGNORECASE):
                return frozenset((found[which][2],))
        return frozenset(names)

    def windows(self) -> list[str]:
        """Where the label of the figure's row may stand, likeliest first."""
        return [self.before, self.head, f"{self.head} {self.after}"]

    def worked_out(self, label: str) -> str:
        """The word by which the figure is the result of a calculation and no row's own, or ""."""
        own = _stems(label)
        words = [m for m in _WORKED_OUT.finditer(f"{self.head} {self.after}") if not _stems(m.group()) <= own]
        if not _TO_OR_FROM.search(self.before[-40:]):
            words += [m for m in _CHANGES.finditer(self.before) if not _stems(m.group()) <= own]
        return words[0].group() if words else ""

    def _genus(self, table: Table) -> frozenset[str]:
        """What all rows are of: the words of its total's label, and those of the text beside it that no row has."""
        totals = (heading.label for heading in table.rows if heading.label.lower().startswith("total"))
        in_rows = frozenset().union(*(_stems(heading.label) for heading in table.rows))
        return frozenset().union(*map(_stems, totals)) | (self.context - in_rows)

    def qualified(self, place: _Place, also: frozenset[str] = frozenset()) -> str:
        """A word beside the row's label that may make it another thing ("net revenue" of "revenue"), or ""."""
        wanted = _stems(place.row.label)
        known = wanted | _NEUTRAL | _stems(f"{place.row.section} {place.column.section} {place.column.label}")
        known |= _stems(place.table.caption) | _stems(place.source.passage.title) | self._genus(place.table)
        known |= also
        words = list(_WORD.finditer(self.sentence))
        at = [i for i, word in enumerate(words) if _stems(word.group()) & wanted]
        if not at:
            return ""
        near = [i for i in at if words[i].end() <= self.figure.start] or at
        last = near[-1]
        first = last
        while first - 1 >= 0 and (first - 1 in at or not _stems(words[first - 1].group())) and last - first < 12:
            first -= 1
        for i in (*range(max(first - 1, 0), last), last + 1):
            if i >= len(words) or self.figure.start <= words[i].start() < self.figure.end:
                continue
            word = words[i].group()
            if _stems(word) - known and not word.endswith(("'s", "’s")) and not word[0].isdigit():
                return word
        return ""

    def unexplained(self, place: _Place) -> list[str]:
        """Words of the figure's clause that neither row, column nor table have: they may say of what else it is."""
        known = _NEUTRAL | _stems(f"{place.row.label} {place.row.section} {place.column.section} {place.column.label}")
        known |= _stems(f"{place.table.caption} {place.source.passage.title}")
        text = f"{self.head} {self.after}"
        return [w for w in dict.fromkeys(m.group() for m in _WORD.finditer(text)) if _stems(w) - known and w.isalpha()]


def _in_tables(about: _About, sources: Sequence[Source]) -> Finding | None:
    places = _places(about, sources)
    if not places:
        return None
    figure = about.figure
    equal = [place for place in places if _same(about, place) == "same"]
    if equal:
        place = equal[0]
        return Finding("supported", f"{place.name} says {place.written}", (place.evidence(),))
    place = places[0]
    shown = f"{place.name} says {place.written}, not {figure.written}"
    if len({(p.source.passage.id, p.source.name, p.cell.row) for p in places}) > 1:
        return Finding("insufficient", f"{figure.written} may be of several rows, and is in none of them")
    if len(places) > 1:
        return Finding(
            "insufficient", f"{figure.written} may be of several cells of {place.row.label!r:.80}, and is none"
        )
    if doubt := _doubt(about, place):
        return Finding("insufficient", f"{shown}; {doubt}")
    return Finding("contradicted", shown, (place.evidence(),))


def _doubt(about: _About, place: _Place) -> str:
    """Why a cell that differs from the figure may not be what is meant, or ""."""
    row, column, figure = place.row, place.column, about.figure
    same = _same(about, place)
    if same:
        return same
    if word := about.worked_out(row.label):
        return f"it may be worked out ({word.strip()!r})"
    if word := about.qualified(place):
        return f"{word!r} may make it another amount"
    if len(other := about.unexplained(place)) > _UNEXPLAINED:
        return f"it may be of something else ({', '.join(other[:4])})"
    if not column.sure:
        return "the column's heading is not certain"
    of_row = [cell for cell in place.table.cells if cell.row == place.cell.row]
    has_years = bool(column.years or row.years)
    if len(of_row) > 1 and has_years and len(about.years) != 1:
        return "the period is not named"
    if place.table.problem:
        return f"the table was not read in full: {place.table.problem}"
    if figure.percent != place.cell.percent:
        return "one of them is a percentage"
    return ""


def _places(about: _About, sources: Sequence[Source]) -> list[_Place]:
    """The cells that may be meant."""
    for window in about.windows():
        stems = _stems(window)
        rows = [
            (source, source.table, row, max(named, key=len))
            for source in sources
            if source.table is not None
            for row, heading in enumerate(source.table.rows)
            if (named := [words for words in _names(heading.label) if words <= stems])
        ]
        # "Cost of revenue" is meant where its words stand, and not "Revenue".
        rows = [one for one in rows if not any(one[3] < other[3] for other in rows)]
        found = [place for source, table, row, _ in rows for place in _of_row(about, source, table, row)]
        if found:
            named = [p for p in found if p.row.section and _stems(p.row.section) <= about.words]
            return named or found
    return []


@lru_cache(maxsize=16_384)
def _names(label: str) -> tuple[frozenset[str], ...]:
    """The words of a row's label, in each way that it may be said: "Net profit/(loss)", "Add: finance costs (net)"."""
    label = _ADDED.sub("", label)
    ways = {label, _BRACKETED.sub(" ", label)}
    if _OR_LOSS.search(label):
        ways |= {_OR_LOSS.sub(lambda m, k=k: f" {m[k] or m[k + 2]} ", label) for k in (1, 2)}
    return tuple({words for way in ways if (words := _stems(way))})


def _of_row(about: _About, source: Source, table: Table, row: int) -> list[_Place]:
    cells = [cell for cell in table.cells if cell.row == row]
    heading = table.rows[row]
    if about.years and any(column.years for column in table.columns):
        cells = [cell for cell in cells if table.columns[cell.column].years & about.years]
    elif about.years and heading.years:
        cells = cells if heading.years & about.years else []
    if about.figure.money:
        cells = [cell for cell in cells if not _NO_MONEY.search(f"{heading.label} {table.columns[cell.column].label}")]
    kinds = [cell for cell in cells if cell.percent == about.figure.percent]
    cells = kinds or cells
    if len(cells) > 1:
        own = {k: _stems(table.columns[k].label) - _years_of(table.columns[k]) for k in {c.column for c in cells}}
        named = [cell for cell in cells if own[cell.column] and own[cell.column] <= about.words]
        most = max((len(own[cell.column]) for cell in named), default=0)
        cells = [cell for cell in named if len(own[cell.column]) == most] or cells
    return [_Place(source, table, cell) for cell in cells]


def _years_of(heading: Heading) -> frozenset[str]:
    return frozenset(stem for year in heading.years for stem in _stems(year))


def _same(about: _About, place: _Place) -> str:
    """ "same" where the cell says the figure, why it may do so, or "": it surely says another."""
    figure, cell = about.figure, place.cell
    why = ""
    if figure.percent and not cell.percent:
        return ""
    for value, other, unit, certain in _readings(figure, cell):
        off = abs(abs(value) - abs(other))
        if off <= unit / 2 or (about.hedged and off <= _HEDGED * abs(other) / 5):
            if value * other >= 0:
                return "same"
            negative = f"{about.sentence} {place.row.label}"
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


def _readings(figure: Amount, cell: Cell) -> list[tuple[Fraction, Fraction, Fraction, bool]]:
    """What figure and cell may stand for, one unit of the figure's last digit, and whether the scale is certain."""
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
    out = [(v, c, unit, False)]
    if cell.scale not in (None, 1):
        # "$774,000" of 774 thousand; "$1,500,000" of 1,496.5 thousand shows fewer digits.
        out.append((v, c * cell.scale, Fraction(10 ** min(zeros, 9)), False))
    return out


def _power_of_1000(a: Fraction, b: Fraction, unit: Fraction) -> bool:
    """Whether `a`, rounded to `unit`, is `b` in thousands, millions or billions, or the reverse."""
    factors = [Fraction(1000) ** n for n in (-3, -2, -1, 1, 2, 3)]
    return any(abs(abs(a) - abs(b) * factor) <= unit / 2 for factor in factors)


# --- sentences -------------------------------------------------------------------------------------------------------


def _in_sentences(about: _About, sources: Sequence[Source]) -> Finding | None:
    figure = about.figure
    own = frozenset(w for w in _stems(f"{about.head} {about.after}") if not w.isdigit()) - _NEUTRAL
    if not own:
        return None
    differing: list[tuple[Source, int, str, Amount]] = []
    for source in sources:
        for number, sentence in enumerate(source.sentences, 1):
            said = _amounts_of(sentence)
            shared = len(own & _stems(sentence)) / len(own)
            if not said or shared < _SHARED_WORDS:
                continue
            of_years = [_About(sentence, said, i).years for i in range(len(said))]
            kind = [
                (one, named)
                for one, named in zip(said, of_years, strict=True)
                if one.percent == figure.percent and (not about.years or named & about.years)
            ]
            equal = next((one for one, _ in kind if _equal_amounts(figure, one)), None)
            if equal is not None:
                where = f"{source.name}, sentence {number}"
                return Finding("supported", f"{where} says {equal.written}", (_quoted(source, number, sentence),))
            alone = len(kind) == 1 and kind[0][1] == about.years and len(about.years) == 1
            if alone and len(own) > 1 and shared >= _ALL_BUT and not about.hedged and not about.worked_out(sentence):
                differing.append((source, number, sentence, kind[0][0]))
    if len(differing) == 1:
        source, number, sentence, other = differing[0]
        comparable = figure.scale == other.scale and figure.money == other.money
        if comparable and abs(abs(figure.value) - abs(other.value)) > max(figure.unit, other.unit):
            reason = f"{source.name}, sentence {number} says {other.written}, not {figure.written}"
            return Finding("contradicted", reason, (_quoted(source, number, sentence),))
    return None


def _quoted(source: Source, number: int, sentence: str) -> Passage:
    passage = source.passage
    return Passage(f"{passage.id}: sentence {number}", sentence[:MAX_SENTENCE], passage.title, passage.score)


def _equal_amounts(a: Amount, b: Amount) -> bool:
    off = abs(abs(a.value * a.scale) - abs(b.value * b.scale))
    return off <= a.unit * a.scale / 2


@lru_cache(maxsize=4_096)
def _amounts_of(sentence: str) -> tuple[Amount, ...]:
    return tuple(amounts(sentence[:MAX_SENTENCE]))


# --- numbers of a calculation ----------------------------------------------------------------------------------------


def wrong_input(sentence: str, values: Sequence[Amount], missing: Amount, sources: Sequence[Source]) -> Finding | None:
    """The cell that a calculation should have taken its one unknown number from, where that is beyond doubt.

    The sentence names one row and years; all cells of these are numbers of the calculation, but one.
    """
    about = _About(sentence, [missing], 0, sources)
    about.before = about.head = about.after = sentence
    about.years = frozenset(year for *_, year in years(sentence))
    places = _places(about, sources)
    if not about.years or len({(p.source.passage.id, p.source.name, p.cell.row) for p in places}) != 1:
        return None
    known = {abs(value.value) for value in values}
    left = [place for place in places if abs(place.cell.value) not in known]
    if len(places) != len(about.years) or len(places) < 2 or len(left) != 1 or about.qualified(places[0], _OF_CHANGES):
        return None
    if not left[0].column.sure or _same(about, left[0]):
        return None
    return Finding(
        "contradicted", f"{left[0].name} says {left[0].written}, not {missing.written}", (left[0].evidence(),)
    )


def _anywhere(value: Amount, sources: Sequence[Source]) -> Passage | None:
    """The cell or sentence that says a number, whatever it is of."""
    for source in sources:
        for cell in source.table.cells if source.table is not None else ():
            scaled = (cell.value, cell.value * (cell.scale or 1))
            if any(abs(value.value * value.scale) == abs(v) or abs(value.value) == abs(v) for v in scaled):
                return _Place(source, source.table, cell).evidence() if source.table is not None else None
    for source in sources:
        for number, sentence in enumerate(source.sentences, 1):
            for one in _amounts_of(sentence):
                if abs(one.value) == abs(value.value) or _equal_amounts(value, one):
                    return _quoted(source, number, sentence)
    return None
