"""Work beside a scoring LM that computes elsewhere: the same scores, whatever it is done in and however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from scoring import CHEAP, PLUGIN, rows, traces, write_jsonl

from stepgauge.metrics import ChainMetric, Gauge, Trace
from stepgauge.metrics.likelihood import Group, Request, Result, SpanScore
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.segment import BUILTIN_SPLITTERS, Splitter

MANY = [
    Trace(
        f"What is {i} times 3?",
        f"{i} times 3.\n{i} * 3 = {i * 3}\nThe answer is {i * 3 + i % 2}.",
        str(i * 3),
        id=f"{i}",
    )
    for i in range(600)
]
PROGRAM = "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"


class Device:
    """A scoring LM whose numbers follow from the texts, and what went on while it was asked."""

    computes_elsewhere = True

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.processes = 0
        self.while_asked: Callable[[], None] = lambda: time.sleep(0.3)
        self.busy = threading.Event()
        self.written_while_busy = 0

    def score(self, groups: Sequence[Group], done: Callable[[int], None]) -> list[Result]:
        self.asked.append(len(groups))
        self.threads.add(threading.current_thread())
        self.busy.set()
        self.while_asked()
        self.processes = max(self.processes, len(workers(os.getpid())))
        self.busy.clear()
        done(len(groups))
        return [
            [
                SpanScore(-1 - len(one.text) % 13, 1 + len(one.text) % 3, len(one.text[: one.start].split()))
                for one in group
            ]
            for group in groups
        ]

    def too_long(self, request: Request) -> str | None:
        del request
        self.written_while_busy += self.busy.is_set()
        return None

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return "\n".join(message["content"] for message in messages)

    def describe(self) -> dict[str, Any]:
        return {"scorer": "device", "revision": None, "dtype": "none"}

    def close(self) -> None:
        pass


def workers(pid: int) -> list[psutil.Process]:
    """The processes that a process has started for this work."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if "loky" in " ".join(child.cmdline()) and "tracker" not in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    registry().backends["device"] = lambda *_, **__: made
    yield made
    del registry().backends["device"]


def scored(device: Device, traces: Sequence[Trace] = MANY, *, elsewhere: bool = True, **options: Any) -> list[Any]:
    device.computes_elsewhere = elsewhere
    device.asked.clear()
    with Gauge("any", backend="device", progress=False, **options) as gauge:
        return [json.dumps(score.to_dict()) for score in gauge.score(traces)]


def test_scores_their_order_and_the_windows_are_those_of_one_thread(device):
    alone = scored(device, elsewhere=False)
    asked = list(device.asked)
    assert (device.processes, device.written_while_busy) == (0, 0)

    def wait() -> None:  # for as long as a busy machine needs
        ends = time.monotonic() + 20
        while not device.written_while_busy and time.monotonic() < ends:
            time.sleep(0.01)

    device.while_asked = wait
    assert scored(device) == alone
    assert device.asked == asked == [64, 256, 256, 24]
    assert device.threads == {threading.main_thread()}
    assert device.processes >= 1
    assert device.written_while_busy > 0, "nothing was prepared while the device was busy"
    assert workers(os.getpid()) == [], "they end with the gauge"


def test_a_few_chains_do_not_pay_for_processes(device):
    scored(device, MANY[:100])
    assert device.processes == 0


@pytest.mark.parametrize("kind", ["splitter", "metric", "controls"])
def test_what_only_this_process_has_is_done_in_it(device, kind, monkeypatch):
    options: dict[str, Any] = {}
    if kind == "splitter":
        lines = BUILTIN_SPLITTERS["lines"]
        options["splitter"] = Splitter("mine", lambda text: lines.split(text))
    elif kind == "metric":
        steps = ChainMetric("mine", lambda chain: float(len(chain.steps)))
        known = registry()
        monkeypatch.setattr(
            "stepgauge.metrics.gauge.registry", lambda: replace(known, metrics={**known.metrics, "mine": steps})
        )
    else:
        options["controls"] = ["foreign", "shuffled"]
    few = MANY[:200]
    alone = scored(device, few, elsewhere=False, **options)
    assert scored(device, few, **options) == alone
    assert (device.processes > 0) == (kind == "controls")


@pytest.mark.slow
def test_a_process_that_is_killed_costs_no_chain(device):
    alone = scored(device, elsewhere=False)
    killed = []

    def kill() -> None:
        for worker in workers(os.getpid())[:1]:
            worker.kill()
            killed.append(worker)
        time.sleep(0.1)

    device.while_asked = kill
    assert scored(device) == alone
    assert killed


