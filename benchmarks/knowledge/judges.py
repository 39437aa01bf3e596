"""Measures how well judges tell right from wrong on real, human-labelled data.

    python -m benchmarks.knowledge.judges [--limit 50] [--scorer smollm2] [--judge '{"name": "lm", "prompt": "chat"}' …]

Data ($STEPGAUGE_SHARED/data):

- `scifact dev`: a claim, a passage from a paper, and whether the passage entails the claim;
- `medec validation`: the wrong sentence of a clinical note and its correction; the evidence is the rest of the note;
- `mrben medicine`: the first wrong step of a chain and the steps before it. Claims are found by the extractors
  `sentence` and `arithmetic`, evidence by `bm25` in all of MedQuAD (5 passages);
- `prmbench counterfactual`: steps of mathematical solutions, some falsified. Claims are found by `arithmetic`. There is
  no evidence, so judges that need evidence give no verdict.

Every judge runs through the panel, as in a gauge, and a step is as good as its worst claim: its score is the lowest
probability of its claims, and it counts as right or wrong if the default policy calls it consistent or inconsistent (a
claim that the retrieved evidence does not support is inconsistent). Steps without a score are left out of the AUROC,
and counted; `coverage` is the share of steps called right or wrong, and balanced accuracy is computed over these.

The baselines are chance (a seeded random number per claim), lexical overlap (the share of the claim's words that occur
in the passages; right from 0.5 on) and, for chains, position (later is worse: a first wrong step comes after all the
steps it is compared with). `nli` is the stand-in of `fit_nli`, trained on first use. Nothing is tuned on these sets;
`fit_nli` says what it is trained on. Intervals are 95 % bootstrap intervals over passages, notes and chains.

Judges with a model see a fixed random part of a large set; the other judges are also shown on that part. `no score`
counts steps without a score, `failed` claims that the judge should have decided but did not.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.knowledge import fit_nli
from benchmarks.support.discrimination import RESAMPLES, auroc, balanced_accuracy, interval
from benchmarks.support.labelled import (
    Reader,
    medec_validation,
    mrben_medicine,
    prmbench_counterfactual,
    scifact_dev,
    shared_data,
)
from stepgauge.metrics import Gauge
from stepgauge.metrics.errors import ScorerError
from stepgauge.metrics.judge_check.check import judged
from stepgauge.metrics.judge_check.items import Labelled, drawn, whole_steps
from stepgauge.metrics.knowledge.base import ClaimExtractor, Judge, Retriever, Surroundings
from stepgauge.metrics.knowledge.claims.sentence import SENTENCE
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.models.cache import cache_dir
from stepgauge.metrics.names import lookup
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.retrieval import build_corpus
from stepgauge.metrics.retrieval.readers import Fields

SEED = 0
WORD = re.compile(r"[^\W_]+")
LM_JUDGES = ({"name": "lm", "prompt": "plain"}, {"name": "lm", "prompt": "chat"})


@dataclass(frozen=True)
class DataSet:
    """A labelled set.

    Attributes:
        claims: the extractors that find its claims; None: each step is a claim.
        retriever: where its evidence comes from.
        part: how many of its passages, notes or chains judges with a model see; None: all.
        chains: whether its steps form chains.
    """

    name: str
    read: Reader
    claims: tuple[str, ...] | None = None
    retriever: str = "given"
    part: int | None = None
    chains: bool = False


DATA_SETS = (
    DataSet("scifact dev", scifact_dev),
    DataSet("medec validation", medec_validation, part=80),
    DataSet("mrben medicine", mrben_medicine, ("sentence", "arithmetic"), "bm25", part=40, chains=True),
    DataSet("prmbench counterfactual", prmbench_counterfactual, ("arithmetic",), chains=True),
)


_WARM = Claim("Insulin lowers blood glucose.", 0, 0, 29, SENTENCE, "insulin")


class Chance:
    """Baseline: a random number for each claim."""

    name = "chance"
    kinds: frozenset[str] | None = None
    needs_evidence = False

    def __init__(self) -> None:
        self._draw = random.Random(SEED)

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:  # noqa: ARG002
        return [_verdict(claim, self.name, self._draw.random()) for claim in claims]


class Overlap:
    """Baseline: the share of the claim's words that occur in its passages."""

    name = "lexical overlap"
    kinds: frozenset[str] | None = None
    needs_evidence = True

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        out: list[Verdict | None] = []
        for claim, passages in zip(claims, evidence, strict=True):
            claimed = set(WORD.findall(claim.text.lower()))
            found = {word for p in passages for word in WORD.findall(f"{p.title} {p.text}".lower())}
            # No passage supports a claim without words.
            out.append(_verdict(claim, self.name, len(claimed & found) / max(len(claimed), 1), passages))
        return out


class Position:
    """Baseline: the later in the chain, the less likely to be right; needs no reading."""

    name = "position"
    kinds: frozenset[str] | None = None
    needs_evidence = False

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:  # noqa: ARG002
        return [_verdict(claim, self.name, 1 / (1 + claim.step)) for claim in claims]


def _verdict(claim: Claim, judge: str, probability: float, evidence: Sequence[Passage] = ()) -> Verdict:
    # The policy counts verdicts on claims with a query only if they have passages, so baselines list what they saw.
    shown = tuple(evidence) or (Passage("", ""),)
    label = "supported" if probability >= 0.5 else "contradicted"
    return Verdict(claim, label, judge, probability=probability, evidence=shown)


