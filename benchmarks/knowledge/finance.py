"""Shows what the exact judge says of derivations over financial tables, with the right result and with a wrong one.

    python -m benchmarks.knowledge.finance [--list]

Data ($STEPGAUGE_SHARED/data/tatqa): TAT-QA's 718 arithmetic questions over tables of annual reports (Zhu et al. 2021,
arXiv 2105.07624). Each derivation becomes a step, "The result is (680-774)/774 = -12.14%.", with the scale that the
data set gives ("%", "thousand", "million", "billion") behind the answer. A right result that is called contradicted is
a false alarm; what an annotator got wrong counts as one, too.

Every derivation is shown with a wrong result as well, whose kind is drawn by a generator with a fixed seed from those
that change this answer by more than rounding may:

- digit: one of its first two digits that are not leading zeros, one up or down;
- swapped: two neighbouring digits among its first three, exchanged;
- sign: the other sign;
- share: the share in the place of the percentage (12.14% becomes 0.12%), or the reverse;
- tenfold: the decimal point one place to the right.

`--list` prints what is not decided as it should be.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from rich import box
from rich.table import Table

from benchmarks.support.tatqa import Measured, run
from stepgauge.metrics.knowledge.arithmetic.extractor import ARITHMETIC
from stepgauge.metrics.knowledge.arithmetic.judge import ExactJudge
from stepgauge.metrics.knowledge.types import Claim
from stepgauge.metrics.trace import Step, Trace

SEED = 0
LABELS = ("supported", "contradicted", "insufficient", "no claim")
KINDS = ("digit", "swapped", "sign", "share", "tenfold")
# A result is wrong only where it differs by more than this: nobody rounds so far.
_BEYOND_ROUNDING = Decimal("0.02")


@dataclass(frozen=True)
class Derivation:
    """One arithmetic question of TAT-QA.

    Attributes:
        answer: as the data set gives it: in percent where `scale` is "percent".
    """

    id: str
    question: str
    derivation: str
    answer: Decimal
    scale: str

    def step(self, answer: Decimal) -> str:
        unit = {"": "", "percent": "%"}.get(self.scale, f" {self.scale}")
        return f"The result is {self.derivation} = {answer:,f}{unit}."


def derivations(file: Path) -> Iterator[Derivation]:
    with gzip.open(file, "rt", encoding="utf-8") as text:
        documents = json.load(text)
    for document in documents:
        for one in document["questions"]:
            if one["answer_type"] == "arithmetic":
                answer = Decimal(str(one["answer"]))
                yield Derivation(one["uid"], one["question"], one["derivation"].strip(), answer, one["scale"])


def wrong_results(one: Derivation) -> dict[str, Decimal]:
    """The wrong results of each kind, that are wrong beyond rounding."""
    digits = f"{abs(one.answer):f}"
    places = [i for i, c in enumerate(digits) if c.isdigit() and (c != "0" or re.search("[1-9]", digits[:i]))]
    sign = -1 if one.answer < 0 else 1
    chance = random.Random(f"{SEED} {one.id}")
    found: dict[str, Decimal] = {"sign": -one.answer, "tenfold": one.answer.scaleb(1)}
    if places:
        i = chance.choice(places[:2])
        up = chance.choice((1, -1))
        changed = int(digits[i]) + (up if 0 <= int(digits[i]) + up <= 9 else -up)
        found["digit"] = sign * Decimal(f"{digits[:i]}{changed}{digits[i + 1 :]}")
    for i, k in pairwise(places[:3]):
        if digits[i] != digits[k]:
            swapped = list(digits)
            swapped[i], swapped[k] = swapped[k], swapped[i]
            found["swapped"] = sign * Decimal("".join(swapped))
    if one.scale == "percent":
        found["share"] = one.answer.scaleb(-2).quantize(Decimal("0.01"))
    return {
        kind: value for kind, value in found.items() if abs(value - one.answer) > _BEYOND_ROUNDING * abs(one.answer)
    }


def judged(one: Derivation, answer: Decimal) -> tuple[str, str]:
    """What the judge says of a derivation with this result, and why; of several claims the worst."""
    text = one.step(answer)
    found = ARITHMETIC.extract([Trace(one.question, text)], [[Step(text, 0, len(text))]])[0]
    claims = [claim for claim in found if isinstance(claim, Claim)]
    verdicts = ExactJudge().judge(claims, [()] * len(claims))
    for label in ("contradicted", "insufficient", "supported"):
        for verdict in verdicts:
            if verdict is not None and verdict.label == label:
                return label, verdict.reason
    return "no claim", ""


def measure(file: Path) -> Measured:
    chance = random.Random(SEED)
    counts: dict[str, Counter[str]] = {}
    missed: list[str] = []
    for one in derivations(file):
        wrong = wrong_results(one)
        kind = chance.choice([kind for kind in KINDS if kind in wrong]) if wrong else ""
        for name, answer in (("right", one.answer), *([(f"wrong: {kind}", wrong[kind])] if kind else [])):
            label, reason = judged(one, answer)
            for row in {name, name.partition(":")[0]}:
                counts.setdefault(row, Counter())[label] += 1
            if label != ("supported" if name == "right" else "contradicted"):
                missed.append(f"{name}\t{label}\t{one.step(answer)}\t{reason}")
    table = Table("result", "steps", *LABELS, box=box.MARKDOWN)
    for row in ("right", "wrong", *(f"wrong: {kind}" for kind in KINDS)):
        of_row = counts.get(row, Counter())
        total = of_row.total()
        table.add_row(
            row, f"{total:,}", *(f"{of_row[label]:,} ({of_row[label] / max(total, 1):.1%})" for label in LABELS)
        )
    return Measured(table, "", missed)


if __name__ == "__main__":
    sys.exit(run(__doc__, None, measure))
