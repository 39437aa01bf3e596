"""Inspect's own log viewer, in a real browser: our columns are heat maps there."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmark_modules import benchmark

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes

from stepgauge.adapters.inspect import with_reasoning

pytestmark = pytest.mark.slow

RIGHT, WRONG = "2 * 3 = 6.\n6 + 1 = 7.", "2 * 3 = 6.\n6 + 1 = 8."
CELLS = """() => [...document.querySelectorAll('[role=gridcell]')].map(
  (cell) => [cell.textContent.trim(), cell.style.background || cell.style.backgroundColor])"""


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a log's page in a running `inspect view`."""
    folder = tmp_path_factory.mktemp("logs")
    said = [ModelOutput.from_content("mockllm/model", text) for text in (RIGHT, WRONG)]
    for output in said:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else mockllm looks for a tokenizer
    task = Task(dataset=[Sample(input="2 * 3 + 1 = ?", target="7") for _ in said], scorer=includes(), name="sums")
    model = get_model("mockllm/model", custom_outputs=said)
    wrapped = with_reasoning(task, scorer=None, metrics=["ki"], splitter="lines")
    (log,) = inspect_eval(wrapped, model=model, log_dir=str(folder), display="none", max_samples=1)
    assert log.status == "success"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("inspect")), "view", "--log-dir", str(folder), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait_for(address)
        yield f"{address}#/logs/{Path(log.location).name}"
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"inspect view did not answer at {address}")


def test_a_share_is_coloured_by_its_place_between_0_and_1(viewer: str) -> None:
    chromium = benchmark("comparison.screenshots").find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 800})
        page.goto(viewer)
        page.wait_for_selector("[role=gridcell][style*=color-mix]", timeout=60_000)
        coloured = {text: colour for text, colour in page.evaluate(CELLS) if colour}
        browser.close()
    assert sorted(coloured) == ["0.5", "1"]
    assert "success-bg-subtle) 100%" in coloured["1"]
    assert "success-bg-subtle) 100%" not in coloured["0.5"]  # the least of the log, but the middle of a share
    assert "danger-bg-subtle) 100%" not in coloured["0.5"]
