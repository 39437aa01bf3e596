"""The scorer on several devices: which are meant, and Ray actors that score, die, or cannot load."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from faulty_scorers import KILL, OUT_OF_MEMORY, SLOW, make_faulty_scorer
from tiny_scorers import make_scorer

from stepgauge.metrics import Gauge, OutOfMemory, ScorerError, Trace
from stepgauge.metrics.actors.batches import batches
from stepgauge.metrics.models.devices import device_names, rank_device

CHAINS = [
    Trace(f"What is {i} + 2?", "\n".join(f"Step {j}: {i} + {j} = {i + j}." for j in range(1 + i % 5)), str(i + 2))
    for i in range(12)
]
LONG = Trace("Too long?", "word " * 600 + "7", "7")
NUMBER = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}


def processes(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Ray's own ones included; a zombie is one that must not be."""
    children = (process or psutil.Process()).children(recursive=True)
    return [child for child in children if (said := _command(child)) is None or "ray" in said]


def actors(process: psutil.Process | None = None) -> list[psutil.Process]:
    return [child for child in processes(process) if "ray::ScorerActor" in (_command(child) or "")]


def _command(process: psutil.Process) -> str | None:
    try:
        return " ".join(process.cmdline())
    except psutil.ZombieProcess:
        return None
    except psutil.NoSuchProcess:
        return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizers):
    out = tmp_path_factory.mktemp("faulty")
    os.environ["HF_MODULES_CACHE"] = str(out / "modules")  # where the actors put the scorer's code
    yield make_faulty_scorer(out, tokenizers["qwen"])
    del os.environ["HF_MODULES_CACHE"]


@pytest.fixture(scope="module")
def pool(folder):
    with Gauge(str(folder), device="cpu,cpu", trust_remote_code=True) as gauge:
        yield gauge
    assert not processes(), "processes are left after close()"


@pytest.fixture(scope="module")
def alone(tmp_path_factory, tokenizers):
    """The same weights in this process."""
    return Gauge(str(make_scorer(tmp_path_factory.mktemp("alone"), "llama", tokenizers["qwen"])), device="cpu")


def likelihoods(scores):
    return [score.log_likelihoods for score in scores]


def close_to(scores):
    return [pytest.approx(values, abs=1e-4) for values in likelihoods(scores)]


@pytest.mark.slow
def test_two_actors_give_what_one_gives_in_the_same_order(pool, alone, monkeypatch):
    told = []
    monkeypatch.setattr("stepgauge.metrics.pipeline.scheduling._advance", lambda _, n: told.append(n))
    mixed = [*CHAINS[:5], LONG, Trace("No gold answer?", "None.", None), *CHAINS[5:]]
    scores = pool.score(mixed)
    assert len(actors()) == 2
    assert sum(told) == len(CHAINS) + 1, "and the one that is too long"
    expected = alone.score(mixed)
    assert likelihoods(scores) == close_to(expected)
    assert [score.missing for score in scores] == [score.missing for score in expected]
    own, theirs = (dict(chains[0].provenance) for chains in (expected, scores))
    assert theirs.pop("device") == "cpu,cpu"
    assert {name for name, value in theirs.items() if value != own[name]} == {"scorer", "source", "architecture"}


