"""Label files: the CSV that a person fills in, the same read back, and the marks that the report exports.

A row is a claim. `human` is right, wrong, or unsure (or empty: not labelled); `row` ("3 of 112") tells how many rows
there were, so that deleted ones are noticed. The judge's verdict is left out, so that
it does not lead the person, unless it is asked for; rows stand in an order that says nothing of it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...metrics.knowledge.types import Passage, Verdict
from ...metrics.labelling.units import Unit
from ...metrics.printable import clean
from ..formats.options import OptionError
from .cells import bare, inert
from .files import csv_rows

COLUMNS = ("id", "question", "step", "claim", "evidence", "human", "comment", "row")
VERDICT = ("judge", "verdict")
_MARKS = ("question_id", "step_number", "claim", "verdict", "mark")
_QUESTION, _STEP, _CLAIM, _PASSAGE = 4_000, 4_000, 2_000, 2_000  # characters
_PASSAGES = 5
_SHOWN = 1_000  # characters of a claim in the report's marks
_WORDS = {
    **dict.fromkeys(("right", "r", "true", "correct", "yes", "y", "supported", "1"), 1.0),
    **dict.fromkeys(("wrong", "w", "false", "incorrect", "no", "n", "contradicted", "0"), 0.0),
    **dict.fromkeys(("unsure", "?", "unknown"), None),
}
_NUMBER = re.compile(r"[0-9]{1,9}")
_ROW = re.compile(r"([0-9]{1,9}) of ([0-9]{1,9})")  # no "3/12", of which spreadsheets make a date


@dataclass(frozen=True)
class Labels:
    """What a person said.

    Attributes:
        of_units: {key of a step: share of its claims that are right}, of steps of which every claim has a label.
        all_right: {key: 1 if all of its claims are right, else 0} of the same.
        left_out: why rows or steps have no part.
        marks: whether they are the report's marks, which nobody drew at random.
    """

    of_units: Mapping[str, float]
    all_right: Mapping[str, float]
    left_out: Counter[str]
    marks: bool


def label_table(units: Sequence[Unit], *, verdicts: bool = False) -> str:
    """The CSV to fill in, for a spreadsheet: a row for each claim of each step.

    Args:
        verdicts: whether the judge and its verdict stand in the last columns.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(VERDICT if verdicts else ())])
    rows, row = sum(len(unit.verdicts) for unit in units), 0
    for unit in units:
        step = unit.record.score.steps[unit.step]
        for number, verdict in unit.verdicts:
            row += 1
            cells = [
                unit.claim_key(number),
                unit.record.question[:_QUESTION],
                step.text[:_STEP],
                verdict.claim.text[:_CLAIM],
                _evidence(verdict.evidence),
                "",
                "",
                f"{row} of {rows}",
                *((verdict.judge, verdict.label or "") if verdicts else ()),
            ]
            writer.writerow([inert(clean(cell)) for cell in cells])
    return "\ufeff" + text.getvalue()


def read_labels(path: Path, units: Sequence[Unit], run: str) -> Labels:
    """The labels in a file that `label_table` wrote, or the marks of a report, of these units.

    Raises:
        OptionError: the file is no such CSV, a label is none, a claim is labelled twice in two ways, or a row is of no
            verdict of these scores; names file, row and field.
    """
    if not path.is_file():
        raise OptionError(f"{path}: no such file")
    rows = list(csv_rows(path, ()))
    names = list(rows[0][1]) if rows else []
    if set(_MARKS) <= set(names):
        claims, left_out = _of_marks(path, rows, units, run)
    else:
        if absent := [name for name in ("id", "human") if name not in names]:
            raise OptionError(
                f"{path}, row 1: no column {absent[0]!r}; expected what `stepgauge label` wrote, or the marks that the "
                f"report exports; it has {', '.join(names)[:200] or 'no rows'}"
            )
        claims, left_out = _of_rows(path, rows, units)
    return _by_step(units, claims, left_out, marks=set(_MARKS) <= set(names))


def _evidence(passages: Sequence[Passage]) -> str:
    shown = [f"[{one.id}] {f'{one.title}: ' if one.title else ''}{one.text}"[:_PASSAGE] for one in passages[:_PASSAGES]]
    more = len(passages) - len(shown)
    return "\n".join([*shown, *([f"and {more} more passages"] if more > 0 else [])])


