"""The rule of imports: a room imports only rooms that stand below it, and no modules import each other in a circle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from imports import Import, circles, imports, modules
from repo import REPO

FOLDERS = ("metrics", "adapters", "tasks")

# From the ground up. A room is a package, or a file beside the packages; its first line says what it is for.
# fmt: off
ROOMS = [
    "metrics.errors", "metrics.addresses", "metrics.names", "metrics.numbers", "metrics.versions",
    "metrics.format_version", "metrics.strict_json", "metrics.optional_packages", "metrics.abilities",
    "metrics.printable", "metrics.model_names",
    "metrics.probability", "metrics.step_limit", "metrics.trace", "metrics.answers", "metrics.segment",
    "metrics.likelihood", "metrics.checked_backend", "metrics.templates", "metrics.tokenization", "metrics.models",
    "metrics.contamination",
    "metrics.engine", "metrics.actors", "metrics.servers", "metrics.served", "metrics.knowledge",
    "metrics.lm_steps",
    "metrics.retrieval", "metrics.chain", "metrics.writing", "metrics.chain_requests", "metrics.score",
    "metrics.infogain", "metrics.ki", "metrics.own_option", "metrics.abstention", "metrics.controls",
    "metrics.reliance", "metrics.judge_measures", "metrics.columns", "metrics.hookspecs", "metrics.builtin",
    "metrics.plugins", "metrics.presets",
    "metrics.provenance", "metrics.pipeline", "metrics.gauge", "metrics", "metrics.fitting", "metrics.text_table",
    "metrics.render", "metrics.conclusion", "metrics.comparison", "metrics.repeats", "metrics.calibration",
    "metrics.judge_check", "metrics.labelling",
    "tasks", "adapters", "adapters.scored", "adapters.grades", "adapters.gold", "adapters.callers",
    "adapters.lm_eval", "adapters.inspect", "adapters.formats", "adapters.labelled",
    "adapters.offline", "adapters.runs", "adapters.trainer",
    "adapters.report", "adapters.cli", "adapters.root",
    "tasks.jsonl",
    "tasks.medical_questions", "tasks.financial_questions", "tasks.hub_files", "tasks.stated_answers",
    "tasks.lm_eval_medical", "tasks.lm_eval_finance", "tasks.legal_questions", "tasks.lm_eval_legal",
    "tasks.inspect_tasks",
]
# fmt: on


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def upward(edges: list[Import]) -> list[str]:
    """Imports of a room that does not stand below the importer's, as lines for people."""
    level = {name: i for i, name in enumerate(ROOMS)}
    return [
        f"{importer} line {line} imports {imported}, which stands above it"
        for importer, line, imported in edges
        if level[room(imported)] > level[room(importer)]
    ]


@pytest.fixture(scope="module")
def edges() -> list[Import]:
    return imports(modules(REPO, FOLDERS))


def test_every_room_has_its_place_in_the_order():
    assert {room(module) for module in modules(REPO, FOLDERS)} == set(ROOMS)


def test_the_map_shows_the_rooms_in_their_order():
    page = (REPO / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.split("## The rule of imports")[1].split("\n## ")[0]
    cells = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    shown = [name if "/" in name else f"metrics/{name}" for name in re.findall(r"`([\w/]+)(?:\.py)?`", cells)]
    rooms = [name.replace(".", "/") for name in ROOMS if name.startswith(("metrics.", "adapters."))]
    assert [name for name in shown if name != "metrics/tasks"] == rooms


def test_a_room_imports_only_rooms_below_it(edges):
    assert len(edges) > 500, "the imports were not found: the test shows nothing"
    assert upward(edges) == []


def test_no_modules_import_each_other_in_a_circle(edges):
    assert [[f"{step.importer}:{step.line} -> {step.imported}" for step in circle] for circle in circles(edges)] == []


def test_every_package_says_what_it_is_for():
    for name, path in modules(REPO, FOLDERS).items():
        if path.name == "__init__.py":
            first = path.read_text(encoding="utf-8").partition("\n")[0]
            assert first.startswith('"""'), name
            assert len(first) > 30, f"{name}: {first}"


@pytest.mark.parametrize(
    "text",
    [
        "from ..gauge import Gauge",
        "from .. import gauge",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..gauge import Gauge",
        "def late():\n    from ..gauge import Gauge",
        "import stepgauge.metrics.gauge",
        "from stepgauge.metrics import gauge",
    ],
)
def test_an_upward_import_is_found_however_it_is_written(tmp_path, text):
    planted(tmp_path, {"metrics/answers/extraction.py": text, "metrics/gauge.py": ""})
    (line,) = upward(imports(modules(tmp_path, FOLDERS)))
    assert "metrics.answers.extraction" in line
    assert "metrics.gauge" in line


def test_a_circle_is_found_with_all_its_files(tmp_path):
    texts = {"a": "from .b import x", "b": "def late():\n    from . import c", "c": "from .a import y"}
    planted(tmp_path, {f"metrics/answers/{name}.py": text for name, text in texts.items()})
    (circle,) = circles(imports(modules(tmp_path, FOLDERS)))
    assert {step.importer for step in circle} == {f"metrics.answers.{name}" for name in texts}


def planted(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
