"""Data sets on disk under the names they have on the hub, so that lm-eval's shipped tasks load unchanged offline.

`datasets.load_dataset("openai/gsm8k", "main")` prefers a folder of that path below the working directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def add_dataset(root: Path, path: str, splits: Mapping[str, Rows], config: str | None = None) -> None:
    """Write one configuration of the data set `path` (None: its only one) below `root`."""
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    configs = json.loads((folder / "configs.txt").read_text()) if (folder / "configs.txt").exists() else {}
    files = {}
    for split, rows in splits.items():
        file = folder / f"{config or 'default'}-{split}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        files[split] = file.name
    configs[config or "default"] = files
    (folder / "configs.txt").write_text(json.dumps(configs))
    card = ["---", "configs:"]
    for name, data_files in configs.items():
        card += [f"- config_name: {name}", "  data_files:"]
        card += [f"  - {{split: {split}, path: {file}}}" for split, file in data_files.items()]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
