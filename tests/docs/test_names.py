"""Files and modules that pages and benchmarks name are there under that name.

Links between pages are checked where the site is built (`make check`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from imports import modules
from repo import REPO

# Not below the root at large: virtual environments and build leftovers hold pages of others.
PAGES = [page for place in ("*.md", "docs/*.md", "benchmarks/**/*.md", "tasks/**/*.md") for page in REPO.glob(place)]
PATH = re.compile(r"(?<![\w/.*{<-])(?:metrics|adapters|tasks|tests|benchmarks|docs)/[\w/.-]*\w/?")
MODULE = re.compile(r"(?<![\w./])(?:benchmarks|stepgauge\.(?:metrics|adapters|tasks))(?:\.[a-zA-Z_]\w*)+")

TEST = re.compile(r"(?<![\w/])(test_\w+)(?=`)")

MODULES = modules(REPO, ("metrics", "adapters", "tasks", "benchmarks"))
COMMANDS = [
    name
    for name, path in MODULES.items()
    if name.startswith("benchmarks.") and '__name__ == "__main__"' in path.read_text(encoding="utf-8")
]


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or is bound at the top of one."""
    name = name.removeprefix("stepgauge.")
    parent, _, last = name.rpartition(".")
    return name in MODULES or (parent in MODULES and last in set(bound(MODULES[parent])))


def bound(path: Path) -> Iterator[str]:
    """The names that a module defines or imports; those that it imports for type checkers only are looked up lazily."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)


def named_in(page: Path, pattern: re.Pattern[str]) -> list[str]:
    return sorted(set(pattern.findall(page.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_file_that_a_page_names_exists(page):
    assert [name for name in named_in(page, PATH) if not (REPO / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_module_that_a_page_names_exists(page):
    assert [name for name in named_in(page, MODULE) if not resolves(name)] == []


def test_every_test_that_a_page_names_exists():
    texts = [path.read_text(encoding="utf-8") for path in (REPO / "tests").rglob("test_*.py")]
    there = {name for text in texts for name in re.findall(r"^ *(?:async )?def (test_\w+)", text, re.MULTILINE)}
    named = {name for page in PAGES for name in named_in(page, TEST)}
    assert len(named) > 60
    assert sorted(named - there) == []


@pytest.mark.slow
def test_every_name_that_a_benchmark_imports_from_the_project_is_there():
    asked = [
        (module, node.module, alias.name)
        for module, path in MODULES.items()
        if module.startswith("benchmarks.")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("stepgauge.", "benchmarks."))
        for alias in node.names
    ]
    assert len(asked) > 100
    assert [one for one in asked if not resolves(".".join(one[1:]))] == []


def test_every_benchmark_command_stands_in_the_page_of_its_room():
    assert len(COMMANDS) > 15
    for name in COMMANDS:
        page = (REPO / Path(*name.split(".")[:2]) / "README.md").read_text(encoding="utf-8")
        assert f"`python -m {name.removesuffix('.__main__')}`" in page
