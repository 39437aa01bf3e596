"""Do gains measure reasoning? Tests on labelled chains, with the plain and the fitted scorer, with 95 % intervals.

    python -m benchmarks.validity [--size reduced|medium|long|full] [--rows 1 2 …] [--device cpu] [--out DIR]

1. planted faults: finding the faulty step with a supervisor that was trained on such chains
2. GSM8K: right against wrong chains, with and without the answer in them; real steps against controls
3. MR-Ben: the first wrong step against the steps before it
4. PRMBench: redundant and circular steps against the others
5. position and length: how gain depends on them, and what remains of rows 3 and 4 without them

`reduced` takes at most 20 minutes on a CPU, fits included; `full` is for an accelerator. Scores are kept in `--out`, so
a stopped run resumes. Needs STEPGAUGE_SHARED.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..support.labelled import shared_data
from ..support.run_header import about_run, header
from . import planted as validity_planted
from .chains import checked_answers
from .figures import Figure, table
from .fit import FITS, SCORER, fitted
from .rows import rows
from .scores import draw, score

_LABELS = {"2": ["gsm8k"], "3": ["mrben math", "mrben medicine"], "4": ["prmbench redundency", "prmbench circular"]}


@dataclass(frozen=True)
class Size:
    """Number of questions tested per set, with all their chains, and of planted chains."""

    questions: dict[str, int]
    planted: int


_MANY = {"gsm8k": 60, "mrben math": 30, "mrben medicine": 25, "prmbench redundency": 90, "prmbench circular": 90}
SIZES = {
    "reduced": Size(
        {"gsm8k": 8, "mrben math": 6, "mrben medicine": 6, "prmbench redundency": 6, "prmbench circular": 6}, 200
    ),
    "medium": Size(_MANY, 400),  # as many chains as `long`, a smaller fit
    "long": Size(_MANY, 400),
    "full": Size(
        {name: 1_000 for names in _LABELS.values() for name in names},
        4_000,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="reduced")
    every = ["1", *_LABELS]
    parser.add_argument("--rows", nargs="+", choices=every, default=every, help="row 5 comes with 2 to 4")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("build/validity"), help="keeps scores, to go on from")
    given = parser.parse_args(arguments)
    try:
        data = shared_data("gsm8k", "mrben", "prmbench", "math500")
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    progress = sys.stderr.isatty()
    started = time.monotonic()
    print("$ python -m benchmarks.validity " + " ".join(sys.argv[1:] if arguments is None else arguments))
    print(header(about_run(given.device)))
    figures: list[Figure] = []
    if "1" in given.rows:
        figures += validity_planted.figures(SIZES[given.size].planted, given.device, progress=progress)
    names = [name for row, own in _LABELS.items() if row in given.rows for name in own]
    if names:
        wanted = {name: SIZES[given.size].questions[name] for name in names}
        chains = draw(data, wanted)
        folder = given.out / given.size
        fitted_scorer = fitted(data, given.size, device=given.device, progress=progress)
        as_it_comes = score(SCORER, chains, folder / "plain", given.device, progress=progress)
        after = score(str(fitted_scorer), chains, folder / fitted_scorer.name, given.device, progress=progress)
        figures += rows(as_it_comes, after)
        print("chains tested: " + ", ".join(f"{name} {len(own)}" for name, own in chains.items()))
        for name in names:
            if name.startswith("prmbench"):
                parsed, looked_up, agreeing, _ = checked_answers(data, name.partition(" ")[2])
                print(f"{name}: {parsed} answers parsed, {looked_up} of them in MATH-500, where {agreeing} agree")
        print(f"fitted on {FITS[given.size].chains}; card in {fitted_scorer}")
    figures.sort(key=lambda one: one.row)
    print()
    print(table(figures))
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{given.size}.json").write_text(json.dumps([asdict(one) for one in figures], indent=1), "utf-8")
    print(f"\n{(time.monotonic() - started) / 60:.1f} minutes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