def row(
    where: str,
    items: Sequence[Labelled],
    judge: Judge,
    extractors: Sequence[ClaimExtractor],
    retriever: Retriever,
    resamples: int,
) -> list[str]:
    """The table cells for one judge on one set of items."""
    found = judged(judge, items, extractors, retriever)
    scored, decided = found.scored(), found.decided()
    low, high = interval(scored.right.tolist(), scored.scores.tolist(), scored.documents, resamples)
    value = auroc(scored.right, scored.scores)
    accuracy = balanced_accuracy([label for label, *_ in decided], [said for _, said, _ in decided])
    right = found.right
    return [
        where,
        judge.name,
        f"{right.count(True)} / {right.count(False)}",
        _number(value, ".3f"),
        "–" if math.isnan(low) else f"{low:.3f}–{high:.3f}",
        f"{len(decided) / len(right):.2f}",
        _number(accuracy, ".3f"),
        str(found.claims),
        *(_number(s / found.claims if found.claims else math.nan, ".2g") for s in (found.seconds, found.cpu)),
        str(len(right) - len(scored.right)),
        str(sum(said.failed for said in found.said)),
    ]


def _number(value: float, form: str) -> str:
    return "–" if math.isnan(value) else format(value, form)


COLUMNS = (
    "data",
    "judge",
    "right / wrong",
    "AUROC",
    "95 %",
    "coverage",
    "bal. acc.",
    "claims",
    "s/claim",
    "CPU s/claim",
    "no score",
    "failed",
)


def rows(
    data: Path,
    cheap: Sequence[Judge],
    costly: Sequence[Judge],
    names: Sequence[str],
    limit: int | None = None,
    resamples: int = RESAMPLES,
) -> list[list[str]]:
    """The cells of the whole table. A set of which costly judges see only a part is shown twice."""
    out = []
    for chosen in (one for one in DATA_SETS if one.name in names):
        items = drawn(chosen.read(data), limit)
        around = Surroundings(_no_scorer, corpus=str(medquad(data)) if chosen.retriever == "bm25" else None)
        retriever = registry().retrievers[chosen.retriever](around)
        extractors = [whole_steps(items)]
        if chosen.claims is not None:
            extractors = [registry().extractors[name](around) for name in chosen.claims]
        baselines = [Chance(), Overlap(), *([Position()] if chosen.chains else [])]
        part = drawn(items, chosen.part)
        whole = [*baselines, *cheap]
        if len(part) == len(items):
            shown = [(chosen.name, items, [*whole, *costly])]
        else:
            where = f"{chosen.name}, {len({item.group for item in part})} drawn"
            shown = [(chosen.name, items, whole), (where, part, [*whole, *costly])]
        for where, some, judges in shown:
            for judge in judges:
                out.append(row(where, some, judge, extractors, retriever, resamples))
                print(" | ".join(out[-1]), file=sys.stderr, flush=True)
    return out


def medquad(data: Path) -> Path:
    """The folder of a corpus of all MedQuAD documents, indexed once in the cache folder."""
    out = cache_dir() / "corpora" / "medquad"
    out.parent.mkdir(parents=True, exist_ok=True)
    fields = Fields(id=":row", title="question", text="answer")
    build_corpus(data / "medquad" / "medquad.jsonl.gz", out, fields=fields)
    return out


def _no_scorer() -> object:
    raise ScorerError("the retriever asked for a scoring LM")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="passages, notes or chains per data set (default: all)")
    parser.add_argument("--data", action="append", choices=[one.name for one in DATA_SETS], help="default: all")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help=f"of the bootstrap (default {RESAMPLES})")
    parser.add_argument("--scorer", default="smollm2", help="the LM of the judge `lm`")
    parser.add_argument(
        "--judge",
        action="append",
        type=json.loads,
        help="JSON: a judge's name and options, beside `exact` in place of `nli` and `lm`; may be given repeatedly",
    )
    args = parser.parse_args(argv)
    try:
        data = shared_data()
        given = args.judge
        if given is None:
            given = [{"name": "nli", "model": str(fit_nli.checkpoint(data))}, *LM_JUDGES]
        gauge = Gauge(args.scorer, progress=False)
        around = Surroundings(lambda: gauge.backend, scorer=args.scorer)
        made = [
            (options["name"], lookup("judge", registry().judges, options["name"])(around, **_options(options)))
            for options in [{"name": "exact"}, *given]
        ]
        cheap = [judge for name, judge in made if name == "exact"]
        costly = [judge for name, judge in made if name != "exact"]
        for judge in costly:
            judge.judge([_WARM], [[Passage("", _WARM.text)]])  # warm-up: loads the model
        started = time.perf_counter()
        names = args.data or [one.name for one in DATA_SETS]
        cells = rows(data, cheap, costly, names, args.limit, args.resamples)
    except (FileNotFoundError, ValueError, ScorerError) as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{datetime.now(UTC):%Y-%m-%d}  {platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}; `lm`: {args.scorer}; {time.perf_counter() - started:.0f} s"
    )
    table = Table(*COLUMNS, box=box.MARKDOWN)
    for one in cells:
        table.add_row(*one)
    Console(width=170).print(table)
    return 0


def _options(given: dict) -> dict:
    return {name: value for name, value in given.items() if name != "name"}


if __name__ == "__main__":
    sys.exit(main())
