"""Which module imports which, read from the source: imports inside functions and for type checkers count, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Import(NamedTuple):
    """`importer`, at `line` of its file, imports `imported`; both are dotted names without `stepgauge.`."""

    importer: str
    line: int
    imported: str


def modules(root: Path, folders: Sequence[str]) -> dict[str, Path]:
    """Files by dotted name; a package by its own name."""
    return {_name(path.relative_to(root)): path for folder in folders for path in sorted((root / folder).rglob("*.py"))}


def imports(files: Mapping[str, Path]) -> list[Import]:
    """Every import of one of `files` by another."""
    found = []
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for line, target in _targets(ast.parse(path.read_text(encoding="utf-8")), package):
            while target and target not in files:  # `from .rooms import name`: the name may be a module or an attribute
                target = target.rpartition(".")[0]
            if target and target != name:
                found.append(Import(name, line, target))
    return found


def circles(edges: Sequence[Import]) -> list[list[Import]]:
    """A shortest circle of imports through each import that lies on one, each circle once."""
    out: dict[frozenset[str], list[Import]] = {}
    by_importer: dict[str, list[Import]] = {}
    for edge in edges:
        by_importer.setdefault(edge.importer, []).append(edge)
    for edge in edges:
        paths, seen = [[edge]], {edge.imported}
        while paths:
            path = paths.pop(0)
            if path[-1].imported == edge.importer:
                out.setdefault(frozenset(step.importer for step in path), path)
                break
            for further in by_importer.get(path[-1].imported, []):
                if further.imported not in seen:
                    seen.add(further.imported)
                    paths.append([*path, further])
    return list(out.values())


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _targets(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("stepgauge."):
                    yield node.lineno, alias.name.removeprefix("stepgauge.")
        elif isinstance(node, ast.ImportFrom):
            home = package.split(".")
            if node.level:
                above = home[: len(home) - node.level + 1]
            elif (node.module or "").split(".")[0] == "stepgauge":
                above = []
            else:
                continue
            module = (node.module or "").removeprefix("stepgauge").lstrip(".") if not node.level else node.module or ""
            base = ".".join([*above, *([module] if module else [])])
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}" if base else alias.name
