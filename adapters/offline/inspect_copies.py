"""Copies Inspect logs and adds the scores of a finished `stepgauge score`, so that `inspect view` shows them.

Inspect's own `score` writes them, with a scorer that looks each sample's score up instead of computing it. So scores,
events and result metrics look as they would from `inspect score`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from inspect_ai import score
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import TaskState

from ...metrics import ChainScore
from ..formats.inspect_logs import full_name
from ..formats.sources import Source
from ..inspect.scorers import as_score
from .out_folder import SCORES

FOLDER = "logs"
# Looking scores up generates nothing, but Inspect requires a model; the log's own may need an API key or a GPU.
_MODEL = "mockllm/model"
_NO_CHAIN = "no chain was read from this sample; skipped.jsonl says why"


def write_copies(folder: Path, sources: Sequence[Source], metrics: Sequence[str]) -> Iterator[Path]:
    """Write a copy of each Inspect log among `sources` to `folder`/logs; yields the copies' paths.

    Holds one whole log in memory at a time.
    """
    target = folder / FOLDER
    target.mkdir(exist_ok=True)
    taken: set[str] = set()
    for source in sources:
        if source.format != "inspect":
            continue
        log = read_eval_log(source.name)
        roles, log.eval.model_roles = log.eval.model_roles, None  # graders, too, may need a key
        name, log.eval.model = log.eval.model, full_name(log.eval.model)
        looked_up = stepgauge(str(folder / SCORES), source.name, list(metrics))
        log = score(log, looked_up, model=_MODEL, action="append", display="none", copy=False)
        log.eval.model_roles, log.eval.model = roles, name
        copy = target / _free_name(source.path, taken)
        write_eval_log(log, copy)
        yield copy


@scorer(name="stepgauge", metrics={"*": [mean(), stderr()]})
def stepgauge(scores: str, log: str, metrics: Sequence[str]) -> Scorer:
    """A scorer that looks a sample's score up in the file that `stepgauge score` wrote.

    Args:
        scores: the path of that file.
        log: the log's name in it.
        metrics: names of the metrics to report.
    """
    places = _offsets(Path(scores), log)

    async def look_up(state: TaskState, target: Target) -> Score:
        del target
        place = places.get((str(state.sample_id), state.epoch))
        if place is None:
            return Score.unscored(reason="no_chain", explanation=_NO_CHAIN)
        row = _row(Path(scores), place)
        return as_score(ChainScore.from_dict(row["score"]), row["model_answer"], metrics)

    return look_up


def _row(path: Path, offset: int) -> dict[str, Any]:
    with path.open("rb") as file:
        file.seek(offset)
        return json.loads(file.readline())


def _offsets(path: Path, log: str) -> dict[tuple[str, int], int]:
    """The byte offset of the row of each (sample id, epoch)."""
    found: dict[tuple[str, int], int] = {}
    at = 0
    with path.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            if row["key"]["file"] == log:
                found[str(row["doc_id"]), row["key"]["repeat"] + 1] = at
            at += len(line)
    return found


def _free_name(path: Path, taken: set[str]) -> str:
    """The log's own file name, with a number if logs in several folders share it."""
    name, number = path.name, 2
    while name in taken:
        name, number = f"{path.stem}-{number}{path.suffix}", number + 1
    taken.add(name)
    return name
