"""What the sentences of the given passages say of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from .agreement import equal_amounts
from .amounts import Amount, amounts
from .context import About
from .doubts import worked_out
from .owners import owners_of
from .periods import alike
from .sources import MAX_SENTENCE, Finding, Source, quoted
from .words import NEUTRAL, stems

_SHARED_WORDS = 0.6
_ALL_BUT = 0.8


def in_sentences(about: About, sources: Sequence[Source]) -> Finding | None:
    figure = about.figure
    own = frozenset(w for w in stems(about.undated) if not w.isdigit()) - NEUTRAL
    if not own:
        return None
    whose = frozenset().union(*(owner.words for owner in owners_of(about))) - about.companies
    differing: list[tuple[Source, int, str, Amount]] = []
    for source in sources:
        for number, sentence in enumerate(source.sentences, 1):
            said = amounts_of(sentence)
            shared = len(own & stems(sentence)) / len(own)
            if not said or shared < _SHARED_WORDS or not whose <= stems(f"{sentence} {source.passage.title}"):
                continue
            of_each = [About(sentence, said, i) for i in range(len(said))]
            kind = [
                (one, named.years)
                for one, named in zip(said, of_each, strict=True)
                if one.percent == figure.percent and _of_one_period(about, named)
            ]
            equal = next((one for one, _ in kind if equal_amounts(figure, one)), None)
            if equal is not None:
                where = f"{source.name}, sentence {number}"
                return Finding("supported", f"{where} says {equal.written}", (quoted(source, number, sentence),))
            alone = len(kind) == 1 and kind[0][1] == about.years and len(about.years) == 1
            if alone and len(own) > 1 and shared >= _ALL_BUT and not about.hedged and not worked_out(about, sentence):
                differing.append((source, number, sentence, kind[0][0]))
    if len(differing) == 1:
        source, number, sentence, other = differing[0]
        comparable = figure.scale == other.scale and figure.money == other.money
        if comparable and abs(abs(figure.value) - abs(other.value)) > max(figure.unit, other.unit):
            reason = f"{source.name}, sentence {number} says {other.written}, not {figure.written}"
            return Finding("contradicted", reason, (quoted(source, number, sentence),))
    return None


def _of_one_period(about: About, other: About) -> bool:
    if about.years and not about.years & other.years:
        return False
    return not about.periods or any(alike(one, said) for one in about.periods for said in other.periods)


@lru_cache(maxsize=4_096)
def amounts_of(sentence: str) -> tuple[Amount, ...]:
    return tuple(amounts(sentence[:MAX_SENTENCE]))
