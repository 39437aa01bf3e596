"""List every option of scoring: its values, default and meaning, where it is given, and what it needs."""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...metrics import Gauge
from ...metrics.controls.texts import CONTROLS
from ...metrics.gauge import VARIANTS
from ...metrics.knowledge.policy import POLICIES
from ...metrics.plugins import Registry, registry
from ...metrics.presets import PRESETS
from ...metrics.printable import printable
from ...metrics.reliance.own import TARGETS
from ...metrics.segment import CHOSEN
from ...metrics.templates import TEMPLATES
from ..formats.options import OF_FORMATS, TURNS
from .terminal import listing, text_width_of, wrapped

EXAMPLES = (
    ("stepgauge options", "every option, with the names that installed plugins add"),
    ("stepgauge score out --out scores --set splitter=sentences --controls filler", "two of them in use"),
)
PAGE = "docs/options.md"

YAML, INSPECT, SET, PYTHON = "YAML", "-S", "--set", "Gauge(…)"
NOT_IN_INSPECT = ("abstention",)  # its scorers do not take it
_ABOUT = (
    "Every option of scoring. Where it is given: under `stepgauge:` in a task's YAML or behind `--stepgauge` of "
    "`stepgauge lm-eval run` (YAML), as `-S name=value` of Inspect or an argument of its scorers (-S), as `--set "
    "name=value` of `stepgauge score` (--set), and in Python as an argument of `Gauge(…)`. Lists are written with "
    "commas or as JSON."
)
_GENERATED = "<!-- Written by: STEPGAUGE_LOAD_PLUGINS= stepgauge options --markdown > docs/options.md -->"

# Whose values are names that plugins may add to.
_NAMES: dict[str, Callable[[Registry], Sequence[str]]] = {
    "backend": lambda known: [*known.backends],
    "splitter": lambda known: [*known.splitters, *(name for name in CHOSEN if name not in known.splitters)],
    "template": lambda _: [*TEMPLATES],
    "variant": lambda _: VARIANTS,
    "controls": lambda _: [*CONTROLS],
    "target": lambda _: [*TARGETS],
    "claims": lambda known: [*known.extractors],
    "judges": lambda known: [*known.judges],
    "retriever": lambda known: [*known.retrievers],
    "policy": lambda _: [*POLICIES],
    "preset": lambda _: [*PRESETS, "null"],
}
_LISTS = ("controls", "claims", "judges")
_VALUES = {
    "scorer": "hub id, folder, .gguf file, smollm2, self, null",
    "device": "auto, balanced, torch devices",
    "dtype": "auto, float32, bfloat16, float16",
    "token_budget": "auto, whole number",
    "quantization": "bnb-8bit, bnb-4bit, torchao-int8, null",
    "base_url": "address, null",
    "server": "mapping, null",
    "endpoint": "mapping, null",
    "abstention": "rule, an openai judge's options",
    "corpus": "folder, null",
    "regrow": "number of steps, all",
    "epsilon": "number of nats",
    "revision": "text, null",
}
_KINDS = {"bool": "true, false", "bool | None": "true, false, null"}
# What an option costs or needs beyond the defaults: "" where it is nothing to speak of.
_NEEDS = {
    "scorer": "the LM's weights in memory, a few forward passes a chain; null: none",
    "device": "of several: a process and the weights on each",
    "token_budget": "memory that grows with it",
    "quantization": "bitsandbytes or torchao",
    "backend": "vllm, sglang: a server that runs the scorer (extra openai)",
    "template": "chat: a scorer with a chat template",
    "variant": "reference: the likelihood of question and steps, too",
    "controls": "two or three more sequences a chain for each",
    "regrow": "two generations a step; a model under test at hand (lm-eval, Inspect)",
    "reliance": "about three times the tokens for a few steps, more for many",
    "splitter": "llm: an LM's answer a response (extra generation, or openai for a server)",
    "preset": "paper: an endpoint, a dense corpus; an answer a response, a step and a claim (extras openai, retrieval)",
    "claims": "llm: an LM's answer a step (extra generation, or openai for a server)",
    "judges": "nli, prm: a classifier; lm: the scorer's passes; openai: a server's answer a claim (extra openai)",
    "retriever": "a corpus (extra retrieval), unless given",
    "corpus": "a folder that stepgauge corpus build made",
    "abstention": "a judge: a server's answer a response (extra openai)",
}
_OF_LM_EVAL = "a field of the document, or a Jinja template over it, that gives the {}"
# Options that are the doors' own: (values, default, meaning, doors).
_OWN: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "metrics": (
        "names, all",
        "the five of every table",
        "which numbers the tables show; `stepgauge metrics` lists them. Files hold all of them.",
        (YAML, INSPECT, SET),
    ),
    "turns": (
        ", ".join(TURNS),
        "all",
        "which assistant turns of a conversation are the chain: all (of chats the default is last), or those after the "
        "last message of the user.",
        (INSPECT, SET),
    ),
    "question": ("text", "as the task", _OF_LM_EVAL.format("question"), (YAML, SET)),
    "gold": ("text", "as the task", _OF_LM_EVAL.format("gold answer"), (YAML, SET)),
    "choices": ("text", "as the task", _OF_LM_EVAL.format("answer options"), (YAML, SET)),
    "passages": ("text", "none", _OF_LM_EVAL.format("passages that come with the question"), (YAML, SET)),
    "base": ("a task's name", "none", "the lm-eval task that fills what a YAML leaves open.", (YAML, SET)),
}


