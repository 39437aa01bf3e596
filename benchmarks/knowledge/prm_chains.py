"""Trains step verifiers on real labelled chains, on the lower layers of SmolLM2, and measures them on other questions.

    python -m benchmarks.knowledge.prm_chains [--layers 8] [--chains 90]

Data ($STEPGAUGE_SHARED/data): `prmbench counterfactual` and `mrben medicine`, as in `benchmarks.knowledge.judges`. The
questions of each are cut in two halves. A verifier is SmolLM2's lowest layers, as they are, and a linear head over what
they make of the line break behind each step, which is a logistic regression on the steps of one half. It is saved as a
token-classification checkpoint, and the judge `prm` reads the other half with it, through the panel as in a gauge.
Nothing is tuned: depth and penalty are set here, before anything was measured.

Beside it: chance, position (later is worse: a first wrong step comes after the steps it is compared with), the length
of a step, and `exact`. Intervals are 95 % bootstrap intervals over questions. Steps without a score count as a half.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.knowledge.judges import Chance, Position
from benchmarks.support.discrimination import auroc, interval
from benchmarks.support.labelled import Labelled, mrben_medicine, prmbench_counterfactual, shared_data
from benchmarks.support.run_header import about_run, header
from stepgauge.metrics.judge_check.check import judged
from stepgauge.metrics.judge_check.items import drawn
from stepgauge.metrics.knowledge.base import ClaimExtractor, Judge, Surroundings
from stepgauge.metrics.knowledge.claims.step import STEPS_AS_CLAIMS
from stepgauge.metrics.knowledge.judges.prm_layout import Laid, Layout, Writer
from stepgauge.metrics.plugins import registry

SETS = {"prmbench counterfactual": prmbench_counterfactual, "mrben medicine": mrben_medicine}
LAYERS = 8  # of SmolLM2's 30
PENALTY = 1e-3  # scikit-learn's C, on states with variance 1: 576 numbers a step, and hundreds of steps
WHO = "benchmark"


def halves(items: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Those to train on and those to measure, by question, so that no question is in both."""
    questions = sorted({item.trace.question for item in items})
    np.random.default_rng(0).shuffle(questions)
    first = set(questions[: len(questions) // 2])
    return [i for i in items if i.trace.question in first], [i for i in items if i.trace.question not in first]


def base(layers: int) -> tuple[Any, Any]:
    """SmolLM2's lowest layers with an empty head, and its tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaForTokenClassification

    from stepgauge.metrics.models.loading import resolve

    folder = resolve("smollm2")
    torch.manual_seed(0)
    model = LlamaForTokenClassification.from_pretrained(
        folder,
        num_hidden_layers=layers,
        num_labels=2,
        id2label={0: "wrong", 1: "right"},
        label2id={"wrong": 0, "right": 1},
        dtype=torch.float32,
    )
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def states(model: Any, tokenizer: Any, items: Sequence[Labelled]) -> np.ndarray:
    """Steps × hidden size, in order: what the layers make of the line break behind each step."""
    import torch

    writer = Writer(WHO, Layout("token-classification", "\n"), tokenizer)
    out = []
    with torch.inference_mode():
        for item in items:  # one by one: no padding
            laid: Laid = writer.lay(item.trace.question, [step.text for step in item.steps])
            hidden = model.model(torch.tensor([laid.ids]), use_cache=False).last_hidden_state[0]
            out.append(hidden[list(laid.places)].numpy())
    return np.concatenate(out).astype(np.float64)


def with_head(model: Any, found: np.ndarray, right: Sequence[bool]) -> Any:
    """The model with a logistic regression in its head; that scales the states is put into its weights."""
    import torch
    from sklearn.linear_model import LogisticRegression

    mean, spread = found.mean(axis=0), found.std(axis=0) + 1e-6
    fitted = LogisticRegression(C=PENALTY, class_weight="balanced", max_iter=1000).fit((found - mean) / spread, right)
    weight = fitted.coef_[0] / spread
    with torch.no_grad():
        model.score.weight.zero_()
        model.score.bias.zero_()
        model.score.weight[1] = torch.tensor(weight, dtype=torch.float32)
        model.score.bias[1] = float(fitted.intercept_[0] - weight @ mean)
    return model


def measured(
    name: str, judge: Judge, items: Sequence[Labelled], extractor: ClaimExtractor, trained: int
) -> tuple[str, np.ndarray]:
    """A row of the table, and the judge's scores."""
    found = judged(judge, items, [extractor], None)
    scores = np.array([0.5 if said.score is None else said.score for said in found.said])
    return _row(name, judge.name, items, found.right, scores, sum(s.score is None for s in found.said), trained), scores


def _row(
    name: str, judge: str, items: Sequence[Labelled], right: Sequence[bool], scores: Any, none: int, trained: int
) -> str:
    groups = [item.trace.question for item in items for _ in item.right]
    low, high = interval(right, scores, groups)
    counts = f"{trained or '–'} | {len(items)} | {sum(right):,} / {len(right) - sum(right):,}"
    return f"| {name} | {judge} | {counts} | {auroc(right, scores):.3f} [{low:.3f}, {high:.3f}] | {none} |"


def rows(name: str, data: Path, layers: int, chains: int | None) -> list[str]:
    items = drawn(SETS[name](data), chains)
    train, test = halves(items)
    model, tokenizer = base(layers)
    found = states(model, tokenizer, train)
    right = [one for item in train for one in item.right]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / f"smollm2-{layers}-layers"
        with_head(model, found, right).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        del model
        around = Surroundings(_no_scorer, progress=False)
        verifier = registry().judges["prm"](around, model=str(folder), device="cpu", batch_size=4)
        equations = registry().extractors["arithmetic"](around)
        exact = registry().judges["exact"](around)
        out = [
            measured(name, judge, test, extractor, trained)[0]
            for judge, extractor, trained in (
                (Chance(), STEPS_AS_CLAIMS, 0),
                (Position(), STEPS_AS_CLAIMS, 0),
                (exact, equations, 0),
                (verifier, STEPS_AS_CLAIMS, len(train)),
            )
        ]
    own = [one for item in test for one in item.right]
    lengths = np.array([-float(len(step.text)) for item in test for step in item.steps])
    out.insert(2, _row(name, "length", test, own, lengths, 0, 0))
    return out


def _no_scorer() -> object:
    raise AssertionError("no judge here needs a scoring LM")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", choices=list(SETS), help="default: both")
    parser.add_argument("--layers", type=int, default=LAYERS, help=f"of SmolLM2, from below (default {LAYERS})")
    parser.add_argument("--chains", type=int, metavar="N", help="of each set, drawn at random (default: all)")
    args = parser.parse_args(argv)
    start = time.process_time()
    try:
        data = shared_data("prmbench", "mrben")
        found = [row for name in args.data or SETS for row in rows(name, data, args.layers, args.chains)]
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{header(about_run())}, {time.process_time() - start:,.0f} CPU seconds\n")
    print("| data | judge | chains trained on | chains | right / wrong steps | AUROC | no score |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
