"""Puts the scores of a finished `stepgauge score` where Inspect's users look.

For each Inspect log: a file that Inspect's `precomputed_scores` reads, and a copy of the log to which Inspect's own
`score` added them, so that scores, events and result metrics look as they would from `inspect score`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from inspect_ai import score
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.scorer import Score, Scorer, Target, mean, precomputed_scores, scorer, stderr
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
_NO_CHAIN = "no chain was read from this sample; skipped.jsonl says why"


def write_copies(folder: Path, sources: Sequence[Source], metrics: Sequence[str]) -> Iterator[Path]:
    """Write, of each Inspect log among `sources`, `folder`/precomputed/NAME.jsonl and `folder`/logs/NAME; yields both.

    Holds one whole log and its scores in memory at a time.
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
        log = read_eval_log(source.name)
        roles, log.eval.model_roles = log.eval.model_roles, None  # graders, too, may need a key
        model, log.eval.model = log.eval.model, full_name(log.eval.model)
        log = score(log, stepgauge(str(scores)), model=_MODEL, action="append", display="none", copy=False)
        log.eval.model_roles, log.eval.model = roles, model
        log.eval.viewer = viewer_config(log.eval.viewer)
        copy = _in(folder / LOGS) / name
        write_eval_log(log, copy)
        yield copy


@scorer(name="stepgauge", metrics={"*": [mean(), stderr()]})
def stepgauge(scores: str) -> Scorer:
    """Inspect's `precomputed_scores` under our name, with the reason where a sample has none.

    Args:
        scores: the path of the file that `write_copies` wrote.
    """
    look_up = precomputed_scores(scores)

    async def found(state: TaskState, target: Target) -> Score:
        return await look_up(state, target) or Score.unscored(reason="no_chain", explanation=_NO_CHAIN)

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