@dataclass(frozen=True)
class _Option:
    name: str
    values: str
    default: str
    meaning: str
    doors: tuple[str, ...]
    needs: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--markdown", action="store_true", help=f"print the page {PAGE}")


def run(args: argparse.Namespace) -> int:
    told = ((heading, map(_told, options)) for heading, options in _sections())
    print("\n".join(_page() if args.markdown else listing(_ABOUT, told, text_width_of())))
    return 0


def _sections() -> Iterator[tuple[str, list[_Option]]]:
    """The headings, each with its options: those of `Gauge`, as its signature and docstring have them, and others."""
    known, meanings = registry(), _meanings()
    of_gauge = [
        _Option(
            name,
            _values(name, str(parameter.annotation), known),
            _default(parameter.default),
            meanings[name],
            _doors(name),
            _NEEDS.get(name, ""),
        )
        for name, parameter in inspect.signature(Gauge).parameters.items()
    ]
    yield "Of the gauge", of_gauge
    assert {"metrics", *OF_FORMATS} == set(_OWN)
    yield "Of reading and showing", [_Option(name, *told, "") for name, told in _OWN.items()]


def _meanings() -> dict[str, str]:
    """`{option: meaning}` from the section Args of `Gauge`'s docstring; several names may share an entry."""
    text = inspect.getdoc(Gauge) or ""
    entries = re.split(r"\n    (?=\w)", text.partition("\nArgs:")[2].partition("\n\n")[0])
    found: dict[str, str] = {}
    for entry in entries[1:]:
        names, _, meaning = entry.partition(":")
        for name in names.split(","):
            found[name.strip()] = " ".join(meaning.split())
    return found


def _values(name: str, annotation: str, known: Registry) -> str:
    if name in _NAMES:
        names = ", ".join(printable(one) for one in _NAMES[name](known))
        return f"list of: {names}" if name in _LISTS else names
    return _VALUES.get(name) or _KINDS.get(annotation, annotation)


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _doors(name: str) -> tuple[str, ...]:
    if name == "progress":
        return (PYTHON,)
    doors = (YAML, *(() if name in NOT_IN_INSPECT else (INSPECT,)), SET, PYTHON)
    return tuple(door for door in doors if (name, door) != ("regrow", SET))  # finished runs have no model to go on


def _told(one: _Option) -> tuple[str, ...]:
    """An option's entry in the list for a terminal."""
    return (
        f"{one.name}  default: {one.default}",
        one.meaning,
        f"Values: {one.values}",
        f"Given in: {', '.join(one.doors)}",
        one.needs and f"Needs: {one.needs}",
    )


def _page() -> Iterator[str]:
    yield "# The options"
    yield f"\n{_GENERATED}\n"
    yield from wrapped(f"{_ABOUT} `stepgauge options` lists the names of installed plugins, too.", 120, "")
    yield ""
    yield from wrapped(
        "How scoring runs and what it costs: [engine.md](engine.md); claims, judges and corpora: "
        "[claims.md](claims.md), [judges.md](judges.md), [corpora.md](corpora.md); where else lm-eval's may stand: "
        "[lm-eval.md](lm-eval.md).",
        120,
        "",
    )
    for heading, options in _sections():
        yield f"\n## {heading}\n"
        yield "| option | values | default | what it does | given in | costs and needs |"
        yield "|---|---|---|---|---|---|"
        for one in options:
            doors = ", ".join(f"`{door}`" if door.startswith(("-", "G")) else door for door in one.doors)
            cells = (f"`{one.name}`", one.values, f"`{one.default}`", _linked(one.meaning), doors, one.needs or "–")
            yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _linked(meaning: str) -> str:
    return re.sub(r"docs/([\w-]+\.md)", r"[\1](\1)", meaning)
