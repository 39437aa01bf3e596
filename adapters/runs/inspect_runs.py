"""Reads Inspect logs sample by sample, with scores of ours or without.

Question, answers and accuracy are read as in `stepgauge score`, so that live runs pair with runs scored later.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...metrics import ChainScore
from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import UNSCORED, Record, question_hash
from ...metrics.format_version import FormatError
from ..formats.entries import Entry, Passed, Skipped, Unreadable, Where, should_abstain_in, subject_of
from ..formats.inspect_logs import (
    entry,
    question_and_options,
    read_header,
    samples,
    truncated,
)
from ..formats.options import OptionError
from ..formats.sources import Source
from ..grades import accuracy_of, read_answers
from ..scored import of_sample
from .endings import ending
from .run_parts import Found, Keep, LostRows, Part, take_newest
from .stances import in_text, in_trace

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample


def read_logs(files: Iterable[Path], keep: Keep) -> Found:
    """The newest log of each task (with its arguments) and model, scored ones first, one part per log.

    Raises:
        OptionError: a score has a later format; names the log and the sample.
    """
    runs: dict[tuple[str, str, str], list[tuple[EvalLog, Path]]] = {}
    found = Found()
    for path in files:
        try:
            header = read_header(str(path))
        except Unreadable as problem:
            found.leave_out(path, problem)
            continue
        arguments = json.dumps(header.eval.task_args, sort_keys=True, default=str)
        runs.setdefault((header.eval.task, header.eval.model, arguments), []).append((header, path))
    for (task, *_), versions in runs.items():
        versions.sort(key=lambda version: (version[0].eval.created, version[1].stat().st_mtime), reverse=True)
        found.add(take_newest(task, versions, lambda path, header: _read(path, header, keep)))
    return found


@dataclass
class _Chains:
    """How many chains one of our scorers scored of the wanted samples, and their numbers by metric."""

    count: int = 0
    numbers: Counter[str] = field(default_factory=Counter)

    def add(self, chain: ChainScore) -> None:
        self.count += 1
        self.numbers.update(name for name, value in chain.metrics.items() if not math.isnan(value))


class ScoredLog:
    """The wanted samples of one log with a score of ours, one at a time.

    Attributes:
        part: its notes are complete after the last sample; its records are those of samples without a score, as long as
            no sample has one.
    """

    def __init__(self, path: Path, keep: Keep, header: EvalLog | None = None) -> None:
        """Raises Unreadable if the log cannot be read."""
        self._path, self._keep = path, keep
        self._header = header or read_header(str(path))
        self._by_scorer: dict[str, _Chains] = {}
        self._wanted = 0
        self.part = Part(path, keep.model(self._header.eval.model), scored=False)

    def records(self) -> Iterator[dict[str, Record]]:
        """Of each sample a record by scorer.

        Raises:
            Unreadable: no sample can be read.
            OptionError: a score has a later format; names the log and the sample.
        """
        path, keep, header, part = self._path, self._keep, self._header, self.part
        left_out: Counter[str] = Counter()
        lost, read_one = LostRows(path), False
        for row, sample in enumerate(samples(Source(str(path), "inspect"), header), 1):
            if isinstance(sample, Skipped):
                lost.add(str(sample.where), sample.reason)
                continue
            if isinstance(sample, Passed | Entry):
                left_out["that the run did not reach"] += 1
                continue
            where = f"{path}, sample {sample.id}, epoch {sample.epoch}"
            try:
                chains = dict(of_sample(header, sample))
                read = _entry(Where(str(path), row), header, sample, next(iter(chains.values()))) if chains else None
            except FormatError as error:
                raise OptionError(str(error)) from error
            # What our own fields do not hold, and whatever Inspect's types refuse of a sample, costs that sample alone.
            except Exception as error:
                lost.add(where, error)
                continue
            read_one = True
            if read is None:
                if sample.error is not None:
                    left_out["that ended with an error"] += 1
                    continue
                left_out[_WITHOUT] += 1
                if not part.scored:
                    try:
                        part.records += _unscored(Where(str(path), row), where, header, sample, keep)
                    except Unreadable as problem:
                        lost.add(where, problem)
                continue
            part.scored = True
            part.records.clear()
            if not keep.fits(task=read.task, subject=read.subject, doc_id=str(read.doc_id), model=read.model):
                continue
            self._wanted += 1
            for name, chain in chains.items():
                self._by_scorer.setdefault(name, _Chains()).add(chain)
            yield {name: _record(where, read, chain) for name, chain in chains.items()}
        part.notes += lost.notes(read=read_one)
        if not part.scored:
            del left_out[_WITHOUT]
        part.notes += [f"{path.name}: {plural(count, 'sample')} {why}, left out" for why, count in left_out.items()]
        if header.status != "success":
            part.notes.append(f"{path.name}: the run ended with status {header.status}")
        if (scorer := self.scorer) is not None:
            part.notes += _about_choice(path, scorer, self._by_scorer, self._wanted)

    @property
    def scorer(self) -> str | None:
        """The scorer that counts for the whole log: chains of different scoring LMs must not be mixed."""
        most = self._by_scorer
        return max(most, key=lambda name: (len(most[name].numbers), most[name].numbers.total()), default=None)


_WITHOUT = "without a score of ours"


def _read(path: Path, header: EvalLog, keep: Keep) -> Part:
    """The wanted records of one log: of the samples with a score of ours; if none has one, of all.

    Raises:
        Unreadable: no sample can be read.
    """
    log = ScoredLog(path, keep, header)
    records = list(log.records())
    if (scorer := log.scorer) is not None:
        log.part.records += [one[scorer] for one in records if scorer in one]
    return log.part


def _about_choice(path: Path, richest: str, by_scorer: dict[str, _Chains], wanted: int) -> list[str]:
    others = [name for name in by_scorer if name != richest]
    if not others:
        return []
    lacking = wanted - by_scorer[richest].count
    without = f"; {plural(lacking, 'sample')} that {richest} did not score left out" if lacking else ""
    return [
        f"{path.name}: scored by {', '.join(by_scorer)}; {richest} was taken, which has the most metrics{without}",
    ]


def _entry(at: Where, header: EvalLog, sample: EvalSample, chain: ChainScore) -> Entry:
    from ..inspect.traces import Unscorable

    last = str(chain.provenance.get("chain_source", "")).endswith(", last turn")
    try:
        return entry(at, header, sample, "last" if last else "all")
    except Unscorable as problem:
        raise Unreadable("it has a score, but its chain cannot be read", str(problem)) from problem


def _unscored(at: Where, where: str, header: EvalLog, sample: EvalSample, keep: Keep) -> list[Record]:
    """The record of a sample that no scorer of ours has seen; none if it is not wanted. Raises Unreadable."""
    from ..inspect.traces import Unscorable

    task, subject, doc_id = header.eval.task, subject_of(sample.metadata or {}), str(sample.id)
    if not keep.fits(task=task, subject=subject, doc_id=doc_id, model=header.eval.model):
        return []
    try:
        should_abstain = should_abstain_in(sample.metadata)
        return [_record(where, entry(at, header, sample), UNSCORED)]
    except Unscorable:  # no chain to score: the run has said whether it is right all the same
        question, options = question_and_options(header, sample)
    return [
        Record(
            task=task,
            question=question,
            question_hash=question_hash(question, options),
            accuracy=accuracy_of(sample),
            doc_id=doc_id,
            subject=subject,
            truncated=truncated(sample),
            where=where,
            read_answers=read_answers(sample),
            length=len(sample.output.completion),
            stance=in_text(sample.output.completion, options),
            choices=options,
            should_abstain=should_abstain,
        )
    ]


def _record(where: str, read: Entry, chain: ChainScore) -> Record:
    length, unfinished = ending(read.trace.response)
    return Record(
        task=read.task or "",
        question=read.trace.question,
        question_hash=read.question_hash,
        score=chain,
        accuracy=dict(read.accuracy),
        doc_id=str(read.doc_id),
        subject=read.subject,
        answer=read.trace.answers,
        model_answer=read.trace.model_answer,
        truncated=read.truncated,
        where=where,
        read_answers=read.read_answers,
        unfinished=unfinished,
        length=length,
        stance=in_trace(read.trace, chain, truncated=read.truncated),
        choices=read.trace.choices,
        should_abstain=read.should_abstain,
    )
