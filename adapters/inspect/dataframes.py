"""Reads our scores out of Inspect logs into a pandas frame with one row per step.

Inspect's own frames (`inspect_ai.analysis`) stop at the sample; the columns `log`, `eval_id`, `sample_id`, `id` and
`epoch` are named as there, so that the two can be merged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import url2pathname

from fsspec.core import url_to_fs
from inspect_ai.log import EvalLog, EvalLogInfo, EvalSample, list_eval_logs, read_eval_log, read_eval_log_samples

from ...metrics import StepScore
from ...metrics.score import RELIANCE_NUMBERS
from ..scored import of_sample

if TYPE_CHECKING:
    import pandas

Log: TypeAlias = "EvalLog | EvalLogInfo | str | os.PathLike[str]"

_BIG = {"messages", "events", "store", "attachments"}
_WHICH = ("log", "eval_id", "sample_id", "task", "model", "id", "epoch", "scorer")
_NUMBERS = ("log_likelihood", "gain", "ppl_gain", "gold_probability", "entropy_bits")
_OF_STEP = (*_NUMBERS, "n_tokens", "labels", "judges", *RELIANCE_NUMBERS)
COLUMNS = (*_WHICH, "step", "text", "kind", "states_answer", *_OF_STEP)
_SHOWN = ("text", "kind", "states_answer", *_NUMBERS, "n_tokens", *RELIANCE_NUMBERS)


def steps_df(logs: Log | Sequence[Log]) -> pandas.DataFrame:
    """One row per step of every chain that one of our scorers has scored.

    Args:
        logs: an `EvalLog`, a log file, a folder of them, or a list of these; files and folders may be wherever Inspect
            reads logs from (`s3://…`, `memory://…`).

    Returns:
        A frame with the columns `COLUMNS`. `step` counts from 0; `log_likelihood`, `gain` (nats), `ppl_gain`,
        `gold_probability` and `entropy_bits` are nan where missing; `labels` and `judges` hold one entry per claim of
        the step, None for a label that the judge did not give. What belongs to `reliance` is nan without it. Samples
        without a score of ours have no rows.

    Raises:
        ModuleNotFoundError: pandas is not installed.
        FileNotFoundError: no such file or folder, or no logs in the folder.
        ValueError: a score that claims to be ours and cannot be read; names log, sample and scorer.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("steps_df needs the package pandas: pip install pandas", name="pandas") from error
    given = [logs] if isinstance(logs, EvalLog | EvalLogInfo | str | os.PathLike) else list(logs)
    frame = pandas.DataFrame([row for one in given for row in _rows(one)], columns=list(COLUMNS))
    numbers = dict.fromkeys((*_NUMBERS, *RELIANCE_NUMBERS), "float64")
    return frame.astype({**numbers, "n_tokens": "Int64", "step": "int64", "epoch": "int64", "states_answer": "bool"})


def _rows(given: Log) -> Iterator[dict[str, Any]]:
    for header, samples in _read(given):
        for sample in samples:
            about = (_native(header.location), header.eval.eval_id, sample.uuid, header.eval.task, header.eval.model)
            for name, chain in of_sample(header, sample):
                which = dict(zip(_WHICH, (*about, str(sample.id), sample.epoch, name), strict=True))
                for index, step in enumerate(chain.steps):
                    yield {**which, "step": index, **_numbers(step)}


def _read(given: Log) -> Iterator[tuple[EvalLog, Iterable[EvalSample]]]:
    """Each log's header with its samples, read one by one where the log is a file."""
    if isinstance(given, EvalLog):
        yield given, given.samples or ()
        return
    path = given.name if isinstance(given, EvalLogInfo) else os.fspath(given)
    files = [path]
    if _is_folder(path):
        files = [info.name for info in list_eval_logs(path, descending=False)]
        if not files:
            raise FileNotFoundError(f"{path}: expected a log file or a folder of Inspect logs, found no log in it")
    for file in files:
        header = read_eval_log(file, header_only=True)
        yield header, read_eval_log_samples(file, all_samples_required=False, exclude_fields=_BIG)


def _is_folder(path: str) -> bool:
    system, place = url_to_fs(path)
    if system.isdir(place):
        return True
    if not system.exists(place):
        raise FileNotFoundError(f"{path}: no such log file or folder")
    return False


def _native(location: str) -> str:
    """As Inspect's frames name a log: an absolute path where it is a local file."""
    if location.startswith("file:"):
        return url2pathname(urlsplit(location).path)
    return location if "://" in location or not location else str(Path(location).absolute())


def _numbers(step: StepScore) -> dict[str, Any]:
    shown = {name: getattr(step, name) for name in _SHOWN}
    verdicts = step.verdicts
    return {**shown, "labels": [one.label for one in verdicts], "judges": [one.judge for one in verdicts]}