@pytest.mark.slow  # starts Ray
def test_counts_of_the_actors_are_added_up(pool, alone):
    before = [gauge.statistics() for gauge in (pool, alone)]
    for gauge in (pool, alone):
        gauge.score(CHAINS)
    ours, theirs = (gauge.statistics().since(then) for gauge, then in zip((pool, alone), before, strict=True))
    for name in ("groups", "sequences", "sequence_tokens", "scored_tokens", "unique_tokens"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.seconds > 0


@pytest.mark.slow  # starts Ray
def test_the_model_generates_in_the_actors(pool, alone):
    pytest.importorskip("llguidance")
    prompts = [f"A number, {i}: " for i in range(5)]
    done = []
    made = pool.backend.generate_json(prompts, NUMBER, 20, done.append)
    assert made == alone.backend.generate_json(prompts, NUMBER, 20, lambda _: None)
    assert [json.loads(text)["n"] in (1, 2) for text in made] == [True] * 5
    assert sum(done) == 5


@pytest.mark.slow  # starts Ray
def test_chat_template_that_is_missing_is_the_usual_error(pool):
    with pytest.raises(ScorerError, match="has no chat template; use template='plain'"):
        pool.backend.render_chat([{"role": "user", "content": "Hello"}])


@pytest.mark.slow
def test_chain_that_kills_its_actor_is_unscored_and_takes_no_other_along(pool, alone, monkeypatch, caplog, capfd):
    told = []
    monkeypatch.setattr("stepgauge.metrics.pipeline.scheduling._advance", lambda _, n: told.append(n))
    before = {actor.pid for actor in actors()}
    poison = Trace(f"Deadly {KILL}?", "One.\nTwo.", "7")
    scores = pool.score([*CHAINS[:7], poison, *CHAINS[7:]])
    killed = scores.pop(7)
    assert "twice with this in hand" in killed.missing["infogain"]
    assert killed.log_likelihoods == []
    assert sum(told) == len(CHAINS) + 1
    assert likelihoods(scores) == close_to(alone.score(CHAINS))
    assert "died twice with 1 groups in hand" in caplog.text
    pool.score(CHAINS)  # by now in new processes
    after = {actor.pid for actor in actors()}
    assert len(after) == 2
    assert after != before
    assert "raylet" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_chain_that_does_not_fit_in_memory_is_unscored_and_none_that_fits_is_an_error(pool, alone):
    huge = [Trace(f"Huge {i} {OUT_OF_MEMORY}?", "One.", "7") for i in range(3)]
    scores = pool.score([*CHAINS, *huge])
    assert likelihoods(scores[: len(CHAINS)]) == close_to(alone.score(CHAINS))
    assert all("out of memory" in score.missing["infogain"] for score in scores[len(CHAINS) :])
    with pytest.raises(OutOfMemory, match="out of memory"):
        pool.score(huge)
    assert likelihoods(pool.score(CHAINS[:1])) == close_to(alone.score(CHAINS[:1]))


@pytest.mark.slow
def test_scorer_that_cannot_be_loaded_is_the_error_of_one_process(tmp_path, tokenizers):
    broken = make_scorer(tmp_path, "llama", tokenizers["qwen"])
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    messages = []
    others = actors()
    for device in ("cpu", ["cpu", "cpu"]):
        with pytest.raises(ScorerError, match="could not be loaded") as raised:
            Gauge(str(broken), device=device).score(CHAINS[:1])
        messages.append(str(raised.value))
    assert messages[0] == messages[1]
    assert "\n" not in messages[0]
    assert psutil.wait_procs(set(actors()) - set(others), timeout=10)[1] == []


@pytest.mark.slow
def test_ctrl_c_ends_the_actors_and_the_next_call_starts_them_again(pool, alone, capfd):
    pool.score(CHAINS[:2])
    before, busy = processes(), actors()

    def interrupt():
        for process in (*before, psutil.Process()):  # as a terminal does: every process of the group gets it
            process.send_signal(signal.SIGINT)

    timer = threading.Timer(1.0, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        pool.score([Trace(f"Slow {i} {SLOW}?", "One.", "7") for i in range(4)])
    timer.join()
    assert psutil.wait_procs(busy, timeout=5)[1] == []
    assert "Traceback" not in capfd.readouterr().err
    assert likelihoods(pool.score(CHAINS[:2])) == close_to(alone.score(CHAINS[:2]))


@pytest.mark.slow
def test_actors_end_in_the_middle_of_a_pass_when_the_run_is_killed(folder):
    code = (
        "from stepgauge.metrics import Gauge, Trace\n"
        f"gauge = Gauge({str(folder)!r}, device='cpu,cpu', trust_remote_code=True)\n"
        "gauge.backend\n"
        "print('loaded', flush=True)\n"
        f"gauge.score([Trace(f'Slow {{i}} {SLOW}?', 'One.', '7') for i in range(4)])\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "loaded\n", run.stderr.read()
    time.sleep(1.0)  # into the slow pass
    busy = actors(psutil.Process(run.pid))
    assert len(busy) == 2
    run.kill()
    run.wait()
    until = time.monotonic() + 20
    while any(_command(one) for one in busy) and time.monotonic() < until:  # None: a zombie, which takes no device
        time.sleep(0.1)
    assert not any(_command(one) for one in busy)


@pytest.mark.parametrize(
    ("device", "names"),
    [
        ("cpu", ["cpu"]),
        ("cpu,cpu", ["cpu", "cpu"]),
        (["cpu", " cpu "], ["cpu", "cpu"]),
        ("balanced", ["balanced"]),
    ],
)
def test_devices_are_named_in_a_text_or_a_list(device, names):
    assert device_names(device) == names


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("", "device '': expected auto, cpu, cuda, cuda:0, mps, balanced, or several: cuda:0,cuda:1 or cuda:*"),
        ("cpu,", "device 'cpu,': expected"),
        (0, "device 0: expected"),
        ([], r"device \[\]: expected"),
        (["cpu", 1], r"device \['cpu', 1\]: expected"),
        ("cpu,tpu9", "device 'tpu9': expected"),
        ("cpu,auto", "device 'cpu,auto': 'auto' stands alone"),
        ("balanced,cpu", "device 'balanced,cpu': 'balanced' stands alone"),
        ("cuda:99", r"device 'cuda:99': torch sees \d+ CUDA devices"),
    ],
)
def test_wrong_device_is_one_clear_error_before_anything_is_loaded(folder, device, message):
    with pytest.raises(ScorerError, match=message):
        Gauge(str(folder), device=device).preflight()


def test_without_ray_several_devices_are_one_clear_line(folder, monkeypatch):
    monkeypatch.setattr("stepgauge.metrics.actors.quiet_ray.is_installed", lambda module: module != "ray")
    gauge = Gauge(str(folder), device="cpu,cpu")
    for ask in (gauge.preflight, lambda: gauge.backend):
        with pytest.raises(ScorerError, match=r"^device 'cpu,cpu' needs Ray: pip install 'stepgauge\[ray\]'$"):
            ask()


@pytest.mark.parametrize(
    ("count", "environment", "device"),
    [
        (4, {}, "cuda"),
        (4, {"LOCAL_RANK": "2"}, "cuda:2"),
        (1, {"LOCAL_RANK": "3"}, "cuda:0"),  # each rank sees its own device alone
        (4, {"LOCAL_RANK": "-1"}, "cuda"),  # as some launchers say: not distributed
        (4, {"LOCAL_RANK": ""}, "cuda"),
    ],
)
def test_each_data_parallel_rank_takes_its_own_device(count, environment, device):
    assert rank_device(count, environment) == device


def test_scorer_spread_over_all_accelerators_gives_the_same_numbers(alone):
    pytest.importorskip("accelerate")
    spread = Gauge(alone.backend.describe()["source"], device="balanced", dtype="float32")
    scores = spread.score(CHAINS)
    assert likelihoods(scores) == close_to(alone.score(CHAINS))
    assert scores[0].provenance["device"].startswith("balanced: ")


@pytest.mark.parametrize(
    ("costs", "count"), [([5, 1, 9, 9, 2, 7], 2), ([1] * 100, 3), ([0, 0, 0], 2), ([3], 4), ([100, *[1] * 20], 2)]
)
def test_items_are_dealt_longest_first_in_ever_smaller_batches_and_each_once(costs, count):
    dealt = batches(costs, count)
    order = [i for batch in dealt for i in batch]
    assert sorted(order) == list(range(len(costs)))
    assert [costs[i] for i in order] == sorted(costs, reverse=True)
    assert all(dealt)
    assert len(dealt) >= min(count, len(costs))
    assert [len(batch) for batch in batches([1] * 100, 2)][:3] == [25, 18, 14]
