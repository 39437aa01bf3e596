"""Reads lm-eval's `samples_*.jsonl`: one row per document and filter, so each chain appears once per filter.

A chain is read under one filter, by default the first that the file has, and that filter's metrics are its accuracy;
rows of other filters are counted and passed over. Rows of our own pipeline `reasoning` are scores, not chains.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...metrics import Trace
from ...metrics.errors import Missing
from ...metrics.optional_packages import needs
from ..grades import number
from .entries import (
    Entry,
    Item,
    Passed,
    Skipped,
    Unreadable,
    Where,
    identifier,
    should_abstain_in,
    subject_of,
)
from .graded import Graded, answer_in
from .options import OptionError
from .sources import Source

log = logging.getLogger(__name__)

REASONING = "reasoning"  # the pipeline's name in adapters/lm_eval/task.py, which imports lm-eval
_NAME = re.compile(r"samples_(?P<task>.+?)(?:_(?P<date>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?))?\.jsonl(?:\.gz)?")
# What stands in a row beside the numbers of its metrics, in versions of lm-eval that do not list those.
_NOT_METRICS = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}


def recognises(row: Mapping[str, Any]) -> bool:
    return {"doc", "resps"} <= set(row)


class Document(NamedTuple):
    """What one row asks, with the model's responses, one per repeat."""

    responses: list[Any]
    question: str
    answers: list[str] | None
    choices: list[str] | None
    passages: list[Any] | None
    no_gold: str | None
    notes: tuple[str, ...]


class Identity(NamedTuple):
    """Which run a samples file is of: its task, when it was written ("" if its name has no date), and the model."""

    task: str
    date: str
    model: str | None


def identity(path: Path) -> Identity:
    """Which run a samples file is of, by its name and the results file beside it."""
    results = _results(path)
    task, _ = _task(path, results)
    named = _NAME.fullmatch(path.name)
    return Identity(task, (named and named["date"]) or "", _model(results))


