"""Every deletion and corruption of real chains against a plain forward pass of its own."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest
from oracle import naive_log_likelihood, prefix_text
from real_chains import real_chains
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import ChainScore, Gauge, Trace

TOLERANCE = 1e-3


def chains(root, count: int) -> list[Trace]:
    """Three quarters of GSM8K and a quarter of MMLU-Pro with three to five options, the shorter ones first."""
    sums = [trace for trace in real_chains(root) if trace.meta["source"] == "gsm8k" and trace.response.count("\n") > 2]
    with zipfile.ZipFile(root / "mmlupro-outputs" / "model_outputs_mathstral-7B_5shots.zip") as archive:
        rows = json.loads(archive.read(archive.namelist()[0]))
    options = [
        Trace(
            row["question"],
            row["generated_text"],
            row["options"]["ABCDEFGHIJ".index(row["answer"])],
            row["options"],
            row["pred"],
            id=f"mmlu-pro {row['question_id']}",
        )
        for row in sorted(rows, key=lambda row: len(row["generated_text"]) + len(row["question"]))
        if row["pred"]
        and len(set(row["options"])) == len(row["options"]) <= 5
        and row["generated_text"].count(". ") > 2
    ]
    return [*sums[: count - count // 4], *options[: count // 4]]


def check(scores: Sequence[ChainScore], traces: Sequence[Trace], model, tokenizer) -> Counter[str]:
    """How many of each were compared."""
    done: Counter[str] = Counter()
    for trace, found in zip(traces, scores, strict=True):
        own = found.own_answer
        assert own is not None, trace.id
        steps = [step.text for step in found.steps]
        answers = [own] if trace.choices is None else [own, *(one for one in trace.choices if one != own)]

        @cache
        def level(text: str, answer: str) -> tuple[float, int]:
            return naive_log_likelihood(model, tokenizer, text, answer)

        def after(some: Sequence[str], answer: str = own, question: str = trace.question, level=level) -> float:
            return level(prefix_text(question, [*some]) + "\nAnswer: ", answer)[0]

        def confidence(some: Sequence[str], answers=answers, question=trace.question, level=level) -> float:
            parts = [level(prefix_text(question, [*some]) + "\nAnswer: ", one) for one in answers]
            shares = [math.exp(nats / tokens) for nats, tokens in parts]
            return shares[0] / sum(shares) if len(shares) > 1 else shares[0]

        before = sum(not math.isnan(step.deletion_nats_before_answer) for step in found.steps)
        wrong = [step.corrupted if step.corrupted is not None else step.text for step in found.steps]
        expected = [after(steps[:i]) for i in range(len(steps) + 1)]
        assert found.own_log_likelihoods == pytest.approx(expected, abs=TOLERANCE), trace.id
        for k, step in enumerate(found.steps):
            lost = expected[-1] - after([*steps[:k], *steps[k + 1 :]])
            assert step.deletion_nats == pytest.approx(lost, abs=2 * TOLERANCE), (trace.id, k)
            done["deletions"] += 1
            if k < before:
                lost = expected[before] - after([*steps[:k], *steps[k + 1 : before]])
                assert step.deletion_nats_before_answer == pytest.approx(lost, abs=2 * TOLERANCE), (trace.id, k)
                done["deletions before the answer"] += 1
            if step.corrupted is None:
                continue
            assert step.corrupted != step.text
            lost = expected[-1] - after([*steps[:k], step.corrupted, *steps[k + 1 :]])
            assert step.corruption_nats == pytest.approx(lost, abs=2 * TOLERANCE), (trace.id, k)
            in_true = confidence(steps[: k + 1]) - confidence([*steps[:k], step.corrupted])
            in_wrong = confidence([*wrong[:k], step.text]) - confidence(wrong[: k + 1])
            assert step.true_thinking == pytest.approx((abs(in_true) + abs(in_wrong)) / 2, abs=TOLERANCE), (trace.id, k)
            done["corruptions"] += 1
        done["multiple choice" if trace.choices else "open"] += 1
    return done


def test_four_real_chains_agree_with_plain_passes_of_a_small_model(tiny_scorer, shared_data):
    traces = chains(shared_data, 4)
    scores = Gauge(tiny_scorer, device="cpu", reliance=True, progress=False).score(traces)
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer, dtype="float32").eval()
    done = check(scores, traces, model, AutoTokenizer.from_pretrained(tiny_scorer))
    assert (done["open"], done["multiple choice"]) == (3, 1)
    assert min(done[name] for name in ("deletions", "corruptions", "deletions before the answer")) >= 6


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_forty_real_chains_agree_with_plain_passes(smollm2, smollm2_with, shared_data):
    traces = chains(shared_data, 40)
    scores = smollm2_with(reliance=True, progress=False).score(traces)
    tokenizer = AutoTokenizer.from_pretrained(smollm2.backend.describe()["source"])
    done = check(scores, traces, smollm2.backend.engine.model, tokenizer)
    assert (done["open"], done["multiple choice"]) == (30, 10)
    assert done["deletions"] > 120
    assert done["corruptions"] > 100
