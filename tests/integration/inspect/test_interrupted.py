"""Ctrl-C in `inspect eval` while a server that scores hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

pytest.importorskip("inspect_ai")

from inference_servers import SERVERS, Fault, Lm
from transformers import AutoTokenizer

TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from stepgauge.adapters.inspect import infogain

def respond(*_):
    output = ModelOutput.from_content("mockllm/model", "1 + 1 = 2\\nThe answer is 2.")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return output

@task
def sums() -> Task:
    return Task(
        dataset=[Sample("What is 1 + 1?", target="2", id=i) for i in range(5)],
        scorer=infogain(scorer=SCORER, backend="vllm", base_url=BASE_URL),
        model=get_model("mockllm/model", custom_outputs=respond),
    )
"""


@pytest.mark.slow
def test_ctrl_c_in_an_eval_ends_it_although_the_scorers_server_hangs(tiny_scorer, tmp_path):
    lm = Lm(None, AutoTokenizer.from_pretrained(tiny_scorer))
    held = threading.Event()

    def hang(*_: object) -> Fault:
        held.set()
        return Fault(delay=600)

    with SERVERS["vllm"](lm, tiny_scorer, fault=hang) as server:
        told = TASK.replace("SCORER", repr(tiny_scorer)).replace("BASE_URL", repr(server.base_url))
        (tmp_path / "sums.py").write_text(told)
        process = subprocess.Popen(
            [sys.executable, "-m", "inspect_ai", "eval", "sums.py", "--display", "plain"],
            cwd=tmp_path,
            env={**os.environ, "INSPECT_LOG_DIR": str(tmp_path / "logs")},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if not held.wait(60):
                process.kill()
                pytest.fail(f"the server was not asked: {process.communicate()[0]}")
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=60)  # nearly all of it is Python's own end
        finally:
            process.kill()
    assert "Task interrupted" in said
    assert len(list((tmp_path / "logs").iterdir())) == 1
