"""Checks that the same scoring LM scored both runs: log-likelihoods of different LMs have no common scale."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ..models.in_memory import SELF
from .pairs import Pair
from .record import Record, Run

# Settings that change what the numbers mean: runs that differ in one of them are refused.
_DECISIVE = ("fit", "scorer", "revision", "architecture", "quantization", "template", "variant", "target")
# What a score has that does not name the setting.
_UNNAMED = {"target": "gold"}
# Settings that may shift the numbers: a difference becomes a note.
_TOLD = ("dtype", "engine", "epsilon", "claims", "judges", "retriever", "policy", "regrow")

# Of these, what names the scorer: it differs where each run's model scored its own chains.
_OF_SCORER = ("fit", "scorer", "revision", "architecture", "quantization")

_CONVERTED = re.compile(r"-[0-9a-f]{12}$")


def check_scorers(base: Run, tuned: Run, *, force: bool, error: type[Exception]) -> list[str]:
    """Notes on how the scoring of two runs differs.

    Raises:
        error: scorer, its fit, revision, quantization, template, variant or target differ within or between the runs
            and `force` is not set.
    """
    notes: list[str] = []
    both = [_provenances(run) for run in (base, tuned)]
    own = each_by_itself(base, tuned)
    if own:
        notes.append(
            "each run was scored by the model that wrote it: gains in nats have no common scale and decide nothing; "
            "what is a share or a probability of the model's own can be compared"
        )
    for name in _DECISIVE:
        if own and name in _OF_SCORER:
            continue
        values = [_values(one, name, none=_UNNAMED.get(name, "none")) for one in both]
        if len({*values[0], *values[1]}) <= 1:
            continue
        said = f"{base.name}: {_list(values[0])}; {tuned.name}: {_list(values[1])}"
        if not force:
            raise error(
                f"the runs were scored with different settings of {name!r} ({said}); their numbers have no common "
                "scale. Score both with the same one, or use --force"
            )
        notes.append(f"scored with different settings of {name!r} ({said}): only the directions mean anything, if that")
    for name in _TOLD:
        values = [_values(one, name) for one in both]
        if values[0] != values[1] and values[0] and values[1]:
            notes.append(f"{name} differs: {base.name}: {_list(values[0])}; {tuned.name}: {_list(values[1])}")
    notes += _evidence_notes(base, tuned)
    return notes


def each_by_itself(base: Run, tuned: Run) -> bool:
    """Whether each run was scored by its own model (`scorer: self`), and these are not one model."""
    both = [_provenances(run) for run in (base, tuned)]
    own = all(one and {provenance.get("scorer") for provenance in one} == {SELF} for one in both)
    return own and len({(str(one.get("source")), str(one.get("revision"))) for found in both for one in found}) > 1


def cut_differently(pairs: Sequence[Pair]) -> list[str]:
    """A note where the two chains of a question were cut by different splitters, as `auto` may choose."""
    ways: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        base, tuned = ({_splitter(record) for record in side} - {None} for side in (pair.base, pair.tuned))
        if base and tuned and base != tuned:
            ways[_list(map(str, base)), _list(map(str, tuned))] += 1
    if not ways:
        return []
    shown = "; ".join(f"{one} against {other}: {count:,}" for (one, other), count in ways.most_common(3))
    return [
        f"the two chains of {ways.total():,} of {len(pairs):,} questions were cut into steps differently ({shown}), "
        "and what is counted in steps rests on that. `stepgauge score BASE TUNED --out DIR` cuts both alike"
    ]


def _splitter(record: Record) -> str | None:
    found = _value(record.score.provenance, "splitter")
    return found and found.removeprefix("auto:").removeprefix("think:")


def _evidence_notes(base: Run, tuned: Run) -> list[str]:
    """What the verdicts of two runs rest on, part by part and option by option, where it differs."""
    said = [_evidence(_provenances(run)) for run in (base, tuned)]
    notes = []
    for part, option in dict.fromkeys([*said[0], *said[1]]):
        values = [one.get((part, option), set()) for one in said]
        if values[0] != values[1] and all(any(part == other for other, _ in one) for one in said):
            each = [", ".join(sorted(value))[:120] or "unknown" for value in values]
            notes.append(f"{option} of {part!r} differs: {base.name}: {each[0]}; {tuned.name}: {each[1]}")
    return notes


def _evidence(provenances: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for provenance in provenances:
        evidence = provenance.get("evidence")
        for part, about in evidence.items() if isinstance(evidence, Mapping) else ():
            for option, value in about.items() if isinstance(about, Mapping) else ():
                found.setdefault((str(part), str(option)), set()).add(str(value))
    return found


def scorer_name(run: Run) -> str:
    """The scoring LM for display: name, revision, precision."""
    found = _provenances(run)
    names = _values(found, "scorer")
    rest = [*_values(found, "revision"), *_values(found, "dtype"), *_values(found, "quantization")]
    return " ".join([_list(names) or "unknown scorer", *rest])


def scorer_names(base: Run, tuned: Run) -> str:
    """The scoring LM of both runs for display, or that of each."""
    names = [scorer_name(run) for run in (base, tuned)]
    return names[0] if len(set(names)) == 1 else f"{base.name}: {names[0]}; {tuned.name}: {names[1]}"


def _provenances(run: Run) -> list[Mapping[str, Any]]:
    """Those of a run's scored chains; equal ones in a row, as the rows of a file have them, once."""
    out: list[Mapping[str, Any]] = []
    for record in run.records:
        provenance = record.score.provenance
        if provenance and not (out and provenance == out[-1]):
            out.append(provenance)
    return out


def _values(provenances: Iterable[Mapping[str, Any]], name: str, none: str | None = None) -> Sequence[str]:
    """The distinct values of a setting, as text; unset values become `none`, or are dropped if that is None."""
    found = {_value(provenance, name) or none for provenance in provenances}
    return sorted(value for value in found if value is not None)


def _value(provenance: Mapping[str, Any], name: str) -> str | None:
    value = provenance.get(name)
    if name == "regrow" and isinstance(found := provenance.get("regrown"), Mapping):  # of how many steps of each chain
        value = found.get("steps")
    fit = provenance.get("fit")
    if fit and name in ("scorer", "revision"):  # the digest of the weights identifies it, whatever folder they are in
        return f"fitted scorer {fit}" if name == "scorer" else None
    if value is None:
        return None
    if name == "scorer":
        return _which_model(str(value), str(provenance.get("source") or value))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _which_model(scorer: str, source: str) -> str:
    """A folder's full path, since folder names repeat; of a folder in our cache the name, which holds a digest."""
    folder = PurePath(source).name
    if _CONVERTED.search(folder):
        return folder
    return scorer if scorer == source or PurePath(scorer).is_absolute() else f"{scorer} ({folder})"


def _list(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))[:200]
