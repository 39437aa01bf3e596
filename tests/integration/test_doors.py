"""Every door as a user goes through it, once: `stepgauge demo` runs both frameworks, and what they leave is used."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from columns import (
    EVIDENCE_IN_PANEL,
    GAINS,
    IN_PANEL,
    MAY_BE_MISSING,
    NUMBER,
    REASONING,
    assert_numbers,
    assert_panel,
    inspect_panel,
    lm_eval_table,
    near,
    score_table,
)
from commands import shell
from scoring import rows

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from inspect_ai.log import EvalLog, read_eval_log, write_eval_log

from stepgauge.metrics import ChainScore, Gauge, Trace

HALVES = ("arithmetic", "medical")
LIMIT = 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def run(folder: Path, smollm2: Gauge) -> Callable[[str], str]:
    smollm2.preflight()
    return lambda command: shell(folder, command).stdout


@pytest.fixture(scope="module")
def demo(run: Callable[[str], str]) -> dict[str, str]:
    """What `stepgauge demo` printed, by section."""
    title, *parts = re.split(r"^=== (.*) ===$", run(f"stepgauge demo --limit {LIMIT} --out demo"), flags=re.MULTILINE)
    assert "preparing SmolLM2" in title
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.fixture(scope="module")
def log(demo: dict[str, str], folder: Path) -> EvalLog:
    """The log that the demo's `inspect eval` wrote."""
    assert demo
    (path,) = (folder / "demo" / "inspect").glob("*.eval")
    return read_eval_log(str(path))


@pytest.fixture(scope="module")
def samples(demo: dict[str, str], folder: Path) -> dict[str, Path]:
    """The samples files that the demo's `lm-eval run` wrote, by half."""
    assert demo
    found = {half: (folder / "demo" / "lm-eval").rglob(f"samples_stepgauge_demo_{half}_*.jsonl") for half in HALVES}
    return {half: path for half, paths in found.items() for path in paths}


def test_the_demo_shows_both_frameworks_two_chains_step_by_step_what_they_say_and_a_trap(
    demo: dict[str, str], folder: Path
) -> None:
    lm_evals, inspects, chains, says, trap = demo.values()
    table = lm_eval_table(lm_evals)
    assert list(table) == ["stepgauge_demo", *(f"stepgauge_demo_{half}" for half in HALVES)]
    for half in HALVES:
        row = table[f"stepgauge_demo_{half}"]
        assert_numbers(row["reasoning"], (*REASONING, "n_unscored"), or_missing=MAY_BE_MISSING)
        for pipeline in ("strict-match", "flexible-extract"):
            assert_numbers(row[pipeline], ["exact_match"])
    assert_numbers(table["stepgauge_demo"]["reasoning"], ("infogain", "infogain_nats", "ki_coverage"))
    panel = inspect_panel(inspects)
    assert [name for name, _ in panel] == ["answer", *IN_PANEL, *EVIDENCE_IN_PANEL]
    assert_numbers(dict(panel)["answer"], ["accuracy", "stderr"])
    assert_numbers({name: found["mean"] for name, found in panel[1:]}, REASONING, or_missing=MAY_BE_MISSING)
    for part, tasks in ((lm_evals, 2), (inspects, 1)):
        assert len(re.findall(r"engine: .* [1-9][\d,]* computed", part)) == tasks
    right, wrong = chains.count("✓ right"), chains.count("✗ wrong")
    assert (right, wrong) == (1 - chains.count("chains is right"), 1 - chains.count("chains is wrong"))
    assert chains.count("gold answer: ") == chains.count("(question alone)") == right + wrong > 0
    assert len(re.findall(r"│1 │ .* │ +[-+]\d+\.\d\d │ +-\d+\.\d\d │", chains)) == right + wrong
    assert len(re.findall(r"^(?:.*the steps make|Whether the steps help)", chains, re.M | re.I)) == right + wrong
    said = " ".join(says.split())
    assert len(re.findall(rf"\d+% right\. Before the answer .* by {NUMBER} nats", said)) == 1
    assert said.count(f"This rests on {2 * LIMIT} chains") == 2
    assert re.search(r"^verdict: trap", trap, re.M)
    page = folder / "demo" / "trap" / "report.html"
    assert "demo/trap/report.html" in trap
    assert "trap" in page.read_text(encoding="utf-8")


def test_lm_evals_files_hold_the_options_and_every_chain_step_by_step(folder: Path, samples: dict[str, Path]) -> None:
    said = (folder / "demo" / "lm-eval.log").read_text(encoding="utf-8")
    assert "[stepgauge:" in said
    assert f"[stepgauge_demo_arithmetic] infogain of {LIMIT} of {LIMIT} chains" in said
    [results] = (folder / "demo" / "lm-eval").rglob("results_*.json")
    assert json.loads(results.read_text())["configs"]["stepgauge_demo_medical"]["stepgauge"]["choices"] == "choices"
    path = samples["arithmetic"]
    scored = [sample for sample in rows(path.parent, path.name) if sample["filter"] == "reasoning"]
    assert len(scored) == LIMIT
    for sample in scored:
        [chain] = json.loads(sample["filtered_resps"][0])["chains"]
        assert chain["metrics"]["infogain"] == sample["infogain"]
        assert all(step["text"] in sample["resps"][0][0] for step in chain["steps"])
        assert chain["steps"][0]["gain"] is not None


