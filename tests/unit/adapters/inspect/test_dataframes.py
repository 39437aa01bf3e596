"""Our scores read back from Inspect logs: Inspect's own data frames, and ours with one row per step."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")
pytest.importorskip("pandas")

import pandas as pd
from agent_turns import model_that, says
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.analysis import SampleColumn, SampleSummary, evals_df, samples_df
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, list_eval_logs, read_eval_log, write_eval_log
from inspect_ai.scorer import match

from stepgauge.adapters.inspect import infogain, knowledge, reasoning, steps_df
from stepgauge.adapters.inspect.dataframes import COLUMNS
from stepgauge.metrics import ChainScore

RESPONSES = ["2 * 3 = 6\n6 + 1 = 7\nANSWER: 7", "2 * 3 = 5\nANSWER: 5", "just seven", ""]


def run(path: Path, scorers: list[Any], responses: list[str] = RESPONSES) -> EvalLog:
    task = Task(
        dataset=[Sample(id=i, input="What is 2 * 3 + 1?", target="7") for i in range(len(responses))],
        scorer=[match(numeric=True), *scorers],
        name="sums",
    )
    model = model_that([says(response) for response in responses])
    (log,) = inspect_eval(task, model=model, log_dir=str(path), display="none", max_samples=1)
    assert log.status == "success", log.error
    return log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One log of four samples: two scored, one without a checkable step, one without a chain."""
    path = tmp_path_factory.mktemp("logs")
    run(path, [reasoning(scorer=None, splitter="lines")])
    return path


def test_inspects_frame_of_evals_has_a_column_for_each_of_our_metrics(folder: Path) -> None:
    (row,) = evals_df(str(folder), quiet=True).to_dict("records")
    assert row["score_match_accuracy"] == 0.25
    assert row["score_ki_mean"] == 0.5
    assert row["score_ki_coverage_mean"] == pytest.approx(0.389, abs=1e-3)
    assert pd.isna(row["score_infogain_nats_mean"]), "no scoring LM: missing, not 0"


def test_inspects_frame_of_samples_has_a_column_per_number_where_missing_ones_are_na(folder: Path) -> None:
    columns = [*SampleSummary, SampleColumn("reasoning_*", path="scores.reasoning.value")]
    frame = samples_df(str(folder), columns=columns, quiet=True).set_index("id").sort_index()
    assert list(frame["reasoning_ki_coverage"].fillna(-1)) == pytest.approx([2 / 3, 0.5, 0.0, -1.0])
    assert list(frame["reasoning_ki"].fillna(-1)) == [1.0, 0.0, -1.0, -1.0]
    whole = [json.loads(text) if isinstance(text, str) else None for text in frame["score_reasoning"]]
    assert [one and one["ki_coverage"] for one in whole] == [2 / 3, 0.5, 0.0, None], (
        "by default: one text for all numbers"
    )


def test_each_step_has_a_row_with_what_the_scorer_found(folder: Path) -> None:
    frame = steps_df(folder)
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["id"]) == ["0"] * 3 + ["1"] * 2 + ["2"]
    assert list(frame["step"]) == [0, 1, 2, 0, 1, 0]
    assert list(frame["text"])[:3] == ["2 * 3 = 6", "6 + 1 = 7", "ANSWER: 7"]
    assert list(frame["kind"])[2] == "final_answer"
    assert list(frame["states_answer"])[:3] == [False, True, True]
    assert list(frame["labels"]) == [["supported"], ["supported"], [], ["contradicted"], [], []]
    assert list(frame["judges"])[:3] == [["exact"], ["exact"], []]
    assert frame["gain"].isna().all(), "no scoring LM: missing, not 0"
    assert frame["n_tokens"].isna().all()


def test_the_rows_can_be_merged_with_inspects_own_frame(folder: Path) -> None:
    keys = ["sample_id", "eval_id", "log", "id", "epoch"]
    merged = steps_df(folder).merge(samples_df(str(folder), quiet=True), on=keys, how="left")
    assert len(merged) == 6
    assert list(merged["score_match"]) == ["C"] * 3 + ["I"] * 3


def test_a_log_may_be_given_in_any_form(folder: Path, tmp_path: Path) -> None:
    (info,) = list_eval_logs(str(folder))
    log = read_eval_log(info)
    as_json = str(tmp_path / "log.json")
    write_eval_log(log, as_json)
    expected = list(steps_df(folder)["text"])
    for given in (info, log, info.name, str(folder), as_json):
        assert list(steps_df(given)["text"]) == expected
    assert list(steps_df([log, as_json])["text"]) == expected * 2


def test_logs_may_lie_where_inspect_can_read_them(folder: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    (source,) = folder.glob("*.eval")
    memory.pipe(f"/steps/{source.name}", source.read_bytes())
    memory.mkdir("/nothing")
    expected = steps_df(folder)
    for given in ("memory://steps", "memory://steps/", f"memory://steps/{source.name}"):
        found = steps_df(given)
        assert list(found["text"]) == list(expected["text"])
        assert all(log.startswith("memory://") and log.endswith(f"steps/{source.name}") for log in found["log"])
    with pytest.raises(FileNotFoundError, match="found no log in it"):
        steps_df("memory://nothing")
    with pytest.raises(FileNotFoundError):
        steps_df("memory://nowhere")


def test_likelihoods_of_a_scoring_lm_are_those_of_the_chain_score(tmp_path: Path, tiny_scorer: str) -> None:
    scorers = [infogain(scorer=tiny_scorer, device="cpu", splitter="lines"), knowledge(splitter="lines")]
    log = run(tmp_path, scorers, RESPONSES[:1])
    frame = steps_df(log)
    assert set(frame["scorer"]) == {"infogain", "knowledge"}
    found = frame[frame["scorer"] == "infogain"]
    chain = ChainScore.from_dict((log.samples or [])[0].scores["infogain"].metadata)  # type: ignore[index,arg-type]
    assert list(found["gain"]) == [step.gain for step in chain.steps]
    assert list(found["log_likelihood"]) == list(chain.log_likelihoods[1:])
    assert sum(found["gain"]) == pytest.approx(chain.infogain_nats)


def test_a_log_without_our_scores_gives_no_rows_and_all_columns(tmp_path: Path) -> None:
    frame = steps_df(run(tmp_path, [], RESPONSES[:1]))
    assert (len(frame), list(frame.columns)) == (0, list(COLUMNS))


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="found no log in it"):
        steps_df(tmp_path)


def test_a_damaged_score_is_named_by_log_sample_and_scorer(folder: Path) -> None:
    (info,) = list_eval_logs(str(folder))
    log = read_eval_log(info)
    del log.samples[0].scores["reasoning"].metadata["steps"][0]["gain"]  # type: ignore[index]
    with pytest.raises(ValueError, match=r"\.eval, sample 0, epoch 1, score 'reasoning': not a chain score.*gain"):
        steps_df(log)


def test_without_pandas_the_error_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        steps_df(folder)
