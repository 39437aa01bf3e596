"""Reads Inspect logs (`.eval`, `.json`) sample by sample, with the code that our scorers use on a live sample.

A `.eval` log is read a few samples at a time, without their events where they are not needed; a `.json` log is one JSON
document and read whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...metrics.optional_packages import needs
from ..grades import accuracy_of, read_answers
from .entries import (
    UNREADABLE_FILE,
    Entry,
    Item,
    Passed,
    Skipped,
    Unreadable,
    Where,
    should_abstain_in,
    subject_of,
)
from .options import OptionError
from .sources import Source

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.solver import TaskState

    from ..inspect.transcript import Turns

    Key = tuple[str | int, int]  # id, epoch

# What makes logs large and holds no part of a chain.
_NOT_READ = {"events", "store"}
# Samples read at a time: each reading goes through the archive's list of all samples.
_TOGETHER = 64
# Stop reasons that name a length limit, and those that name another end.
_CUT_OFF = {"max_tokens": True, "model_length": True, "stop": False, "tool_calls": False, "content_filter": False}


def items(source: Source) -> Iterator[Item]:
    """Every sample of one log; those that the run did not reach are passed over."""
    header = read_header(source.name)
    from ..inspect.traces import Unscorable

    for row, sample in enumerate(samples(source, header), 1):
        where = Where(source.name, row)
        if isinstance(sample, Item):
            yield sample
            continue
        if not source.wanted.fits({"id": sample.id, "epoch": sample.epoch, "metadata": sample.metadata}):
            yield Passed("left out by --where")
        elif sample.error is not None:
            yield Skipped(where, "the sample ended with an error", f"sample {sample.id}: {sample.error.message}"[:300])
        else:
            try:
                yield entry(where, header, sample, source.settings.turns or "all")  # type: ignore[arg-type]
            except Unscorable as problem:
                yield Skipped(where, f"not scorable ({problem.code})", f"sample {sample.id}: {problem}")
            except Unreadable as problem:
                yield Skipped(where, problem.kind, f"sample {sample.id}: {problem}")
            # A log that another tool wrote or edited: what Inspect's own types refuse costs that sample alone.
            except Exception as error:
                yield Skipped(where, "Inspect refuses the sample", f"sample {sample.id}: {_one_line(error)}")
    source.done = source.size


def read_header(path: str) -> EvalLog:
    """A log without its samples. Raises Unreadable, or OptionError where Inspect is not installed."""
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        who = f"{path}: reading an Inspect log"
        raise OptionError(f"{needs(who, 'inspect-ai', 'inspect')} ({error})") from error
    try:
        return read_eval_log(path, header_only=True)
    # Whatever Inspect's reader and its validation raise, the file is no log that it can read.
    except Exception as error:
        raise unreadable_log(error) from error


def unreadable_log(error: Exception) -> Unreadable:
    return Unreadable(UNREADABLE_FILE, f"Inspect cannot read this log: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    """Inspect's validation writes a paragraph for each field."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def samples(source: Source, header: EvalLog) -> Iterator[EvalSample | Item]:
    """A log's samples in order; `Passed` for one that the run did not reach, `Skipped` for one that is damaged.

    Raises Unreadable where the whole log is.
    """
    from inspect_ai.log import read_eval_log

    ids = header.eval.dataset.sample_ids
    if ids is None or not source.name.endswith(".eval"):
        try:
            log = read_eval_log(source.name, resolve_attachments="core")
        except Exception as error:  # as in `read_header`
            raise unreadable_log(error) from error
        yield from log.samples or []
        return
    keys = [(one, epoch) for one in ids for epoch in range(1, (header.eval.config.epochs or 1) + 1)]
    for start in range(0, len(keys), _TOGETHER):
        for row, sample in enumerate(_read_some(source.name, keys[start : start + _TOGETHER]), start + 1):
            if isinstance(sample, IndexError):
                yield Passed("the run did not reach the sample")
            # One damaged member of the archive, or a sample of another version, costs that sample alone.
            elif isinstance(sample, Exception):
                said = f"{type(sample).__name__}: {sample}"[:300]
                yield Skipped(Where(source.name, row), "Inspect cannot read the sample", said)
            else:
                yield sample
            source.done = source.size * row // len(keys)


