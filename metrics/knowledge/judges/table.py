"""The judge `table`: looks figures up in the tables and sentences that are given. No model, no guessing.

Tables are found in the passages, written in Markdown, HTML or CSV. The verdict's evidence is the cell, or the sentence,
that decides: "report, page 4: table 1, row 'Revenue', column '2018'".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from ...segment.sentences import split_sentences
from ...trace import Trace
from ..arithmetic.equation import RELATIONS, decide
from ..arithmetic.tokens import in_ascii, tokenize
from ..claims.figures import DERIVATION, FIGURE, equations, figures, named
from ..tables.amounts import Amount, amounts, scale_said
from ..tables.grid import MAX_CHARACTERS, grids, prose
from ..tables.inputs import inputs_of, wrong_input
from ..tables.layout import read_tables
from ..tables.lookup import look_up
from ..tables.owners import companies_in
from ..tables.sources import Finding, Source
from ..tables.words import stems
from ..types import Claim, Passage, Verdict

_IN_SCALE = re.compile(r"\b(?:in|of)\s(?:thousands|millions|billions)\b", re.IGNORECASE)
_BEFORE = 2_000  # characters of the question and of the response
MAX_SENTENCES = 500  # of a passage
# Numbers that calculations bring along: counts of periods, percent, days of a year.
_CONSTANTS = frozenset(map(Fraction, (*range(13), 100, 360, 365, 1000)))


class TableJudge:
    """Decides claims of the kinds "figure" and "derivation" by the tables and sentences in the passages.

    A figure is supported where the cell of its row and column says it, in any scale and within rounding; contradicted
    where row and column are beyond doubt and the cell says otherwise; else insufficient, without evidence, so that it
    is uncheckable under the default policy.

    A derivation is supported where each of its numbers stands in the evidence, the question or an earlier step and the
    result follows, contradicted where the result does not follow, or where the one unknown number should be that of a
    cell beyond doubt; the reason says which of the two failed. Other numbers that stand nowhere leave it insufficient.
    """

    name = "table"
    kinds: frozenset[str] | None = frozenset({FIGURE, DERIVATION})
    needs_evidence = True
    needs_traces = True
    computes = True

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace]
    ) -> list[Verdict | None]:
        return [self._judge(*one) for one in zip(claims, evidence, traces, strict=True)]

    def _judge(self, claim: Claim, evidence: Sequence[Passage], trace: Trace) -> Verdict | None:
        sources = _scaled([source for passage in evidence for source in _sources(passage)])
        found = None
        if claim.kind == FIGURE:
            found = _figure(claim, sources, trace)
        elif claim.kind == DERIVATION:
            found = _derivation(claim, sources, trace)
        if found is None:
            return None
        probability = {"supported": 1.0, "contradicted": 0.0}.get(found.label)
        return Verdict(claim, found.label, self.name, probability, found.evidence, found.reason)


@lru_cache(maxsize=256)
def _sources(passage: Passage) -> tuple[Source, ...]:
    """The tables of a passage and its sentences."""
    out = []
    for number, grid in enumerate(grids(passage.text), 1):
        for part, table in enumerate(read_tables(grid, passage.title), 1):
            out.append(Source(passage, f"table {number}" + (f", part {part}" if part > 1 else ""), table))
    rest = prose(passage.text)[:MAX_CHARACTERS]
    sentences = [" ".join(rest[start:end].split()) for start, end in split_sentences(rest)[:MAX_SENTENCES]]
    out.append(
        Source(
            passage,
            "text",
            None,
            [sentence for sentence in sentences if any(map(str.isdigit, sentence)) or _IN_SCALE.search(sentence)],
            stems(rest),
            companies_in(f"{passage.title} {rest}"),
        )
    )
    return tuple(out)


def _scaled(sources: Sequence[Source]) -> list[Source]:
    """Tables that do not say their scale get the one that the sentences beside them do, where these agree on one."""
    said = {scale_said(match) for source in sources for text in source.sentences for match in _IN_SCALE.findall(text)}
    if len(said) != 1:
        return list(sources)
    scale = said.pop()
    return [
        source
        if source.table is None
        else replace(
            source,
            table=replace(
                source.table,
                cells=[cell if cell.scale is not None else replace(cell, scale=scale) for cell in source.table.cells],
            ),
        )
        for source in sources
    ]


def _figure(claim: Claim, sources: Sequence[Source], trace: Trace) -> Finding | None:
    sentence, number, _ = named(claim.text)
    found = figures(sentence)
    if not found or number > len(found):
        return None
    before = (trace.question[-_BEFORE:], trace.response[max(claim.start - _BEFORE, 0) : claim.start])
    return look_up(sentence, found, max(number - 1, 0), sources, before)


def _derivation(claim: Claim, sources: Sequence[Source], trace: Trace) -> Finding | None:
    sentence, _, equation = named(claim.text)
    if not equation:
        found = equations(sentence)
        if len(found) != 1:
            return None
        equation = found[0][2]
    outcome = decide(equation)
    if outcome is None:
        return None
    numbers = _inputs(equation)
    earlier = {
        abs(amount.value) for text in (trace.question, trace.response[: claim.start]) for amount in amounts(text)
    }
    where = inputs_of(numbers, sources)
    unknown = [
        number
        for number, place in zip(numbers, where, strict=True)
        if place is None and abs(number.value) not in earlier and abs(number.value) not in _CONSTANTS
    ]
    missing = list(dict.fromkeys(number.written for number in unknown))
    cells = tuple(dict.fromkeys(place for place in where if place is not None))
    read = f"{', '.join(missing)} stands in no table, text or earlier step" if missing else "each number is given"
    carried = [n.written for n, place in zip(numbers, where, strict=True) if place is None and abs(n.value) in earlier]
    if carried and not missing:
        read += f" ({', '.join(dict.fromkeys(carried))} by the question or an earlier step)"
    if outcome.label == "contradicted":
        return Finding("contradicted", f"the arithmetic fails: {outcome.reason}; {read}", cells or _all(sources))
    if missing:
        wrong = wrong_input(sentence, numbers, unknown[0], sources) if len(missing) == 1 else None
        holds = "the arithmetic holds" if outcome.label == "supported" else f"the arithmetic: {outcome.reason}"
        if wrong is not None:
            return Finding("contradicted", f"an input fails: {wrong.reason}; {holds}", wrong.evidence)
        return Finding("insufficient", f"the inputs fail: {read}; {holds}")
    if outcome.label == "supported" and cells:
        return Finding("supported", f"{outcome.reason}; {read}", cells)
    return Finding(
        "insufficient", outcome.reason if cells else f"no number of it stands in the evidence; {outcome.reason}"
    )


def _all(sources: Sequence[Source]) -> tuple[Passage, ...]:
    return tuple(dict.fromkeys(source.passage for source in sources))


def _inputs(equation: str) -> list[Amount]:
    """The numbers that an equation calculates with: those of its sides that hold an operation."""
    text = in_ascii(equation)
    tokens, _ = tokenize(text)
    middle = next(i for i, token in enumerate(tokens) if token.kind in RELATIONS)
    out = []
    for side in (tokens[:middle], tokens[middle + 1 :]):
        signed = bool(side) and side[0].kind == "op"  # which alone is no calculation
        if sum(token.kind in ("op", "frac") for token in side) > signed:
            for token in side:
                out += [one for one in amounts(token.text) if token.kind == "num"][:1]
    return out