# Read by every Python process that starts: the helpers of this one kill themselves over certain responses.
DEADLY = """
import os, signal, sys
if any("loky" in word for word in sys.orig_argv):
    from stepgauge.metrics.pipeline import chain_work

    def dying(text, mark):
        if mark in text:
            os.kill(os.getpid(), signal.SIGKILL)

    def cut(traces, splitter, segmented=chain_work.segmented):
        dying(traces[0].response, "DEADLY TO CUT")
        return segmented(traces, splitter)

    def score(work, chain, about, scored=chain_work.ChainWork._chain_score):
        dying(chain.trace.response, "DEADLY TO SCORE")
        return scored(work, chain, about)

    chain_work.segmented, chain_work.ChainWork._chain_score = cut, score
    if os.environ.get("DEADLY") == "always":
        os.kill(os.getpid(), signal.SIGKILL)
if any("math_verify_worker" in word for word in sys.orig_argv):
    import math_verify

    def parse(text, *rest, parsed=math_verify.parse, **options):
        if "77" in text:
            with open(os.path.join(os.path.dirname(__file__), "killed"), "a") as killed:
                killed.write(text + "\\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return parsed(text, *rest, **options)

    math_verify.parse = parse
"""
DIED = "a process beside the scoring LM died twice with this chain in hand"


