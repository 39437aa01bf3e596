"""docs/api.md: every name on it is there, and the docs name nothing else."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
from repo import REPO

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from stepgauge.adapters.cli.commands import build_parser
from stepgauge.adapters.lm_eval import include_path
from stepgauge.metrics import hookspecs
from stepgauge.tasks.inspect_tasks import registry

PAGE = (REPO / "docs" / "api.md").read_text(encoding="utf-8")
PAGES = sorted([REPO / "README.md", *(REPO / "docs").rglob("*.md"), *(REPO / "tasks").rglob("*.md")])
ROW = re.compile(r"^\| `(stepgauge[\w.]+)` \| (.+) \|$", re.M)
NAMES = {module: re.findall(r"`(\w+)`", cell) for module, cell in ROW.findall(PAGE)}
# Their `__all__` is the list of public names; other modules have names for the rest of the code, too.
WHOLE = (
    "stepgauge.metrics",
    "stepgauge.metrics.comparison",
    "stepgauge.metrics.engine",
    "stepgauge.metrics.knowledge",
    "stepgauge.metrics.retrieval",
    "stepgauge.adapters.lm_eval",
    "stepgauge.adapters.inspect",
    "stepgauge.adapters.runs",
    "stepgauge.adapters.trainer",
    "stepgauge.adapters.report",
)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_page_lists_modules():
    assert len(NAMES) == 20
    assert set(WHOLE) < set(NAMES)


@pytest.mark.parametrize("module", NAMES)
def test_every_name_on_the_page_can_be_imported(module):
    there = importlib.import_module(module)
    assert not [name for name in NAMES[module] if not hasattr(there, name)]


@pytest.mark.parametrize("module", WHOLE)
def test_a_public_package_lists_the_same_names(module):
    assert sorted(NAMES[module]) == sorted(importlib.import_module(module).__all__)


def test_hooks_on_the_page_are_those_there_are():
    hooks = [name for name, thing in vars(hookspecs).items() if inspect.isfunction(thing)]
    assert re.findall(r"`(register_\w+)`", section("Plugins")) == hooks


def test_commands_on_the_page_are_those_there_are():
    commands = next(action.choices for action in build_parser()._actions if action.dest == "command")
    listed = section("Command lines").partition("and the options")[0]
    assert re.findall(r"`([\w-]+)`", listed) == ["stepgauge", *(commands or ())]


def test_names_in_the_frameworks_are_those_there_are():
    listed = section("In lm-eval and Inspect")
    assert sorted(re.findall(r"`stepgauge/(\w+)`", listed)) == sorted(registry.__all__)
    shipped = [
        name
        for path in Path(include_path()).rglob("*.yaml")
        for name in re.findall(r"^(?:task|group): (\w*stepgauge\w*)$", path.read_text(encoding="utf-8"), re.M)
    ]
    assert shipped
    parts_of_the_demo = {"stepgauge_demo_arithmetic", "stepgauge_demo_medical"}
    assert set(re.findall(r"`(\w*stepgauge_\w+|\w+_stepgauge)`", listed)) == set(shipped) - parts_of_the_demo


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPO)))
def test_docs_name_public_places_only(path):
    text = path.read_text(encoding="utf-8")
    public = {*NAMES, *(f"{module}.{name}" for module, names in NAMES.items() for name in names)}
    named = set(re.findall(r"stepgauge\.(?:metrics|adapters|tasks)(?:\.[A-Za-z]\w*)*", text))
    for module, names in re.findall(r"from (stepgauge[\w.]+) import ([\w, ]+)", text):
        named |= {f"{module}.{name.strip()}" for name in names.split(",")}
    assert named <= public
