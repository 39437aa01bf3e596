"""`load_runs`: turns what the user typed into the runs to compare or report."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...metrics.comparison.numbers import plural
from ...metrics.comparison.record import Run
from ..formats.entries import Unreadable
from ..formats.options import OptionError
from .chain_runs import read_chains
from .files import files_of
from .inspect_runs import read_logs
from .lm_eval_runs import read_samples
from .model_names import choose_model, names_of, several_models
from .run_parts import Found, Keep, Part
from .run_spec import ACCEPTED, SYNTAX, Spec, parse_spec
from .stepgauge_runs import read_scored


def load_runs(specs: Sequence[str], *, where: Sequence[str] = ()) -> list[Run]:
    """Read runs. Where anything at a path is scored, what is not scored there is left out, with a note.

    Args:
        specs: `[NAME=]PATH[::MODEL]` each; PATH is a folder or file that `stepgauge score` wrote, lm-eval's output,
            Inspect logs, or chains of any other kind that `stepgauge score` reads.
        where: `FIELD=VALUE` conditions on task, subject, doc_id and model that select chains. Values of the same field
            are alternatives; conditions on different fields must all hold.

    Returns:
        A run per spec, in order; for a single spec a run per model in it. Names are unique.

    Raises:
        OptionError: a path holds no run, a model is missing or ambiguous, or a row cannot be read.
    """
    if not specs:
        raise OptionError(f"no run given; expected {SYNTAX}, where PATH is {ACCEPTED}")
    found: list[tuple[Spec, str, list[Part], list[str]]] = []
    for spec in [parse_spec(text) for text in specs]:
        with nothing_collected():
            by_model, notes = _models(spec, where)
        models = list(by_model)
        if spec.model is not None:
            models = [choose_model(models, spec.model, spec.path)]
        if len(models) > 1 and (len(specs) > 1 or spec.name is not None):
            raise several_models(spec, models)
        found += [(spec, model, by_model[model], notes) for model in models]
    names = names_of([(spec, model) for spec, model, *_ in found])
    return [
        _run(name, spec, model, parts, notes) for name, (spec, model, parts, notes) in zip(names, found, strict=True)
    ]


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Without the garbage collector: it would visit all chains read so far again and again, and they all stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _models(spec: Spec, where: Sequence[str]) -> tuple[dict[str, list[Part]], list[str]]:
    """The parts of each model at a path, and notes about the path as a whole."""
    keep = Keep(where, spec.folder)
    found = _read(spec, keep)
    if not found.parts and not found.unscored and found.damaged:
        file, problem = next(iter(found.damaged.items()))
        raise OptionError(f"{file}: {problem}")
    by_model: dict[str, list[Part]] = {}
    for part in found.parts or found.unscored:
        if part.records:
            by_model.setdefault(part.model, []).append(part)
    if not by_model:
        why = dict.fromkeys(note for part in (*found.parts, *found.unscored) for note in part.notes)
        empty = "; ".join(["no chain in it", *why])
        raise OptionError(f"{spec.path}: {keep.nothing_fits() if where else empty}")
    notes = []
    if found.parts and found.unscored:
        files = list(dict.fromkeys(part.file for part in found.unscored))
        names = ", ".join(path.name for path in files[:3]) + (", …" if len(files) > 3 else "")
        notes.append(f"{spec.path}: {plural(len(files), 'file')} without scores left out: {names}")
    notes += [f"{file}: left out: {problem}" for file, problem in found.damaged.items()]
    return by_model, notes


def _read(spec: Spec, keep: Keep) -> Found:
    found = Found()
    files = files_of(spec.path, found)
    for path, kind in files.items():
        if kind not in ("scores", "chains"):
            continue
        try:
            found.add(read_scored(path, keep) if kind == "scores" else read_chains(path, keep))
        except Unreadable as problem:
            found.leave_out(path, problem)
    found.add(read_samples([path for path, kind in files.items() if kind == "lm-eval"], keep))
    found.add(read_logs([path for path, kind in files.items() if kind == "inspect"], keep))
    return found


def _run(name: str, spec: Spec, model: str, parts: Sequence[Part], notes: Sequence[str]) -> Run:
    _refuse_copies(spec, model, parts)
    records = [record for part in parts for record in part.records]
    of_parts = dict.fromkeys(note for part in parts for note in part.notes)
    return Run(name, records, source=str(spec.path), notes=[*of_parts, *notes])


def _refuse_copies(spec: Spec, model: str, parts: Sequence[Part]) -> None:
    """Refuse two files at one path with the same questions: they are two runs of a model and must not count as one."""
    files: dict[tuple[str, str | None, str], Path] = {}
    for part in parts:
        for record in part.records:
            first = files.setdefault((record.task, record.doc_id, record.question_hash), part.file)
            if first != part.file:
                raise OptionError(
                    f"{spec.path}: {first} and {part.file} both hold chains of model {model!r} for the same questions"
                    f" (task {record.task!r}); give each by its own path, as in NAME={first} NAME={part.file}"
                )
