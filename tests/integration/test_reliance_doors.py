"""Reliance in a real run of each framework: the model under test scores its own chains, toward its own answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from columns import assert_numbers, assert_panel, lm_eval_table
from commands import shell
from scoring import rows

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from inspect_ai.log import read_eval_log

from stepgauge.adapters.lm_eval import include_path
from stepgauge.metrics.models.loading import resolve

SHOWN = (
    "early_answer_area_before_answer",
    "necessary_share_before_answer",
    "true_thinking_before_answer",
)
IN_PANEL = sorted(SHOWN, key=len)
CLAIM = "reliance: causal for this model"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(smollm2) -> str:
    smollm2.preflight()
    return str(resolve("smollm2"))


def test_lm_eval_shows_the_columns_and_writes_the_steps(model, tmp_path: Path):
    options = "--stepgauge scorer=self reliance=true controls=filler"
    done = shell(
        tmp_path,
        f"stepgauge lm-eval run --model hf --model_args pretrained={model},dtype=float32 --include_path "
        f"{include_path()} --tasks stepgauge_demo_arithmetic --limit 3 --log_samples --output_path out {options}",
    )
    (table,) = lm_eval_table(done.stdout).values()
    assert_numbers(table["reasoning"], SHOWN, or_missing=SHOWN)
    assert not all(math.isnan(table["reasoning"][name]) for name in SHOWN)
    assert CLAIM in done.stdout + done.stderr
    (path,) = (tmp_path / "out").rglob("samples_*.jsonl")
    found = [row for row in rows(path.parent, path.name) if row["filter"] == "reasoning"]
    assert len(found) == 3
    for row in found:
        (chain,) = json.loads(row["filtered_resps"][0])["chains"]
        assert chain["provenance"]["reliance"] == {"claim": "causal for this model"}
        if chain.get("own_answer"):
            assert len(chain["own_log_likelihoods"]) == len(chain["steps"]) + 1
            assert chain["steps"][0]["deletion_nats"] is not None
            assert chain["metrics"]["own_gain_over_filler"] is not None
    shown = shell(tmp_path, "stepgauge show out --limit 3").stdout
    assert CLAIM in shown
    assert "deletion" in shown


def test_inspects_scorer_reliance_shows_its_own_columns(model, tmp_path: Path):
    run = f"inspect eval stepgauge/demo -T subset=arithmetic -T first=3 --model hf/smollm2 -M model_path={model}"
    shell(tmp_path, f"{run} -M do_sample=false --log-dir logs")
    (path,) = (tmp_path / "logs").glob("*.eval")
    again = f"inspect score {path} --scorer stepgauge/reliance --action overwrite --output-file out.eval"
    printed = shell(tmp_path, f"{again} -S scorer=self").stdout
    log = read_eval_log(str(tmp_path / "out.eval"))
    assert_panel(printed, log, IN_PANEL)
    scores = [score for sample in log.samples or [] for score in (sample.scores or {}).values()]
    assert len(scores) == 3
    for score in scores:
        assert score.metadata is not None
        assert score.metadata["provenance"]["reliance"] == {"claim": "causal for this model"}
        assert score.explanation is not None
        assert CLAIM in score.explanation or not score.metadata.get("own_answer")
    assert any(score.metadata.get("own_answer") for score in scores if score.metadata)
