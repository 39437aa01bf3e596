"""Passages that a sample names as files of its sandbox are read there, while the run lasts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from agent_turns import model_that, says
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample

from stepgauge.adapters.inspect.scorers import reasoning

CSV = "Sales in millions\n,2019,2018\nOther,44.1,56.7\n"
SAID = "Other was $44.1 million in 2019.\nOther was $65.7 million in 2018."


def kept(tmp_path: Path, name: str, sandbox: str | None, files: dict[str, str] | None = None) -> str:
    options: dict[str, Any] = {"scorer": None, "claims": ["figures"], "judges": ["table"], "retriever": "given"}
    sample = Sample(input="What?", target="44.1", metadata={"passages": [{"file": name}]}, files=files)
    task = Task(dataset=[sample], scorer=reasoning(**options, splitter="lines"), sandbox=sandbox)
    [log] = inspect_eval(task, model=model_that([says(SAID)]), log_dir=str(tmp_path), display="none")
    assert log.status == "success", log.error
    assert log.samples is not None
    [sample_log] = log.samples
    assert sample_log.scores is not None
    return json.dumps(sample_log.scores["reasoning"].metadata)


def test_a_file_is_read_by_its_name_and_names_the_evidence(tmp_path: Path) -> None:
    found = kept(tmp_path, "report.csv", "local", {"report.csv": CSV})
    assert "report.csv: table 1, row 'Other', column '2018'" in found
    assert "says 56.7 million, not $65.7 million" in found


@pytest.mark.parametrize("sandbox", [None, "local"])
def test_a_file_that_cannot_be_read_leaves_its_claims_unscored_with_the_reason(
    tmp_path: Path, sandbox: str | None
) -> None:
    found = kept(tmp_path, "missing.csv", sandbox)
    assert "file 'missing.csv' was not read" in found
    assert '"label": "contradicted"' not in found
