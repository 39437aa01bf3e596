"""What only an accelerator can show: `pytest -m gpu` on a machine that has one."""

from __future__ import annotations

import pytest
import torch
from oracle import naive_chain
from tiny_scorers import make_scorer
from transformers import AutoModelForCausalLM

from stepgauge.metrics import Gauge, Trace

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("bfloat16", 0.5)])
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3_text", "gpt2"])
def test_trie_on_cuda_gives_the_naive_numbers(tmp_path, tokenizers, arithmetic, architecture, dtype, tolerance):
    assert torch.cuda.is_available(), "pytest -m gpu needs a CUDA device"
    folder = make_scorer(tmp_path, architecture, tokenizers["qwen"])
    traces = [Trace(row["question"], row["solution"], row["answer"]) for row in arithmetic[:10]]
    scores = Gauge(str(folder), device="cuda", dtype=dtype).score(traces)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to("cuda").eval()
    for trace, score in zip(traces, scores, strict=True):
        steps = [step.text for step in score.steps]
        expected, _ = naive_chain(model, tokenizers["qwen"], trace.question, steps, trace.answer)
        assert score.log_likelihoods == pytest.approx(expected, abs=tolerance)
