"""`stepgauge score` in this process, with a likelihood backend that costs nothing, and what it wrote."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from stepgauge.adapters.cli import main
from stepgauge.adapters.offline.packed import Unpacker
from stepgauge.metrics.plugins import registry

PLUGIN = Path(__file__).parents[1] / "plugins" / "stepgauge_cheap"
CHEAP = ("--set", "backend=cheap")


def score(*args: object, cheap: bool = True) -> int:
    """Run the command; returns its exit code."""
    if cheap and "cheap" not in registry().backends:
        spec = importlib.util.spec_from_file_location("stepgauge_cheap", PLUGIN / "stepgauge_cheap.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        registry().backends["cheap"] = module.CheapBackend
    return main(["score", *map(str, args), *(CHEAP if cheap else ())])


def rows(folder: Path, name: str = "scores.jsonl") -> list[dict[str, Any]]:
    """The rows of a file in a scored folder; those of `scores.jsonl` as they are before they are packed."""
    unpacker = Unpacker()
    packed = [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
    return [unpacker.unpack(row) for row in packed]


def killed_copy(run: Path, out: Path, name: str = "scores.jsonl", more: int = 100) -> Path:
    """A folder as this run would have left it, killed when it had written `more` bytes of its second window."""
    out.mkdir()
    windows = (run / "windows.jsonl").read_text().splitlines(keepends=True)
    (out / "run.json").write_bytes((run / "run.json").read_bytes())
    (out / "skipped.jsonl").write_bytes(b"")
    (out / name).write_bytes((run / name).read_bytes()[: json.loads(windows[0])["sizes"][name] + more])
    (out / "windows.jsonl").write_text(windows[0])
    return out


def gain_after_each_step(row: dict[str, Any], nats: float) -> None:
    """Make the gold answer of a row likelier after every step than before the first, by as much."""
    first, *rest = row["score"]["log_likelihoods"]
    row["score"]["log_likelihoods"] = [first, *(first + nats for _ in rest)]


def write_jsonl(path: Path, lines: Iterable[object]) -> Path:
    """Rows as JSON Lines; a line that is text already is written as it is."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def traces(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Traces that differ from each other."""
    return [
        {
            "question": f"What is {i} plus 1?",
            "response": f"We add one.\n{i} + 1 = {i + 1}\nThe answer is {i + 1}.",
            "answer": str(i + 1),
            "id": f"q{i}",
            **fields,
        }
        for i in range(count)
    ]


def assert_alike(found: Any, expected: Any) -> None:
    """Equal, numbers to seven digits."""
    if isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_alike(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    else:
        assert found == expected
