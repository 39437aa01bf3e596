"""Two processes train one model: the main one asks and scores, and both stop."""

from __future__ import annotations

import sys

import pytest
from commands import shell
from repo import REPO

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from pathlib import Path
from scripted_likelihoods import scripted_gauge
from stepgauge.adapters.trainer import StepgaugeCallback
from tiny_scorers import make_tokenizer
from tiny_training import ScriptedModel, logged, tiny_model, tiny_trainer

tokenizer = make_tokenizer("qwen", ["some text about clips and eggs"] * 20)
tokenizer.pad_token = tokenizer.eos_token
rows = [{"question": f"What do {i} and {i + 1} clips cost?", "answer": str(500 + i)} for i in range(24)]
gold = {row["question"]: row["answer"] for row in rows}
WORKED = "First we count.\\nThen we look up the prices.\\nNow we put them together.\\nThe answer is 12."


def says(prompt, before):
    return f"The answer is {gold[prompt]}." if before else WORKED


gauge = scripted_gauge(lambda steps, _: (-9.0 + len([one for one in steps if "answer" not in one]), 2))
model = tiny_model(tokenizer, ScriptedModel).script(tokenizer, says)
texts = ["some text about clips", "and eggs in a box", "more text", "and more of it"] * 4
trainer = tiny_trainer(
    model, tokenizer, texts, sys.argv[1], [StepgaugeCallback(rows, gauge, stop=True)], max_steps=8, ddp_backend="gloo"
)
trainer.train()
told = f"{trainer.state.global_step} {len(model.asked)} {logged(trainer, 'stepgauge/accuracy')}"
Path(f"told by {trainer.args.process_index}").write_text(told)  # the two share one standard output
"""


def test_both_stop_at_a_trap_that_the_main_one_saw(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "script.py",
        "out",
    ]
    shell(tmp_path, command, PYTHONPATH=str(REPO / "tests" / "support"), OMP_NUM_THREADS="1")
    told = [(tmp_path / f"told by {process}").read_text() for process in (0, 1)]
    assert told == ["2 48 {0: 0.0, 2: 1.0}", "2 0 {0: 0.0, 2: 1.0}"]
