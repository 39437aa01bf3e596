"""What a user may set for `stepgauge score`: the options of `Gauge`, and how rows are read."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...metrics import Gauge
from ...metrics.addresses import without_login
from ...metrics.errors import StepgaugeError
from ...metrics.names import unknown_name
from ...metrics.reliance.regrowing import NEEDS_A_MODEL

TEMPLATES = ("question", "gold", "choices", "passages")
LM_EVAL_ONLY = (*TEMPLATES, "base")
# Which assistant turns are the chain; of the formats that hold several.
TURNS = ("all", "last")
OF_FORMATS = {**dict.fromkeys(LM_EVAL_ONLY, ("lm-eval",)), "turns": ("chat", "inspect")}
_LISTS = ("controls", "claims", "judges", "metrics")
# Of the flag --scorer, as of `scorer` everywhere else.
NO_SCORER = "null"
_MISSING = object()


class OptionError(StepgaugeError, ValueError):
    """An option or an input that the user can mend; one line."""


@dataclass(frozen=True)
class Settings:
    """The options given with `--set`, names checked.

    Attributes:
        gauge: arguments for `Gauge`, as given.
        metrics: names of the metrics in the summary; None: the default columns.
        templates: templates over lm-eval's documents, by option name (see `adapters/lm_eval/options.py`).
        base: the registered lm-eval task that the run's task was made from.
        turns: `all` assistant turns are the chain, or the `last` ones; None: as the format has it.
    """

    gauge: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] | None = None
    templates: Mapping[str, str] = field(default_factory=dict)
    base: str | None = None
    turns: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The options as given, for `run.json`."""
        metrics = {"metrics": list(self.metrics)} if self.metrics else {}
        named = {"base": self.base, "turns": self.turns}
        return {**self.gauge, **metrics, **self.templates, **{name: value for name, value in named.items() if value}}


def read_settings(pairs: Sequence[str], **shortcuts: Any) -> Settings:
    """Options from `name=value` texts; a value is JSON where it parses, else text.

    Args:
        shortcuts: options with flags of their own; None: not given.

    Raises:
        OptionError: no "=", an unknown name, or a value of the wrong type.
    """
    known = [*(name for name in inspect.signature(Gauge).parameters if name != "progress"), "metrics", *OF_FORMATS]
    given: dict[str, Any] = {name: value for name, value in shortcuts.items() if value is not None}
    if given.get("scorer") == NO_SCORER:
        given["scorer"] = None
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals:
            raise OptionError(f"--set {without_login(pair)!r}: expected NAME=VALUE")
        if name == "regrow":
            raise OptionError(f"--set {without_login(pair)!r}: unknown option of finished runs; {NEEDS_A_MODEL}")
        if name not in known:
            raise OptionError(f"--set {without_login(pair)!r}: {unknown_name('option', name, known)}")
        given[name] = _value(name, value)
    metrics = given.pop("metrics", None)
    turns = given.pop("turns", None)
    if turns is not None and turns not in TURNS:
        raise OptionError(f"--set turns: {unknown_name('value', str(turns), TURNS)}")
    own = {name: given.pop(name) for name in LM_EVAL_ONLY if name in given}
    for name, value in own.items():
        if not isinstance(value, str):
            raise OptionError(f"--set {name}: expected text, got {value!r:.80}")
    base = own.pop("base", None)
    return Settings(given, tuple(metrics) if metrics else None, own, base, turns)


def _value(name: str, text: str) -> Any:
    if name in LM_EVAL_ONLY:  # a template like "{{answer}}" or "3" is text, whatever JSON would make of it
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if name in _LISTS and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if name in _LISTS and isinstance(value, Mapping) else value


@dataclass
class Wanted:
    """`--where`: which raw rows are read. Values of the same field are alternatives, different fields must all fit.

    Attributes:
        fields: {dotted path: values}.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _example: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, pairs: Sequence[str]) -> Wanted:
        """Raises OptionError where a text is not FIELD=VALUE."""
        fields: dict[str, list[str]] = {}
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise OptionError(f"--where {pair!r}: expected FIELD=VALUE")
            fields.setdefault(name, []).append(value)
        return cls(fields)

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is wanted; a field that it lacks never fits."""
        if not self.fields:
            return True
        self._example = self._example or [str(name) for name in row]
        found = {name: _at(row, name) for name in self.fields}
        self._seen.update(name for name, value in found.items() if value is not _MISSING)
        return all(_written(found[name]) in values for name, values in self.fields.items())

    def check(self) -> None:
        """After the last row: raise OptionError for a field that no row had."""
        for name in self.fields:
            if self._example and name not in self._seen:
                raise OptionError(f"--where: no row has it: {unknown_name('field', name, self._example)}")


def _at(row: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(row, Mapping) or part not in row:
            return _MISSING
        row = row[part]
    return row


def _written(value: Any) -> str | None:
    """A field's value as one would type it."""
    if value is _MISSING:
        return None
    return value if isinstance(value, str) else json.dumps(value)
