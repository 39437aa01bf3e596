"""Feeds the entries of all inputs to a `Gauge`, one window at a time, and writes the scores.

Windows are counted from the start of the input, so that a resumed run forms the same batches, and writes the same rows,
as an uninterrupted one. The control `foreign` draws only on the chains of the current and the previous window, so this
holds for it, too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...metrics import ChainScore, Gauge, ScorerError, Trace
from ...metrics.format_version import FORMAT
from ..formats.entries import Entry, Skipped
from ..formats.options import OptionError
from ..formats.sources import Source
from ..formats.windows import WINDOW, Window, windows
from .out_folder import OutFolder, Ranges
from .progress import Progress

log = logging.getLogger(__name__)

_WARNED = 3  # number of skipped rows per reason that are reported individually
# If all chains of a window fail and there are at least this many, blame the machine, not the chains.
_ALL_FAILED = 8


@dataclasses.dataclass
class _Made:
    """A window that has been through the gauge.

    Attributes:
        number: its place in the input, from 1.
        before: the entries of the window before it.
        error: what scoring it raised; it has no rows then.
    """

    number: int
    window: Window
    before: Sequence[Entry]
    rows: list[dict[str, Any]]
    error: Exception | None = None


class Stopped(OptionError):
    """The run stopped early; what was written so far stays."""


def score_all(
    sources: Sequence[Source],
    gauge: Gauge,
    out: OutFolder,
    *,
    window: int = WINDOW,
    limit: int | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> None:
    """Score the chains that are not in `out` yet.

    Raises:
        Stopped: a row cannot be read (with `strict`), a whole window cannot be scored, nothing can be written, or the
            server of a judge runs another model than it did for the windows on disk.
    """
    if out.complete:
        return
    progress = progress or Progress(sources, limit)
    taken: deque[tuple[int, Window, Sequence[Entry]]] = deque()
    done = Ranges(out.windows.to_list())  # those that are written meanwhile were not done when the input was begun

    def calls() -> Iterator[tuple[list[Trace], list[Trace]]]:
        """The windows that are not in `out` yet; while the scoring LM computes, another thread takes the next ones."""
        warned: Counter[str] = Counter()
        before: Sequence[Entry] = ()
        for number, one in enumerate(windows(sources, window, limit), 1):
            last, before = before, one.entries
            if number in done:
                progress.passed_over(len(one.entries))
                continue
            progress.show()
            report(one.skipped, warned, strict)
            taken.append((number, one, last))
            yield _traces(one.entries), _traces(last)

    def made(outcome: list[ChainScore] | Exception) -> _Made:
        number, one, last = taken.popleft()
        if isinstance(outcome, Exception):
            return _Made(number, one, last, [], outcome)
        return _Made(number, one, last, _rows(gauge, one.entries, outcome))

    with progress, contextlib.closing(gauge.score_each(calls(), made)) as all_made:
        for found in all_made:
            one, rows = found.window, found.rows
            if found.error is not None:
                rows = _one_by_one(gauge, found.error, one.entries, found.before)
            _not_in_vain(rows, one.entries)
            # Of the rows: the gauge itself may be some windows ahead.
            evidence = next(filter(None, map(_evidence, rows)), gauge.evidence)
            write(out, found.number, one, rows, evidence)
            progress.scored(len(rows))


def write(
    out: OutFolder,
    number: int,
    window: Window,
    rows: Sequence[Mapping[str, Any]],
    evidence: Mapping[str, Mapping[str, Any]],
) -> None:
    """Append a scored window to the folder.

    Args:
        number: its place in the input, from 1.
        evidence: what its verdicts depend on (`Gauge.evidence`).
    """
    out.reported = _reported(evidence, out)
    failed = sum(one["failed"] is not None for one in rows)
    out.counts.scored += len(rows) - failed
    out.counts.failed += failed
    out.counts.skipped.update(item.kind for item in window.skipped)
    out.counts.passed.update(window.passed)
    try:
        out.write_window(rows, [_skipped(item) for item in window.skipped], window=number, last=window.last)
    except OSError as error:
        raise Stopped(f"--out {out.path}: cannot be written: {error}") from error


def rows_of(gauge: Gauge, entries: Sequence[Entry], before: Sequence[Entry]) -> list[dict[str, Any]]:
    """A row per entry of a window.

    Args:
        before: the entries of the previous window, whose chains the control `foreign` may also use.

    Raises Stopped where not one of many chains can be scored, ScorerError where the whole request is refused.
    """
    if not entries:
        return []
    try:
        rows = _rows(gauge, entries, gauge.score(_traces(entries), foreign_from=_traces(before)))
    except Exception as error:  # raised again where it is no chain's
        rows = _one_by_one(gauge, error, entries, before)
    _not_in_vain(rows, entries)
    return rows


def _evidence(row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return row["score"]["provenance"].get("evidence")


def _reported(evidence: Mapping[str, Mapping[str, Any]], out: OutFolder) -> dict[str, list[str]]:
    """The models that servers say they run, with those of the windows before. Raises Stopped where another one runs."""
    reported = dict(out.reported)
    for part, about in evidence.items():
        before, now = reported.get(part, []), about.get("reported_models", [])
        new = sorted(set(now) - set(before))
        if before and now and not set(now) & set(before):
            raise Stopped(
                f"{out.path}: {part!r} judged with {', '.join(before)} so far, and its server now runs "
                f"{', '.join(now)}; give another --out, or --restart to overwrite the run"
            )
        if before and new:
            log.warning("the server of %r ran %s so far, and now also %s", part, ", ".join(before), ", ".join(new))
        if before or now:
            reported[part] = [*before, *new]
    return reported


def check_overlap(sources: Sequence[Source], gauge: Gauge, limit: int | None = None) -> None:
    """If the scorer is a fitted one, read the whole input once and compare its questions with those of the fit.

    Raises:
        OverlapError: some questions occur in both, and the gauge does not allow that.
    """
    gauge.check_overlap(entry.trace for one in windows(sources, WINDOW, limit) for entry in one.entries)
    for source in sources:
        source.done = 0


def report(skipped: Iterable[Skipped], warned: Counter[str], strict: bool) -> None:
    for item in skipped:
        if strict:
            raise Stopped(f"{item.where}: {item.reason} (--strict)")
        warned[item.kind] += 1
        if warned[item.kind] <= _WARNED:
            log.warning("skipped %s: %s", item.where, item.reason)
        elif warned[item.kind] == _WARNED + 1:
            log.warning("more rows are skipped for the reason %r; all are in skipped.jsonl", item.kind)


def _skipped(item: Skipped) -> dict[str, Any]:
    return {"key": dataclasses.asdict(item.where), "kind": item.kind, "reason": item.reason}


def _rows(gauge: Gauge, entries: Sequence[Entry], scores: Sequence[ChainScore]) -> list[dict[str, Any]]:
    return [_scored(gauge, score, entry) for score, entry in zip(scores, entries, strict=True)]


def _one_by_one(
    gauge: Gauge, error: Exception, entries: Sequence[Entry], before: Sequence[Entry]
) -> list[dict[str, Any]]:
    """A row per entry where scoring the window as a whole raised.

    Args:
        before: the entries of the previous window, whose chains the control `foreign` may also use.

    Raises the error where it is no failure of a chain.
    """
    if isinstance(error, ScorerError):  # the whole request is refused
        raise error
    # One chain must not cost hours of scores: any exception becomes the reason of the chain that raised it.
    log.warning("a window of %d chains failed (%s: %s); they are tried one by one", len(entries), *_named(error))
    foreign = [*_traces(before), *_traces(entries)]
    out: list[dict[str, Any]] = []
    for entry in entries:
        try:
            (score,) = gauge.score([entry.trace], foreign_from=foreign)
        except Exception as error:  # as above
            problem = "scoring failed: {}: {}".format(*_named(error))
            log.warning("%s: %s", entry.where, problem)
            out.append(failed_row(gauge, entry, problem))
        else:
            out.append(_scored(gauge, score, entry))
    return out


def _traces(entries: Sequence[Entry]) -> list[Trace]:
    return [entry.trace for entry in entries]


def _scored(gauge: Gauge, score: ChainScore, entry: Entry) -> dict[str, Any]:
    """The row, with what the likelihood backend raised for this chain: its verdicts stand, its gains are missing."""
    failures = gauge.backend_failures
    raised = next((why for why in score.missing.values() if why in failures), None)
    if raised is not None:
        log.warning("%s: %s", entry.where, raised)
    return row(entry, _told(score, entry), raised)


def _not_in_vain(rows: Sequence[Mapping[str, Any]], entries: Sequence[Entry]) -> None:
    """Raises Stopped if a window of some size failed as a whole: whatever failed may be mended, and the run go on."""
    if len(rows) >= _ALL_FAILED and all(one["failed"] for one in rows):
        raise Stopped(
            f"{entries[0].where} to {entries[-1].where}: not one of {len(rows)} chains could be scored, "
            f"so nothing was written for them; the last: {rows[-1]['failed']}"
        )


def _named(error: Exception) -> tuple[str, str]:
    return type(error).__name__, str(error)


def _told(score: ChainScore, entry: Entry) -> ChainScore:
    """The score, completed with what only the reader of the file knows."""
    missing = score.missing
    if entry.no_gold is not None:
        missing = {name: entry.no_gold if why == "no gold answer" else why for name, why in missing.items()}
    source = {} if entry.source is None else {"chain_source": entry.source}
    return dataclasses.replace(
        score, missing=missing, notes=[*score.notes, *entry.notes], provenance={**score.provenance, **source}
    )


def _failed(gauge: Gauge, entry: Entry, reason: str) -> ChainScore:
    names = list(gauge.metric_info())
    return ChainScore(
        id=entry.trace.id,
        trace_hash=entry.trace.hash,
        steps=[],
        log_likelihoods=[],
        n_answer_tokens=None,
        metrics=dict.fromkeys(names, math.nan),
        missing=dict.fromkeys(names, reason),
        notes=list(entry.notes),
    )


def failed_row(gauge: Gauge, entry: Entry, problem: str) -> dict[str, Any]:
    """The row of a chain that could not be scored."""
    return row(entry, _failed(gauge, entry, problem), problem)


def row(entry: Entry, score: ChainScore, problem: str | None) -> dict[str, Any]:
    """One line of `scores.jsonl`, with all that is needed to score the chain again (`formats/scored_rows.py`)."""
    trace = entry.trace
    return {
        "format": FORMAT,
        "key": dataclasses.asdict(entry.where),
        "id": trace.id,
        "trace_hash": trace.hash,
        "task": entry.task,
        "model": entry.model,
        "doc_id": entry.doc_id,
        "subject": entry.subject,
        "question_hash": entry.question_hash,
        "question": trace.question,
        "answer": list(trace.answers),
        "choices": None if trace.choices is None else list(trace.choices),
        "model_answer": trace.model_answer,
        "response": trace.response,
        "accuracy": dict(entry.accuracy),
        "read_answers": dict(entry.read_answers),
        "truncated": entry.truncated,
        "should_abstain": entry.should_abstain,
        "failed": problem,
        "score": score.to_dict(),
    }
