"""`stepgauge score` with a scorer on a server, killed or interrupted: what is on disk, and how it goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from ctrl_c import pressing_ctrl_c
from inference_servers import SERVERS, Fault, InferenceServer, Lm
from scoring import rows, score, traces, write_jsonl
from sweeps import sweep
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.metrics import Gauge, Trace

PROGRAM = "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"
CHAINS = traces(12)
HUNG = CHAINS[4]["question"]  # in the third window of two


@pytest.fixture(scope="module")
def lm(tiny_scorer):
    model = AutoModelForCausalLM.from_pretrained(tiny_scorer, dtype="float32").eval()
    return Lm(model, AutoTokenizer.from_pretrained(tiny_scorer))


class Hanging:
    """Accepts the requests about a question and answers none until it is `well`; others are answered."""

    def __init__(self, lm: Lm, question: str) -> None:
        self._lm = lm
        self._question = question
        self.holds = threading.Event()
        self.well = False

    def __call__(self, ids: Sequence[int], before: int) -> Fault | None:
        del before
        if self.well or self._question not in self._lm.tokenizer.decode(ids):
            return None
        self.holds.set()
        return Fault(delay=600)


def arguments(source: Path, out: Path, server: InferenceServer) -> list[str]:
    asked = ["--scorer", server.name, "--set", f"backend={server.backend}", "--set", f"base_url={server.base_url}"]
    return [str(source), "--out", str(out), *asked, "--window", "2"]


@contextmanager
def started(*args: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, which does not outlive the block."""
    command = [sys.executable, "-c", PROGRAM, "score", *args]
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def check_interrupted(code: int, error: str, out: Path) -> None:
    assert code == 130
    (line,) = [line for line in error.splitlines() if line and "INFO" not in line]
    assert line.startswith("stepgauge: interrupted: ")
    assert "4 scored" in line
    assert [row["id"] for row in rows(out)] == ["q0", "q1", "q2", "q3"]


def check_goes_on(source: Path, out: Path, server: InferenceServer) -> None:
    """The same command asks about what is not written, and ends with the rows of a run that nothing interrupts."""
    written = [row["question"] for row in rows(out)]
    assert 0 < len(written) < len(CHAINS)
    asked = len(server.asked)
    assert score(*arguments(source, out, server), cheap=False) == 0
    told = "".join(server.lm.tokenizer.decode(ids) for ids in server.asked[asked:])
    assert [chain["question"] in told for chain in CHAINS] == [chain["question"] not in written for chain in CHAINS]
    whole = out.with_name("whole")
    assert score(*arguments(source, whole, server), cheap=False) == 0
    assert (out / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()
    assert [row["id"] for row in rows(out)] == [chain["id"] for chain in CHAINS]
    assert all(row["score"]["log_likelihoods"] for row in rows(out))


@pytest.mark.parametrize("engine", sweep(SERVERS, ["vllm"]))
def test_ctrl_c_while_a_server_hangs_ends_the_command_and_keeps_what_is_finished(
    engine, lm, tiny_scorer, tmp_path, capsys
):
    source, out = write_jsonl(tmp_path / "in.jsonl", CHAINS), tmp_path / "out"
    hanging = Hanging(lm, HUNG)
    pressed: list[float] = []

    def held() -> bool:
        if hanging.holds.wait(0.01):
            time.sleep(0.5)  # the window before is finished beside it
            pressed.append(time.monotonic())
        return bool(pressed)

    with SERVERS[engine](lm, tiny_scorer, fault=hanging) as server:
        with pressing_ctrl_c(held):
            code = score(*arguments(source, out, server), cheap=False)
        assert time.monotonic() - pressed[0] < 5
        check_interrupted(code, capsys.readouterr().err, out)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "how"),
    [
        ("vllm", signal.SIGINT),
        pytest.param("sglang", signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_process_that_asks_a_hung_server_ends_within_seconds(engine, how, lm, tiny_scorer, tmp_path):
    source, out = write_jsonl(tmp_path / "in.jsonl", CHAINS), tmp_path / "out"
    hanging = Hanging(lm, HUNG)
    with SERVERS[engine](lm, tiny_scorer, fault=hanging) as server, started(*arguments(source, out, server)) as process:
        assert hanging.holds.wait(120)
        time.sleep(0.5)
        process.send_signal(how)
        _, error = process.communicate(timeout=20)
        check_interrupted(process.returncode, error, out)
        hanging.well = True
        check_goes_on(source, out, server)


@pytest.mark.parametrize("engine", sweep(SERVERS, []))
def test_killed_run_goes_on_to_the_rows_of_one_that_was_not(engine, lm, tiny_scorer, tmp_path):
    source, out = write_jsonl(tmp_path / "in.jsonl", CHAINS), tmp_path / "out"
    hanging = Hanging(lm, CHAINS[8]["question"])  # so that it is certainly killed in the middle
    with SERVERS[engine](lm, tiny_scorer, fault=hanging) as server:
        with started(*arguments(source, out, server)) as process:
            assert hanging.holds.wait(120)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        hanging.well = True
        check_goes_on(source, out, server)


def test_ctrl_c_in_python_leaves_the_gauge_to_be_used_again(lm, tiny_scorer):
    """What was under way is ended, so that it holds none of the few requests that may be."""
    chain, hung = (Trace(one["question"], one["response"], one["answer"]) for one in (CHAINS[0], CHAINS[4]))
    hanging = Hanging(lm, HUNG)
    with SERVERS["vllm"](lm, tiny_scorer, fault=hanging) as server:
        with Gauge(tiny_scorer, **server.options(concurrency=1)) as gauge:
            with pressing_ctrl_c(hanging.holds.is_set), pytest.raises(KeyboardInterrupt):
                gauge.score([hung])
            begun = time.monotonic()
            (found,) = gauge.score([chain])
        assert time.monotonic() - begun < 5
    assert found.log_likelihoods