class SamplesReader:
    """Reads the rows of one samples file, with its task's configuration from the results file beside it."""

    def __init__(self, source: Source) -> None:
        try:
            from .lm_eval_task import DocumentReader
        except ImportError as error:
            who = f"{source.name}: reading lm-eval's samples"
            raise OptionError(f"{needs(who, 'lm-eval', 'lm-eval')} ({error})") from error
        self._source = source
        results = _results(source.path)
        self._task, self._config = _task(source.path, results)
        self._model = _model(results)
        self._documents = DocumentReader(self._task, self._config, source.settings)
        self._chosen = source.lm_eval_filter
        self._filters: dict[str, None] = {}
        self._seen: Counter[bytes] = Counter()

    def __call__(self, where: Where, row: Mapping[str, Any]) -> list[Item]:
        if not recognises(row):
            raise Unreadable("not a sample of lm-eval", f"the row has {', '.join(map(str, row))[:200]}")
        name = self.filter_of(row)
        self._filters[name] = None
        if name == REASONING:
            return [Passed(f"scores of the pipeline {REASONING!r}")]
        if self._chosen is None:
            self._chosen = name
        if name != self._chosen:
            return [Passed("the same chain under another filter")]
        chains, question, answers, choices, passages, no_gold, notes = self.document(row)
        if not chains:
            raise Unreadable("the model wrote no chain", _no_chain(self._output_type))
        graded, shared = self.graded(row, name, chains)
        doc_id = row.get("doc_id")
        name_of_doc = f"{self._task}/{doc_id}"
        out: list[Item] = []
        for repeat, response in enumerate(chains):
            at = Where(where.file, where.row, repeat)
            if not isinstance(response, str):
                reason = f"the response is no text, got {response!r:.80}"
                out.append(Skipped(at, "the response is no text", reason))
                continue
            try:
                trace = Trace(
                    question,
                    response,
                    answers,
                    choices,
                    id=name_of_doc + (f"#{repeat}" if len(chains) > 1 else ""),
                    meta={"task": self._task} | ({} if passages is None else {"passages": passages}),
                )
            except (TypeError, ValueError) as error:
                raise Unreadable("not a question with an answer", str(error)) from error
            out.append(
                Entry(
                    at,
                    trace,
                    task=self._task,
                    model=self._model,
                    doc_id=identifier(doc_id),
                    accuracy=graded[repeat].metrics,
                    subject=subject_in(row),
                    notes=notes,
                    no_gold=no_gold,
                    accuracy_shared=shared,
                    read_answers=dict.fromkeys(graded[repeat].metrics, graded[repeat].answer or ""),
                    should_abstain=should_abstain_of(row),
                )
            )
        return out

    def document(self, row: Mapping[str, Any]) -> Document:
        """What a row asks, whatever filter it is of, and what was written, if anything. Raises Unreadable."""
        chains, prompt = self._chains(row)
        return Document(chains, *self._documents.read(_doc(row), prompt, row.get("target")))

    def responses(self, row: Mapping[str, Any]) -> list[Any]:
        """What the model wrote, one per repeat; none where it only weighed options. Raises Unreadable."""
        return self._chains(row)[0]

    def graded(self, row: Mapping[str, Any], name: str, chains: Sequence[Any]) -> tuple[list[Graded], str | None]:
        """The metrics of each response to a document under one filter, and the answers that they saw.

        The row has one number for all of its repeats. So those of each are computed again, as the run computes them.

        Returns:
            One `Graded` for each response (one for a row without responses); and the reason why all of them have the
            row's numbers, or None.
        """
        filtered = row.get("filtered_resps")
        given = metrics_of(row)
        if len(chains) < 2:
            return [Graded(given, answer_in(filtered) if chains else None)], None
        try:
            if not all(isinstance(response, str) for response in chains):
                raise Missing("a response is no text")
            return self._documents.metrics.each(name, _doc(row), chains, given), None
        except Missing as problem:
            why = f"the run has one number for all responses to a question: {problem.reason}"
            return [Graded(given, None)] * len(chains), why

    @property
    def _output_type(self) -> str:
        return (self._config or {}).get("output_type", "generate_until")

    def finish(self) -> list[Item]:
        """What shows at the end of the file: that the filter asked for is not there."""
        asked = self._source.lm_eval_filter
        if asked is None or asked in self._filters or not self._filters:
            return []
        reason = f"no row of filter {asked!r}; the file has {', '.join(self._filters)}"
        return [Skipped(Where(self._source.name, 0), "no row of the filter asked for", reason)]

    def filter_of(self, row: Mapping[str, Any]) -> str:
        """The row's filter. Versions before 0.4.6 write none, but every document once for each filter.

        Not in one order: of a run on several devices each writes its own documents, all filters of them.
        """
        if isinstance(row.get("filter"), str):
            return row["filter"]
        document = json.dumps([row.get("doc_id"), row["doc"]], sort_keys=True, default=str)
        key = hashlib.blake2b(document.encode(errors="surrogatepass"), digest_size=16).digest()
        self._seen[key] += 1
        return f"filter {self._seen[key]}"

    def _chains(self, row: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        """The responses of all requests that generate, one per repeat, and the first request's prompt."""
        from .lm_eval_task import prompt_text

        generates = self._output_type == "generate_until"
        if not isinstance(row["resps"], list):
            raise Unreadable("field 'resps' is no list", f"got {row['resps']!r:.80}")
        requests = _requests(row.get("arguments"))
        # Data parallelism pads a rank by answering its last request again: only `repeats` responses count.
        repeats = (self._config or {}).get("repeats")
        repeats = repeats if isinstance(repeats, int) and repeats > 0 else None
        chains: list[Any] = []
        prompt = None
        for index, responses in enumerate(row["resps"]):
            arguments = requests[index] if index < len(requests) else []
            prompt = prompt_text(arguments[0]) if arguments and prompt is None else prompt
            if not generates or (len(arguments) > 1 and not isinstance(arguments[1], Mapping)):
                continue  # a log-likelihood: its second argument is the continuation
            chains += responses[:repeats] if isinstance(responses, list) else [responses]
        return chains, prompt


def _no_chain(output_type: str) -> str:
    generates = output_type == "generate_until"
    return "no request of the row generates text" if generates else f"output type {output_type!r}"


def _requests(arguments: Any) -> list[list[Any]]:
    """Each request's arguments in order: `{"gen_args_0": {"arg_0": …}}`, or the lists of older versions."""
    of_all = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    if not isinstance(of_all, list):
        return []
    return [list(one.values()) if isinstance(one, Mapping) else one if isinstance(one, list) else [] for one in of_all]


def _doc(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row["doc"] if isinstance(row["doc"], Mapping) else {"doc": row["doc"]}


def should_abstain_of(row: Mapping[str, Any]) -> bool | None:
    """Whether the row's document says that it should be left unanswered. Raises Unreadable."""
    document = row.get("doc")
    return should_abstain_in(document, document.get("metadata") if isinstance(document, Mapping) else None)


def subject_in(row: Mapping[str, Any]) -> str | None:
    """The subject that a row's document names."""
    return subject_of(_doc(row))


def metrics_of(row: Mapping[str, Any]) -> dict[str, float]:
    """A row's own metrics by name, those that are numbers."""
    names = row.get("metrics")
    names = names if isinstance(names, list) else [name for name in row if name not in _NOT_METRICS]
    found = {str(name): number(row.get(name)) for name in names if isinstance(name, str)}
    return {name: value for name, value in found.items() if value is not None}


def results_beside(path: Path) -> list[Path]:
    """What may be the run's results file: those in the same folder, with the same date where the name has one."""
    named = _NAME.fullmatch(path.name)
    date = named["date"] if named else None
    return sorted(path.parent.glob(f"*_{date}.json" if date else "results*.json"))


def _results(path: Path) -> dict[str, Any]:
    """The run's results; {} where there are none."""
    for candidate in results_beside(path):
        try:
            results = json.loads(candidate.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s: not a results file (%s)", candidate, error)
            continue
        if isinstance(results, dict) and "configs" in results:
            return results
    log.warning("%s: no results file (results_*.json) beside it, which would say how documents are read", path)
    return {}


def _task(path: Path, results: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """The task's name, and its configuration where the results have it."""
    named = _NAME.fullmatch(path.name)
    configs = results.get("configs")
    configs = configs if isinstance(configs, dict) else {}
    task = named["task"] if named else path.stem
    config = configs.get(task)
    if not named and len(configs) == 1:
        (task, config), *_ = configs.items()
    return task, config if isinstance(config, dict) else None


def _model(results: Mapping[str, Any]) -> str | None:
    name = results.get("model_name")
    if isinstance(name, str) and name:
        return name
    config = results.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    return model if isinstance(model, str) else None