def _read_some(path: str, keys: Sequence[Key]) -> Iterator[EvalSample | Exception]:
    """These samples of an `.eval` log, or why one cannot be read; with events where what the model wrote is there."""
    from ..inspect.shuffled import may_be_rewritten

    for key, sample in zip(keys, _together(path, keys, _NOT_READ), strict=True):
        if isinstance(sample, Exception) or not may_be_rewritten(sample.output.completion, bool(sample.choices)):
            yield sample
        else:
            yield from _together(path, [key], _NOT_READ - {"events"})


def _together(path: str, keys: Sequence[Key], left_out: set[str]) -> list[EvalSample | Exception]:
    from inspect_ai.log import read_eval_log_sample, read_eval_log_samples_by_id

    how: Any = {"resolve_attachments": "core", "exclude_fields": left_out}
    try:
        if len(keys) > 1:
            return [*read_eval_log_samples_by_id(path, keys, **how)]
        return [read_eval_log_sample(path, *keys[0], **how)]
    except Exception as error:
        if len(keys) == 1:
            return [error]
    half = len(keys) // 2  # some of them can be read
    return [*_together(path, keys[:half], left_out), *_together(path, keys[half:], left_out)]


def entry(where: Where, header: EvalLog, sample: EvalSample, turns: Turns = "all") -> Entry:
    """The chain of one sample. Raises Unscorable where it holds none, Unreadable for a field that makes no sense."""
    from ..inspect.shuffled import may_be_rewritten
    from ..inspect.traces import Unscorable, read_trace

    state = _state(header, sample)
    if not sample.events and may_be_rewritten(sample.output.completion, bool(sample.choices)) and _shuffles(header):
        raise Unscorable(
            "response_rewritten", "multiple_choice(shuffle=…) replaced what the model wrote, and the log has no events"
        )
    reading = read_trace(state, state.target, turns, lambda: sample.events)
    return Entry(
        Where(where.file, where.row, sample.epoch - 1),
        reading.trace,
        task=header.eval.task,
        model=header.eval.model,
        doc_id=sample.id,
        accuracy=accuracy_of(sample),
        subject=subject_of(sample.metadata or {}),
        source=reading.source,
        notes=tuple(reading.notes),
        truncated=truncated(sample),
        read_answers=read_answers(sample),
        should_abstain=should_abstain_in(sample.metadata),
    )


def question_and_options(header: EvalLog, sample: EvalSample) -> tuple[str, list[str]]:
    """What one sample asks, whether or not it holds a chain; ("", []) where the log does not say."""
    from ..inspect.traces import Unscorable, asked

    try:
        return asked(_state(header, sample))
    except Unscorable:
        return "", []


def _state(header: EvalLog, sample: EvalSample) -> TaskState:
    from inspect_ai.model import ModelName
    from inspect_ai.scorer import Target
    from inspect_ai.solver import TaskState

    from ..inspect.traces import full_name

    return TaskState(
        model=ModelName(full_name(header.eval.model)),
        sample_id=sample.id,
        epoch=sample.epoch,
        input=sample.input,
        target=Target(sample.target),
        choices=sample.choices,
        messages=sample.messages,
        output=sample.output,
        completed=True,
        metadata=sample.metadata,
        sample_uuid=sample.uuid,
    )


def truncated(sample: EvalSample) -> bool | None:
    """Whether a length limit cut the last output off; None where the log does not say."""
    return None if sample.output.empty else _CUT_OFF.get(sample.output.stop_reason)


def _shuffles(header: EvalLog) -> bool:
    steps = [step for step in header.plan.steps if step.solver.rpartition("/")[2] == "multiple_choice"]
    return any((step.params or {}).get("shuffle") for step in steps)
