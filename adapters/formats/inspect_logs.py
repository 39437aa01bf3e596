"""Reads Inspect logs (`.eval`, `.json`) sample by sample, with the code that our scorers use on a live sample.

A `.eval` log is read one sample at a time, without its events where they are not needed; a `.json` log is one JSON
document and read whole.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

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

# What makes logs large and holds no part of a chain.
_NOT_READ = {"events", "store"}
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
    from inspect_ai.log import read_eval_log, read_eval_log_sample

    from ..inspect.shuffled import may_be_rewritten

    ids = header.eval.dataset.sample_ids
    if ids is None or not source.name.endswith(".eval"):
        try:
            log = read_eval_log(source.name, resolve_attachments="core")
        except Exception as error:  # as in `read_header`
            raise unreadable_log(error) from error
        yield from log.samples or []
        return
    read = functools.partial(read_eval_log_sample, source.name, resolve_attachments="core")
    epochs = range(1, (header.eval.config.epochs or 1) + 1)
    for index, sample_id in enumerate(ids):
        for epoch in epochs:
            try:
                sample = read(id=sample_id, epoch=epoch, exclude_fields=_NOT_READ)
                if may_be_rewritten(sample.output.completion, bool(sample.choices)):
                    sample = read(id=sample_id, epoch=epoch, exclude_fields=_NOT_READ - {"events"})
                yield sample
            except IndexError:
                yield Passed("the run did not reach the sample")
            # One damaged member of the archive, or a sample of another version, costs that sample alone.
            except Exception as error:
                where = Where(source.name, index * len(epochs) + epoch)
                yield Skipped(where, "Inspect cannot read the sample", f"{type(error).__name__}: {error}"[:300])
        source.done = source.size * (index + 1) // len(ids)


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
