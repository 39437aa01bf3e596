"""A user's own labelled claims: JSON Lines or CSV with `claim` and `label`, and passages where there are some."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...metrics.judge_check.items import Labelled
from ...metrics.knowledge.arithmetic.judge import EQUATION
from ...metrics.knowledge.claims.sentence import SENTENCE
from ...metrics.trace import Step, Trace
from ..formats.entries import Unreadable
from ..formats.options import OptionError
from ..formats.rows import open_stream, read_rows
from .cells import restored

CSV = (".csv", ".tsv")
_LONGEST = 10_000_000  # characters of a field in CSV
_WORDS: Mapping[str, Sequence[str]] = {
    "supported": ("supported", "support", "supports", "entailment", "entailed"),
    "right": ("right", "true", "correct", "yes", "1"),
    "contradicted": ("contradicted", "contradict", "contradicts", "contradiction", "refuted", "refutes"),
    "wrong": ("wrong", "false", "incorrect", "no", "0"),
    "not covered": ("not covered", "not_covered", "insufficient", "neutral", "nei", "not enough info", "notmentioned"),
}
_TRUTH = {word: truth for truth, words in _WORDS.items() for word in words}
# Labels that both hold of a claim: whoever says "wrong" does not say why.
_BOTH = ({"supported", "right"}, {"contradicted", "wrong"}, {"not covered", "wrong"})
_RIGHT = ("supported", "right")
_KINDS = (SENTENCE, EQUATION)


def read_labelled(path: Path) -> list[Labelled]:
    """The claims of a file, one a row.

    Fields: `claim`, `label` (supported, contradicted, not covered; or right, wrong); optional are `passages` (a text,
    or a list of texts or of {id, title, text}), `question`, `id`, `document` (what claims have in common, for the
    intervals; else the passages, else the claim) and `kind` (sentence, equation).

    Raises:
        OptionError: names file, row and field; a claim with the same question and passages has two labels that cannot
            both hold.
    """
    items, seen, clashes = [], {}, []
    for number, row in file_rows(path, ("claim", "label")):
        item = _item(row, f"{path}, row {number}", number)
        items.append(item)
        passages = [(one.get("title", ""), one["text"]) for one in item.trace.meta.get("passages", ())]
        same = seen.setdefault((item.trace.response, item.trace.question, item.kind, repr(passages)), {})
        (said,) = item.truth
        clashes += [(number, said, row, other) for other, row in same.items() if not _both_hold(said, other)][:1]
        same.setdefault(said, number)
    if clashes:
        number, said, row, other = clashes[0]
        more = f" (so are {len(clashes) - 1:,} more rows)" if len(clashes) > 1 else ""
        raise OptionError(
            f"{path}, row {number}, field 'label': {said!r}, but row {row} has the same claim with the same passages "
            f"as {other!r}{more}; keep one of them"
        )
    if not items:
        raise OptionError(f"{path}: no labelled claim in it")
    return items


def _both_hold(one: str, other: str) -> bool:
    return one == other or any({one, other} == both for both in _BOTH)


def file_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The rows of JSON Lines, JSON or CSV, which has the columns needed, with their numbers.

    Raises OptionError, which names file and row.
    """
    if not path.is_file():
        raise OptionError(f"{path}: no such file")
    if path.suffix.lower() in CSV:
        yield from csv_rows(path, needed)
        return
    with open_stream(path) as stream:
        for number, row in read_rows(stream, array=path.suffix.lower() == ".json"):
            if isinstance(row, Unreadable):
                raise OptionError(f"{path}, row {number}: {row}")
            yield number, row


def csv_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV (or TSV) file with a heading, as (number from 2 on, cells by name); empty rows are passed over.

    Raises OptionError: it is no UTF-8, has no such columns or one twice, or a row has too many cells or too few.
    """
    csv.field_size_limit(_LONGEST)
    number = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.readline()
            file.seek(0)
            # A spreadsheet of a country with a decimal comma writes semicolons.
            between = ";" if sample.count(";") > sample.count(",") else ","
            reader = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else between, strict=True)
            head = [restored(name).strip() for name in next(reader, [])]
            if absent := [name for name in needed if name not in head]:
                raise OptionError(f"{path}, row 1: no column {absent[0]!r}; it has {', '.join(head)[:200] or 'none'}")
            if twice := [name for name in head if name and head.count(name) > 1]:
                raise OptionError(f"{path}, row 1: the column {twice[0]!r:.80} is there twice")
            for number, cells in enumerate(reader, 2):
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(head):
                    raise OptionError(f"{path}, row {number}: {len(cells)} cells, expected {len(head)} as in row 1")
                yield number, {name: restored(cell) for name, cell in zip(head, cells, strict=True)}
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except csv.Error as error:
        raise OptionError(f"{path}, row {number + 1}: not CSV: {error}") from error


def _item(row: Mapping[str, Any], where: str, number: int) -> Labelled:
    claim = _text(row, "claim", where, needed=True)
    label = row.get("label")
    said = str(label).strip().casefold() if isinstance(label, str | bool | int) else ""
    if said not in _TRUTH:
        raise OptionError(
            f"{where}, field 'label': got {label!r:.80}, expected supported, contradicted, not covered, right or wrong"
        )
    truth = _TRUTH[said]
    kind = _text(row, "kind", where) or SENTENCE
    if kind not in _KINDS:
        raise OptionError(f"{where}, field 'kind': got {kind!r:.80}, expected {', '.join(_KINDS)}")
    passages = _passages(row.get("passages"), where)
    document = row.get("document")
    if not isinstance(document, str | int | None) or isinstance(document, bool):
        raise OptionError(f"{where}, field 'document': expected text, got {document!r:.80}")
    # A claim that stands in many rows is evidence once.
    group = str(document) if document not in (None, "") else repr(passages) if passages else f"claim {claim}"
    trace = Trace(
        _text(row, "question", where),
        claim,
        id=_text(row, "id", where) or f"row {number}",
        meta={"passages": passages} if passages else {},
    )
    return Labelled(trace, [Step(claim, 0, len(claim))], [truth in _RIGHT], group, [truth], kind)


def _text(row: Mapping[str, Any], name: str, where: str, *, needed: bool = False) -> str:
    value = row.get(name)
    if value is None and not needed:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or (needed and not value.strip()):
        raise OptionError(f"{where}, field {name!r}: expected text, got {value!r:.80}")
    return value.strip() if needed else value


def _passages(given: Any, where: str) -> list[dict[str, str]]:
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("["):  # a list in a cell of CSV
            try:
                given = json.loads(text)
            except (ValueError, RecursionError):
                given = [given]
        else:
            given = [given] if text else []
    if given is None:
        return []
    if not isinstance(given, list):
        raise OptionError(f"{where}, field 'passages': expected a text or a list of texts, got {given!r:.80}")
    out = []
    for place, one in enumerate(given, 1):
        passage = {"text": one} if isinstance(one, str) else one
        if not isinstance(passage, dict) or not isinstance(passage.get("text"), str):
            raise OptionError(f"{where}, field 'passages', number {place}: expected a text, got {one!r:.80}")
        named = {name: value for name, value in passage.items() if name in ("title", "text") and isinstance(value, str)}
        out.append({"id": str(passage.get("id") or f"given-{place}"), **named})
    return out