@pytest.fixture
def deadly(tmp_path, monkeypatch) -> Path:
    """Where the processes' first module lies; it is on PYTHONPATH."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def with_deadly(chains: Sequence[Any], places: dict[int, str]) -> list[Any]:
    """The same chains; those at the places say what they are."""
    return [
        replace(one, response=f"{one.response}\nDEADLY TO {places[i]}.") if i in places else one
        for i, one in enumerate(chains)
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("deadly")
def test_a_chain_that_kills_its_process_is_unscored_and_no_other(device):
    places = {150: "CUT", 151: "SCORE"}
    chains = with_deadly(MANY[:220], places)
    device.while_asked = lambda: None
    alone = [json.loads(one) for one in scored(device, chains, elsewhere=False)]
    found = [json.loads(one) for one in scored(device, chains)]
    assert workers(os.getpid()) == []
    for i, (one, other) in enumerate(zip(found, alone, strict=True)):
        if i not in places:
            assert one == other
            continue
        assert one["id"] == other["id"]
        assert set(one["metrics"].values()) == {None}
        assert set(one["missing"].values()) == {DIED}
        assert (one["steps"], one["log_likelihoods"]) == ([], [])


@pytest.mark.long
@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize("controls", [[], ["foreign"]])
def test_chains_that_kill_their_processes_cost_themselves_in_any_order(device, controls):
    places = {70: "CUT", 71: "CUT", 300: "SCORE", 301: "CUT", 599: "SCORE"}
    device.while_asked = lambda: None
    chains, options = with_deadly(MANY, places), {"controls": controls}
    device.computes_elsewhere = True
    with Gauge("any", backend="device", progress=False, **options) as gauge:
        first, second = gauge.score(chains), gauge.score(chains[:65], foreign_from=chains[65:])
    assert [i for i, one in enumerate(first) if DIED in one.missing.values()] == sorted(places)
    if not controls:  # which steps are drawn depends on the chains that there are
        alone = scored(device, chains, elsewhere=False)
        assert [json.dumps(one.to_dict()) for i, one in enumerate(first) if i not in places] == [
            one for i, one in enumerate(alone) if i not in places
        ]
    assert not any(DIED in one.missing.values() for one in second)
    assert workers(os.getpid()) == []


@pytest.mark.long
@pytest.mark.usefixtures("deadly")
def test_processes_that_cannot_live_cost_no_chain(device, monkeypatch, caplog):
    monkeypatch.setenv("DEADLY", "always")
    device.while_asked = lambda: None
    few = MANY[:200]
    alone = scored(device, few, elsewhere=False)
    assert scored(device, few) == alone
    assert caplog.text.count("without them") == 1


@pytest.mark.long
def test_a_formula_that_kills_what_compares_it_ends_the_search_in_its_chain_and_in_no_other(deadly):
    pytest.importorskip("math_verify")
    chain = {"question": "Differentiate it.", "answer": "2x+1"}
    responses = ["It is $1+2x$.", "Is it $1+77x$?\nIt is $1+2x$.", "Again $1+77x$.", "It is $x+1+x$."]
    chains = [{**chain, "response": response, "id": f"{i}"} for i, response in enumerate(responses)]
    source, out, whole = write_jsonl(deadly / "in.jsonl", chains), deadly / "out", deadly / "whole"
    assert command(source, out, seconds=0).wait() == 0
    assert (deadly / "killed").read_text() == "$1+77x$\n", "what killed it once is not tried again"
    found = rows(out)
    states = [[step["states_answer"] for step in row["score"]["steps"]] for row in found]
    assert states == [[True], [False, False], [False], [True]]
    (deadly / "sitecustomize.py").unlink()
    assert command(source, whole, seconds=0).wait() == 0
    assert [found[i] for i in (0, 3)] == [rows(whole)[i] for i in (0, 3)]


@pytest.mark.slow
def test_command_goes_on_behind_chains_that_kill_its_processes(deadly):
    chains = traces(400)
    for place in (200, 390):
        chains[place]["response"] += "\nDEADLY TO CUT."
    source, out = write_jsonl(deadly / "in.jsonl", chains), deadly / "out"
    whole = deadly / "whole"
    process = command(source, out, seconds=0)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert error.count(DIED) == 2
    found = rows(out)
    assert [row["id"] for row in found] == [one["id"] for one in chains]
    lost = [i for i, row in enumerate(found) if DIED in row["score"]["missing"].values()]
    assert lost == [200, 390]
    (deadly / "sitecustomize.py").unlink()
    assert command(source, whole, seconds=0).wait() == 0
    assert [row for i, row in enumerate(found) if i not in lost] == [
        row for i, row in enumerate(rows(whole)) if i not in lost
    ]


@pytest.mark.slow
def test_what_the_device_raises_ends_the_call_and_its_processes(device):
    def fail() -> None:
        if len(device.asked) == 2:
            raise KeyboardInterrupt

    device.while_asked = fail
    with Gauge("any", backend="device", progress=False) as gauge:
        with pytest.raises(KeyboardInterrupt):
            gauge.score(MANY)
        assert workers(os.getpid()) == []
        assert not [one for one in threading.enumerate() if one.name.startswith("stepgauge-host")]
        device.while_asked = lambda: None
        assert len(gauge.score(MANY[:200])) == 200, "the gauge can be used again"


def test_a_script_without_guard_is_not_run_again_by_its_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom stepgauge.metrics import Gauge, Trace\nprint('begins')\n"
        "traces = [Trace(f'What is {i}?', f'It is {i}.', str(i)) for i in range(300)]\n"
        "print(len(Gauge('any', backend='cheap', progress=False).score(traces)))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(PLUGIN)}
    done = subprocess.run(
        [sys.executable, str(script)], env=env, text=True, capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "begins\n300\n", "")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_command_leaves_no_process_and_goes_on_to_the_same_file(tmp_path, how):
    source = write_jsonl(tmp_path / "in.jsonl", traces(400))
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert command(source, whole, seconds=0).wait() == 0
    process = command(source, out, seconds=0.01)
    while not (started := workers(process.pid)) or len(journal(out)) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    if how == signal.SIGKILL:
        process.kill()  # it alone: nobody tells the others
    else:
        os.killpg(process.pid, how)
    _, error = process.communicate(timeout=60)
    psutil.wait_procs(started, timeout=20 if how == signal.SIGKILL else 0)
    assert not any(worker.is_running() for worker in started)
    if how != signal.SIGKILL:
        assert process.returncode == 130
        lines = [line for line in error.splitlines() if line and "INFO" not in line]
        assert len(lines) == 1, error
        assert lines[0].startswith("stepgauge: interrupted: ")
    assert len(rows(out)) < 400
    assert command(source, out, seconds=0).wait() == 0
    assert (out / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()


def command(source: Path, out: Path, seconds: float) -> subprocess.Popen[str]:
    """In a process group of its own, which Ctrl-C reaches as a whole."""
    path = os.pathsep.join(filter(None, [str(PLUGIN), os.environ.get("PYTHONPATH")]))
    env = {**os.environ, "PYTHONPATH": path, "STEPGAUGE_CHEAP_SECONDS": str(seconds)}
    program = [sys.executable, "-c", PROGRAM, "score", str(source), "--out", str(out), *CHEAP]
    return subprocess.Popen(
        program, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def journal(out: Path) -> list[str]:
    path = out / "windows.jsonl"
    return path.read_text().splitlines() if path.exists() else []