def _of_rows(
    path: Path, rows: Iterable[tuple[int, Mapping[str, str]]], units: Sequence[Unit]
) -> tuple[dict[str, float], Counter[str]]:
    known = {unit.claim_key(number): verdict for unit in units for number, verdict in unit.verdicts}
    claims: dict[str, float] = {}
    left_out: Counter[str] = Counter()
    seen: dict[int, set[int]] = {}  # by the size of the sample, of which a file may join several
    for number, row in rows:
        where = f"{path}, row {number}"
        if "row" in row:
            place, size = _row(where, row["row"])
            seen.setdefault(size, set()).add(place)
        key = row["id"].strip()
        if key not in known:
            raise OptionError(f"{where}, field 'id': {key!r:.60} is no verdict of these scores, perhaps of others")
        if "claim" in row and not bare(clean(known[key].claim.text)[:_CLAIM]).startswith(bare(row["claim"])[:200]):
            raise OptionError(f"{where}, field 'claim': {row['claim']!r:.60} is not the claim with the id {key}")
        said = row["human"].strip().casefold()
        if not said:
            left_out["claims without a label"] += 1
            continue
        if said not in _WORDS:
            raise OptionError(f"{where}, field 'human': got {row['human']!r:.40}, expected right, wrong or unsure")
        value = _WORDS[said]
        if value is None:
            left_out["claims labelled unsure"] += 1
        elif claims.setdefault(key, value) != value:
            raise OptionError(f"{where}, field 'human': the claim {key} is right in one row and wrong in another")
    if missing := sum(size - len(places) for size, places in seen.items()):
        left_out["claims of the sample whose row is not in the file"] += missing
    return claims, left_out


def _row(where: str, cell: str) -> tuple[int, int]:
    found = _ROW.fullmatch(cell.strip())
    place, size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= place <= size:
        raise OptionError(f"{where}, field 'row': expected what `stepgauge label` wrote (3 of 112), got {cell!r:.40}")
    return place, size


def _of_marks(
    path: Path, rows: Sequence[tuple[int, Mapping[str, str]]], units: Sequence[Unit], run: str
) -> tuple[dict[str, float], Counter[str]]:
    """Agreeing with a verdict repeats what the judge makes of the claim, disagreeing is the opposite."""
    places: dict[tuple[str, int], list[tuple[str, Verdict]]] = {}
    for unit in units:
        for name in {unit.record.doc_id, unit.record.score.id} - {None}:
            for number, verdict in unit.verdicts:
                places.setdefault((bare(str(name)), unit.step + 1), []).append((unit.claim_key(number), verdict))
    runs = {row.get("run", "") for _, row in rows}
    claims: dict[str, float] = {}
    left_out: Counter[str] = Counter()
    for number, row in rows:
        where = f"{path}, row {number}"
        if len(runs) > 1 and bare(row.get("run", "")) != bare(run):
            left_out["marks of another run"] += 1
            continue
        if not _NUMBER.fullmatch(row["step_number"].strip()):
            raise OptionError(f"{where}, field 'step_number': expected a whole number, got {row['step_number']!r:.40}")
        if (mark := row["mark"].strip()) not in ("agree", "disagree"):
            raise OptionError(f"{where}, field 'mark': expected agree or disagree, got {mark!r:.40}")
        text = bare(row["claim"])[: _SHOWN // 2]
        near = places.get((bare(row["question_id"]), int(row["step_number"])), [])
        found = {key: one for key, one in near if bare(clean(one.claim.text))[: len(text)] == text}
        if not found:
            left_out["marks of claims that do not count in KI, or of another run"] += 1
            continue
        for key, verdict in found.items():
            if verdict.label == "insufficient":
                left_out["marks of verdicts that the evidence does not decide"] += 1
                continue
            value = float((verdict.label == "supported") == (mark == "agree"))
            if claims.setdefault(key, value) != value:
                raise OptionError(f"{where}, field 'mark': the claim {key} is marked in two ways")
    if runs and len(runs) > 1 and not claims:
        raise OptionError(f"{path}: no mark of the run {run!r}; it has {', '.join(sorted(runs))[:200]}")
    return claims, left_out


def _by_step(units: Sequence[Unit], claims: Mapping[str, float], left_out: Counter[str], *, marks: bool) -> Labels:
    shares: dict[str, float] = {}
    whole: dict[str, float] = {}
    partly: set[str] = set()
    for unit in units:
        found = [claims.get(unit.claim_key(number)) for number, _ in unit.verdicts]
        known = [value for value in found if value is not None]
        if known and len(known) == len(found):
            shares[unit.key] = sum(known) / len(known)
            whole[unit.key] = float(all(known))
        elif known:
            partly.add(unit.key)
    if partly:
        left_out["steps of which not every claim has a label"] += len(partly)
    return Labels(shares, whole, left_out, marks)
