"""What is known of the judges that a Knowledge Index rests on, as lines below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..knowledge.types import NO_JUDGE
from ..printable import printable
from ..score import ChainScore
from .measure import line_of
from .store import judge_key, kept

IN_PROVENANCE = "judge_measures"
_SETS = 3
_NAME = 80
_UNMEASURED = "not measured on your domain (stepgauge judge-check)"


class Judges:
    """The judges whose verdicts stand in scores, with what the scores say was measured of them.

    `add` takes one score after the other. What was measured here since they were scored counts, too.
    """

    def __init__(self, scores: Iterable[ChainScore] = ()) -> None:
        # {(judge, digest of what its verdicts depend on): (what they depend on, measures in the provenance)}
        self._found: dict[tuple[str, str], tuple[Mapping[str, Any], list[Any]]] = {}
        self._seen: dict[int, tuple[object, set[str]]] = {}
        for score in scores:
            self.add(score)

    def add(self, score: ChainScore) -> None:
        """Note who judged this chain."""
        names = {verdict.judge for step in score.steps for verdict in step.verdicts if verdict.label is not None}
        # Chains that were scored together hold one provenance, or equal ones: most bring nothing new.
        known, said = self._seen.get(id(score.provenance), (None, set()))
        if known is not score.provenance:
            said = set()
            self._seen = {id(score.provenance): (score.provenance, said)}
        for name in names - said - {NO_JUDGE}:
            said.add(name)
            about = _part(score.provenance.get("evidence"), name)
            measured = _part(score.provenance.get(IN_PROVENANCE), name)
            _, all_measured = self._found.setdefault((name, judge_key(name, about)), (about, []))
            sets = measured.get("sets")
            all_measured += [one for one in (sets if isinstance(sets, list) else []) if one not in all_measured]

    def update(self, other: Judges) -> None:
        """Add what another has noted."""
        for key, (about, measured) in other._found.items():
            _, mine = self._found.setdefault(key, (about, []))
            mine += [one for one in measured if one not in mine]

    def lines(self) -> list[str]:
        """A line for each judge, but for one that computes (`knowledge.base.Computes`) and was not measured."""
        out: dict[str, None] = {}
        for (name, _), (about, measured) in self._found.items():
            here = [one.brief() for one in kept(name, about)]
            sets = {str(one["on"]): one for one in [*measured, *here] if isinstance(one, Mapping) and "on" in one}
            shown = [line for one in sets.values() if (line := line_of(one)) is not None]
            if not shown and about.get("computes") is True:
                continue
            more = [f"{len(shown) - _SETS} more sets"] if len(shown) > _SETS else []
            out[f"judge {printable(name)[:_NAME]}: {'; '.join([*shown[:_SETS], *more]) or _UNMEASURED}"] = None
        return list(out)


def judge_lines(scores: Iterable[ChainScore]) -> list[str]:
    """What stands below a table with the KI of these chains."""
    return Judges(scores).lines()


def measures_for_provenance(judges: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """What scores are to say of their judges' measures; empty where none was measured."""
    found: dict[str, Any] = {}
    for name, about in judges:
        if measures := kept(name, about):
            found.setdefault(name, {"sets": [measure.brief() for measure in measures]})
    return {IN_PROVENANCE: found} if found else {}


def _part(given: object, name: str) -> Mapping[str, Any]:
    one = given.get(name) if isinstance(given, Mapping) else None
    return one if isinstance(one, Mapping) else {}
