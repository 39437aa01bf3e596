"""Puts the scores of a finished `stepgauge score` where Inspect's users look.

For each Inspect log: a file that Inspect's `precomputed_scores` reads, and a copy of the log to which Inspect's own
`score` added them, so that scores, events and result metrics look as they would from `inspect score`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from inspect_ai import score_async
from inspect_ai._util.asyncfiles import AsyncFilesystem
from inspect_ai.log import (
    EvalLog,
    EvalResults,
    EvalSample,
    EvalSpec,
    read_eval_log_async,
    read_eval_log_samples_by_id_async,
)
from inspect_ai.log._recorders import Recorder, create_recorder_for_location
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ...metrics import ChainScore
from ..formats.sources import Source
from ..inspect.scorers import as_score
from ..inspect.traces import full_name
from ..inspect.viewer import viewer_config
from .means import read_rows

LOGS = "logs"
PRECOMPUTED = "precomputed"
# Looking scores up generates nothing, but Inspect requires a model; the log's own may need an API key or a GPU.
_MODEL = "mockllm/model"
_TOGETHER = 64  # samples read at a time: each reading goes through the archive's list of all samples
_FLUSHED = 256  # samples written at a time: each writing copies what there is
_NO_CHAIN = "no chain was read from this sample; skipped.jsonl says why"


def write_copies(folder: Path, sources: Sequence[Source], metrics: Sequence[str]) -> Iterator[Path]:
    """Write, of each Inspect log among `sources`, `folder`/precomputed/NAME.jsonl and `folder`/logs/NAME; yields both.

    Of an `.eval` log some hundred samples are held at a time, of all others their summaries and the numbers of their
    scores; a `.json` log is held whole.
    """
    taken: set[str] = set()
    for source in sources:
        if source.format != "inspect":
            continue
        name = _free_name(source.path, taken)
        scores = _in(folder / PRECOMPUTED) / f"{name}.jsonl"
        with scores.open("w", encoding="utf-8") as lines:
            lines.writelines(f"{json.dumps(record)}\n" for record in _records(folder, source.name, metrics))
        yield scores
        copy = _in(folder / LOGS) / name
        anyio.run(_copied, source.name, scores, copy)
        yield copy


async def _copied(path: str, scores: Path, copy: Path) -> None:
    async with AsyncFilesystem():
        await _write_copy(path, scores, copy)


async def _write_copy(path: str, scores: Path, copy: Path) -> None:
    """A copy of a log, with the scores in it: `inspect score --stream`, which cannot do without the log's models."""
    log = await read_eval_log_async(path, header_only=path.endswith(".eval"))
    spec = log.eval
    # Graders, too, may need a key.
    log.eval = spec.model_copy(update={"model": full_name(spec.model), "model_roles": None})
    recorder = create_recorder_for_location(str(copy), str(copy.parent))
    copy.unlink(missing_ok=True)
    await recorder.log_init(spec, str(copy))
    await recorder.log_start(spec, log.plan)
    passed = _Samples(path, log, spec, recorder)
    await passed.find()
    known, counted = log.results, log.results.total_samples if log.results else None
    log.results = known or EvalResults()
    log.results.total_samples = len(passed.keys)  # as many as there are: an interrupted run has fewer than it says
    log = await score_async(
        log,
        [stepgauge(str(scores))],
        model=_MODEL,
        action="append",
        display="none",
        copy=False,
        samples=passed.one,
    )
    assert log.results is not None
    if counted is not None:
        log.results.total_samples = counted
    else:
        log.results.completed_samples = passed.completed
    spec.scorers = log.eval.scorers
    spec.viewer = viewer_config(spec.viewer)
    told = {"invalidated": log.invalidated, "log_updates": log.log_updates, "config_updates": log.config_updates}
    end = (log.status, log.stats, log.results, log.reductions, log.error, True)
    await recorder.log_finish(spec, *end, **told)


class _Samples:
    """The samples of a log on their way into its copy, in the order of `keys`, all at once or a few at a time."""

    def __init__(self, path: str, log: EvalLog, spec: EvalSpec, recorder: Recorder) -> None:
        self._path, self._spec, self._recorder = path, spec, recorder
        self._turn = anyio.Semaphore(1)
        self._whole = log.samples is not None
        self._read: dict[int, EvalSample] = dict(enumerate(log.samples or []))
        self._unwritten: list[EvalSample] = []
        self.keys: list[tuple[str | int, int]] = [(one.id, one.epoch) for one in log.samples or []]
        self.completed = 0

    async def find(self) -> None:
        if not self._whole:
            self.keys = await create_recorder_for_location(self._path, "").read_log_sample_ids(self._path)

    @asynccontextmanager
    async def one(self, index: int) -> AsyncIterator[EvalSample]:
        """The sample with that number, to be scored; then it is written."""
        async with self._turn:
            if index not in self._read:
                first = index - index % _TOGETHER
                found = await read_eval_log_samples_by_id_async(self._path, self.keys[first : first + _TOGETHER])
                self._read = dict(enumerate(found, first))
            sample = self._read.pop(index)
            yield sample
            self.completed += sample.error is None
            await self._recorder.log_sample(self._spec, sample)
            if self._whole:
                return
            self._unwritten.append(sample)
            if len(self._unwritten) == _FLUSHED or index == len(self.keys) - 1:
                await self._recorder.flush(self._spec)
                # Inspect keeps all scores until the last, for the means; of ours that takes no more than the numbers.
                for score in (one for sample in self._unwritten for one in (sample.scores or {}).values()):
                    score.explanation = score.metadata = None
                self._unwritten.clear()


@scorer(name="stepgauge", metrics={"*": [mean(), stderr()]})
def stepgauge(scores: str) -> Scorer:
    """Inspect's `precomputed_scores` under our name, with the reason where a sample has none, and a score at a time.

    Args:
        scores: the path of the file that `write_copies` wrote.
    """
    places: dict[tuple[str, int], int] = {}
    file = Path(scores)
    with file.open("rb") as lines:
        at = 0
        for line in lines:
            record = json.loads(line)
            places[str(record["id"]), record["epoch"]] = at
            at += len(line)

    async def found(state: TaskState, target: Target) -> Score:  # noqa: ARG001 (a scorer has both)
        at = places.get((str(state.sample_id), state.epoch))
        if at is None:
            return Score.unscored(reason="no_chain", explanation=_NO_CHAIN)
        with file.open("rb") as lines:
            lines.seek(at)
            record = json.loads(lines.readline())
        return Score(**{name: record[name] for name in ("value", "answer", "explanation", "metadata")})

    return found


def _records(folder: Path, log: str, metrics: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The scores of one log's samples as `precomputed_scores` reads them.

    A missing number is NaN, which its reader and Inspect's metrics know: null would count as 0.
    """
    for row in read_rows(folder):
        if row["key"]["file"] == log:
            found = as_score(ChainScore.from_dict(row["score"]), row["model_answer"], metrics)
            told = found.model_dump(include={"value", "answer", "explanation", "metadata"})
            yield {"id": row["doc_id"], "epoch": row["key"]["repeat"] + 1, **told}


def _in(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _free_name(path: Path, taken: set[str]) -> str:
    """The log's own file name, with a number if logs in several folders share it."""
    name, number = path.name, 2
    while name in taken:
        name, number = f"{path.stem}-{number}{path.suffix}", number + 1
    taken.add(name)
    return name