def test_inspects_panel_shows_what_its_log_holds(demo: dict[str, str], log: EvalLog) -> None:
    assert log.status == "success"
    assert len(log.samples or []) == 2 * LIMIT
    assert_panel(demo["Inspect"], log, ["answer", *IN_PANEL, *EVIDENCE_IN_PANEL])


def test_inspect_score_appends_the_numbers_of_the_core_to_a_log_that_holds_accuracy_alone(
    run: Callable[[str], str], folder: Path, log: EvalLog
) -> None:
    bare = log.model_copy(deep=True)
    assert bare.results is not None
    bare.results.scores = bare.results.scores[:1]
    for sample in bare.samples or []:
        sample.scores = {"answer": (sample.scores or {})["answer"]}
    write_eval_log(bare, str(folder / "bare.eval"))
    options = "--action append --output-file scored.eval -S splitter=lines -S judges=exact"
    printed = run(f"inspect score bare.eval --scorer stepgauge/reasoning {options}")
    scored = read_eval_log(str(folder / "scored.eval"))
    assert_panel(printed, scored, ["answer", *IN_PANEL])
    samples = [sample for sample in scored.samples or [] if not sample.choices]
    traces = [
        Trace(question=sample.input[-1].text, response=sample.output.completion, answer=sample.target)  # type: ignore[union-attr,arg-type]
        for sample in samples
    ]
    expected = Gauge(splitter="lines", progress=False).score(traces)
    assert len(expected) == LIMIT
    for sample, chain in zip(samples, expected, strict=True):
        assert sample.scores is not None
        assert list(sample.scores) == ["answer", "reasoning"]
        value = sample.scores["reasoning"].as_dict()
        for name in REASONING:
            assert value[name] == near(name, chain.metrics[name]), name
        restored = ChainScore.from_dict(sample.scores["reasoning"].metadata or {})
        assert [step.text for step in restored.steps] == [step.text for step in chain.steps]


@pytest.fixture(scope="module")
def scored(run: Callable[[str], str], samples: dict[str, Path], log: EvalLog) -> str:
    """What `stepgauge score` printed about the demo's two runs, whose chains were cut each by itself while they ran."""
    assert samples
    assert log
    return run("stepgauge score demo/lm-eval demo/inspect --out scores --set splitter=auto")


def test_finished_runs_of_both_frameworks_get_the_numbers_that_they_got_while_running(
    scored: str, folder: Path, samples: dict[str, Path], log: EvalLog
) -> None:
    assert f"{4 * LIMIT} scored, 0 skipped, 0 failed" in scored
    table = score_table(scored)
    assert [row["chains"] for row in table] == [LIMIT, LIMIT, 2 * LIMIT]
    for row in table:
        assert_numbers(row, ("accuracy", "infogain", "infogain_nats", "ki_coverage"))
    live = [
        json.loads(sample["filtered_resps"][0])["chains"][0]
        for path in samples.values()
        for sample in rows(path.parent, path.name)
        if sample["filter"] == "reasoning"
    ]
    live += [(sample.scores or {})["reasoning"].metadata for sample in log.samples or []]
    again = [row["score"] for row in rows(folder / "scores")]
    assert len(live) == len(again)
    for one, other in zip(live, again, strict=True):
        assert one["id"] == other["id"]
        for name in GAINS:
            wanted, found = (math.nan if x["metrics"][name] is None else x["metrics"][name] for x in (one, other))
            assert found == near(name, wanted), (one["id"], name)


def test_compare_finds_no_difference_between_a_run_scored_live_and_the_same_scored_again(
    run: Callable[[str], str], scored: str
) -> None:
    assert scored
    printed = run("stepgauge compare live=demo/lm-eval again=scores::SmolLM2-135M")
    for half in HALVES:
        assert f"stepgauge_demo_{half}: {LIMIT} questions in both" in printed
    assert printed.count("verdict: underpowered") == 3  # each half and both together
    means = re.findall(rf"^ *infogain_nats +nats +({NUMBER}) +({NUMBER}) +{NUMBER} +\[", printed, re.MULTILINE)
    assert len(means) == 3
    assert all(live == again for live, again in means)


def test_report_writes_a_page_and_pictures(run: Callable[[str], str], scored: str, folder: Path) -> None:
    assert scored
    run("stepgauge report live=demo/lm-eval again=scores::SmolLM2-135M --output report.html --figures figures")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "stepgauge_demo_arithmetic" in page
    cells = re.search(
        r'<th scope="row"[^>]*><button[^>]* data-term="infogain_nats" .*?</th>(.*?)</tr>', page, re.DOTALL
    )
    assert cells
    n, live, again = re.findall(rf">({NUMBER})</td>", cells[1])[:3]
    assert n == str(2 * LIMIT)
    assert live == again
    drawn = {path.stem for path in (folder / "figures").glob("*.png")}
    assert drawn == {"likelihood", "step_gains", "accuracy_infogain", "ki", "risk_coverage"}


def test_show_prints_a_chain_of_a_scored_folder(run: Callable[[str], str], scored: str) -> None:
    assert scored
    assert "(question alone)" in run("stepgauge show scores --limit 1")


def test_plugins_lists_what_is_loaded(run: Callable[[str], str]) -> None:
    listed = run("stepgauge plugins")
    assert re.search(r"^chain metric +infogain_nats +stepgauge ", listed, re.MULTILINE)
