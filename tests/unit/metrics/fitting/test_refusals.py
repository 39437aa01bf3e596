"""What is refused where a scorer was fitted: questions that it has seen, and runs of different scorers side by side."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sweeps import sweep

pytest.importorskip("accelerate")

from fitted import chains, fit_small, make_base
from scoring import rows, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics import Gauge, OverlapError, ScorerError, Trace
from stepgauge.metrics.fitting import CARD
from stepgauge.metrics.provenance import OVERLAP_NOTE as NOTE

SEEN = chains(0, 10)
FRESH = chains(20, 24)
OPTIONS = Trace("Which is red?\nA) blood\nB) grass", "Blood is red.", "blood", ("blood", "grass"), id="options")


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def fitted(base, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fit") / "fitted"
    fit_small(base, out, [*SEEN, OPTIONS], epochs=1)
    return out


@pytest.fixture(scope="module")
def gauge(fitted) -> Gauge:
    return Gauge(str(fitted), device="cpu", splitter="lines", progress=False)


@pytest.fixture(scope="module")
def forced(fitted) -> Gauge:
    return Gauge(str(fitted), device="cpu", splitter="lines", progress=False, allow_overlap=True)


# Questions that the scorer has seen
@pytest.mark.slow
def test_overlap_is_refused_with_how_many_of_how_many_and_the_first(gauge, fitted):
    with pytest.raises(OverlapError) as caught:
        gauge.score([FRESH[0], SEEN[0], SEEN[4], FRESH[1]])
    assert isinstance(caught.value, ScorerError)
    said = str(caught.value)
    assert said.startswith("2 of 4 chains answer questions that had a part in fitting scorer")
    assert str(fitted) in said
    assert repr(SEEN[0].id) in said
    assert repr(SEEN[4].id) not in said
    assert "allow_overlap" in said


def test_other_questions_are_scored_and_nothing_is_said(gauge):
    for score in gauge.score(FRESH):
        assert score.infogain_nats == score.infogain_nats
        assert score.notes == []
        assert "overlap" not in score.provenance


def test_every_question_of_the_fit_counts_those_held_out_too(gauge, fitted):
    card = json.loads((fitted / CARD).read_text())
    assert card["held_out_hashes"]
    for trace in [*SEEN, OPTIONS]:
        with pytest.raises(OverlapError, match="1 of 1"):
            gauge.score([trace])


@pytest.mark.parametrize(
    "trace",
    [
        replace(SEEN[0], question=f"QUESTION:  {SEEN[0].question.upper()}\nAnswer:"),
        replace(SEEN[0], response="Another chain.", answer="5"),
        replace(OPTIONS, question="Which is red?\n(A) grass\n(B) blood"),
        replace(OPTIONS, question="Which is red?", choices=None),
    ],
)
def test_the_same_question_in_another_form_is_the_same_question(gauge, trace):
    with pytest.raises(OverlapError):
        gauge.score([trace])


def test_allowed_chains_say_so_and_the_others_do_not(forced, gauge):
    scores = forced.score([FRESH[0], SEEN[0], FRESH[1]])
    assert [NOTE in score.notes for score in scores] == [False, True, False]
    assert [score.provenance.get("overlap") for score in scores] == [None, True, None]
    assert scores[1].infogain_nats == scores[1].infogain_nats
    assert scores[0].metrics == pytest.approx(gauge.score([FRESH[0]])[0].metrics, nan_ok=True)


def test_chains_that_the_scorer_does_not_read_are_not_refused(gauge):
    (score,) = gauge.score([replace(SEEN[0], answer=None)])
    assert score.missing["infogain"] == "no gold answer"
    assert Gauge(scorer=None).score([SEEN[0]])[0].ki == 1.0


def test_a_plain_scorer_refuses_nothing(base):
    (score,) = Gauge(str(base), device="cpu", progress=False).score([SEEN[0]])
    assert "fit" not in score.provenance


def test_questions_can_be_looked_at_before_there_are_responses(fitted, forced):
    gauge = Gauge(str(fitted), device="cpu")
    asked = [replace(trace, response="") for trace in [*FRESH, SEEN[0]]]
    assert gauge.check_overlap(asked[:-1]) == []
    with pytest.raises(OverlapError, match=f"1 of {len(asked)} "):
        gauge.check_overlap(iter(asked))
    assert gauge.statistics() is None  # the model was not loaded for it
    assert forced.check_overlap(asked) == [len(FRESH)]


@pytest.mark.parametrize("damage", ["{", '{"format": 9}', '{"format": 1, "id": "a", "question_hashes": 3}', "[]"])
def test_a_card_that_cannot_be_read_is_an_error_and_not_no_card(fitted, tmp_path, damage):
    shutil.copytree(fitted, tmp_path / "damaged")
    (tmp_path / "damaged" / CARD).write_text(damage)
    gauge = Gauge(str(tmp_path / "damaged"), device="cpu")
    for attempt in (gauge.preflight, lambda: gauge.score([FRESH[0]]), lambda: gauge.backend):
        with pytest.raises(ScorerError, match=r"not a card of a fitted scorer.*not known"):
            attempt()


@pytest.mark.parametrize("value", ["yes", "false", 1, None])
def test_allow_overlap_is_true_or_false(value):
    with pytest.raises(ValueError, match=r"allow_overlap .*: expected true or false"):
        Gauge(scorer=None, allow_overlap=value)


@pytest.mark.slow
def test_the_check_needs_neither_torch_nor_trainer(fitted):
    code = (
        "import sys\nfrom stepgauge.metrics import Gauge, Trace\n"
        f"gauge = Gauge({str(fitted)!r})\n"
        "print(gauge.check_overlap([Trace('New?', '', '1')]), 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] False False"


@pytest.mark.slow
def test_a_fitted_scorer_on_the_hub_is_known_by_its_card(fitted, base, tmp_path):
    """In the hub's cache on disk, as a download leaves it."""
    commit = "1" * 40
    for name, folder in (("fitted", fitted), ("plain", base)):
        repo = tmp_path / f"models--team--{name}"
        shutil.copytree(folder, repo / "snapshots" / commit)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(commit)
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in SEEN])

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        program = "import sys; from stepgauge.adapters.cli import main; sys.exit(main())"
        env = {**os.environ, "HF_HUB_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", program, *map(str, args), "--device", "cpu"]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    refused = run("score", source, "--out", tmp_path / "out", "--scorer", "team/fitted")
    assert refused.returncode == 2
    assert f"{len(SEEN)} of {len(SEEN)} chains" in refused.stderr
    taken = run("score", source, "--out", tmp_path / "plain", "--scorer", "team/plain")
    assert taken.returncode == 0, taken.stderr
    assert rows(tmp_path / "plain")[0]["score"]["provenance"]["revision"] == commit
    made = run("fit", "--traces", source, "--out", tmp_path / "again", "--scorer", "team/plain", "--epochs", 1)
    assert made.returncode == 0, made.stderr
    assert json.loads((tmp_path / "again" / CARD).read_text())["base"]["revision"] == commit


# Its doors


def score_command(source: Path, out: Path, *args: object) -> int:
    return main(["score", *map(str, [source, "--out", out, "--set", "splitter=lines", "--device", "cpu", *args])])


def test_score_stops_before_the_first_chain_with_one_error(fitted, tmp_path, capsys):
    # The chain that overlaps comes last, in a window of its own.
    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in [*FRESH, SEEN[0]]])
    out = tmp_path / "out"
    command = (source, out, "--scorer", fitted, "--window", 2)
    assert score_command(*command) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"stepgauge: 1 of {len(FRESH) + 1} chains")
    assert "(--allow-overlap)" in error
    assert len(error.splitlines()) == 1
    assert not out.exists()
    assert score_command(*command, "--allow-overlap") == 0
    told = [row["score"]["provenance"].get("overlap") for row in rows(out)]
    assert told == [None] * len(FRESH) + [True]
    assert NOTE in rows(out)[-1]["score"]["notes"]
    assert score_command(*command[:1], tmp_path / "set", *command[2:], "--set", "allow_overlap=true") == 0
    assert score_command(*command[:1], tmp_path / "limit", *command[2:], "--limit", len(FRESH)) == 0


def test_an_overlap_amid_a_run_ends_it_and_is_no_chains_failure(gauge, tmp_path):
    from stepgauge.adapters.formats.detect import find_sources
    from stepgauge.adapters.offline.out_folder import OutFolder
    from stepgauge.adapters.offline.run import score_all

    source = write_jsonl(tmp_path / "in.jsonl", [trace.to_dict() for trace in [*FRESH, SEEN[0]]])
    with OutFolder(tmp_path / "out", {}) as out, pytest.raises(OverlapError):
        score_all(find_sources([str(source)]), gauge, out, window=2)
    assert len(rows(tmp_path / "out")) == 4
    assert all(row["failed"] is None for row in rows(tmp_path / "out"))


@pytest.fixture
def harness():
    pytest.importorskip("lm_eval")
    import scripted_lm

    from stepgauge.adapters.lm_eval import StepTask

    traces = [SEEN[0], *FRESH[:1]]

    class Harness:
        lm = scripted_lm.ScriptedLM({trace.question: [trace.response] for trace in traces})

        def run(self, scorer: Path, changes: dict | None = None, **options):
            config = {
                "task": "balls",
                "class": StepTask,
                "custom_dataset": scripted_lm.documents([{"question": t.question, "answer": t.answer} for t in traces]),
                "test_split": "test",
                "output_type": "generate_until",
                "doc_to_text": "Question: {{question}}\nAnswer:",
                "doc_to_target": "{{answer}}",
                "generation_kwargs": {"until": ["Question:"]},
                "metric_list": [{"metric": "exact_match"}],
                "stepgauge": {"scorer": str(scorer), "device": "cpu", "splitter": "lines", **options},
                **(changes or {}),
            }
            return scripted_lm.evaluate(self.lm, config)

    return Harness()


def test_lm_eval_stops_before_anything_is_generated(harness, fitted):
    with pytest.raises(OverlapError, match=r"task 'balls', stepgauge options: 1 of 2 chains.*'balls/0'.*allow_overlap"):
        harness.run(fitted)
    assert harness.lm.n_requests == 0


def test_lm_eval_goes_on_where_allowed_and_says_so(harness, fitted):
    results = harness.run(fitted, allow_overlap=True)
    samples = [one for one in results["samples"]["balls"] if one["filter"] == "reasoning"]
    found = [json.loads(one["filtered_resps"][0])["chains"][0] for one in samples]
    assert [chain["provenance"].get("overlap") for chain in found] == [True, None]
    assert [NOTE in chain["notes"] for chain in found] == [True, False]


def test_lm_evals_filter_leaves_such_a_task_unscored_with_the_reason(fitted):
    pytest.importorskip("lm_eval")
    from stepgauge.adapters.lm_eval import ReasoningFilter

    options = {"scorer": str(fitted), "device": "cpu", "question": "{{question}}", "gold": "{{answer}}"}
    docs = [{"question": trace.question, "answer": trace.answer} for trace in (SEEN[0], FRESH[0])]
    answers = [["A step."], ["A step."]]
    refused = ReasoningFilter(**options).apply(answers, docs)
    assert (
        "1 of 2 chains answer questions that had a part" in json.loads(refused[0])["chains"][0]["missing"]["infogain"]
    )
    allowed = ReasoningFilter(**options, allow_overlap=True).apply(answers, docs)
    assert [json.loads(one)["chains"][0]["provenance"].get("overlap") for one in allowed] == [True, None]


def test_lm_evals_command_knows_the_option():
    pytest.importorskip("lm_eval")
    from stepgauge.adapters.cli.lm_eval import UserError, check_options, split_arguments

    _, options = split_arguments(["--stepgauge", "scorer=null", "allow_overlap=true"])
    assert options == {"scorer": None, "allow_overlap": True}
    check_options(options)
    with pytest.raises(UserError, match="--stepgauge: allow_overlap 'maybe': expected true or false"):
        check_options({"scorer": None, "allow_overlap": "maybe"})


def inspect_run(fitted: Path, tmp_path: Path, **options):
    pytest.importorskip("inspect_ai")
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match

    from stepgauge.adapters.inspect import reasoning

    traces = [FRESH[0], SEEN[0]]
    samples = [Sample(input=trace.question, target=str(trace.answer), id=trace.id) for trace in traces]
    answers = [ModelOutput.from_content("mockllm/model", trace.response) for trace in traces]
    for answer in answers:
        answer.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    scorer = reasoning(scorer=str(fitted), device="cpu", splitter="lines", **options)
    task = Task(dataset=samples, scorer=[match(numeric=True), scorer])
    model = get_model("mockllm/model", custom_outputs=answers)
    (log,) = inspect_eval(task, model=model, log_dir=str(tmp_path), display="none", max_samples=1)
    return log


@pytest.mark.slow
def test_inspect_ends_the_run_with_the_reason(fitted, tmp_path):
    log = inspect_run(fitted, tmp_path)
    assert log.status == "error"
    assert log.error is not None
    assert "1 of 1 chains answer questions that had a part in fitting scorer" in log.error.message
    assert repr(SEEN[0].id) in log.error.message


@pytest.mark.slow
def test_inspect_goes_on_where_allowed_and_says_so(fitted, tmp_path):
    log = inspect_run(fitted, tmp_path, allow_overlap=True)
    assert log.status == "success"
    told = {sample.id: sample.scores["reasoning"].metadata for sample in log.samples or []}
    assert told[SEEN[0].id]["provenance"]["overlap"] is True
    assert NOTE in told[SEEN[0].id]["notes"]
    assert "overlap" not in told[FRESH[0].id]["provenance"]


# Runs of different scorers


@pytest.fixture(scope="module")
def runs(base, fitted, tmp_path_factory) -> Path:
    """The same chains scored by the base, by two fits of it, and by the first of them from another place."""
    root = tmp_path_factory.mktemp("runs")
    other = root / "other"
    fit_small(base, other, [*SEEN, OPTIONS], epochs=1, seed=1)
    shutil.copytree(fitted, root / "moved")
    source = write_jsonl(root / "in.jsonl", [trace.to_dict() for trace in FRESH])
    for name, scorer in (("plain", base), ("fit", fitted), ("refit", other), ("elsewhere", root / "moved")):
        assert score_command(source, root / "runs" / name, "--scorer", scorer) == 0
    return root / "runs"


def compare(runs: Path, one: str, other: str, *more: str) -> int:
    return main(["compare", f"{one}={runs / one}", f"{other}={runs / other}", "--resamples", "999", *more])


@pytest.mark.parametrize(
    ("one", "other"),
    sweep([("plain", "fit"), ("fit", "plain"), ("fit", "refit")], [("plain", "fit"), ("fit", "refit")]),
)
def test_runs_of_different_fits_are_refused_by_the_fit(runs, capsys, one, other):
    assert compare(runs, one, other) == 2
    error = capsys.readouterr().err
    assert "different settings of 'fit'" in error
    for name in {one, other} - {"plain"}:
        assert rows(runs / name)[0]["score"]["provenance"]["fit"] in error
    assert "--force" in error
    assert compare(runs, one, other, "--force") == 0
    assert "different settings of 'fit'" in capsys.readouterr().out


def test_a_fitted_folder_that_was_moved_is_the_same_scorer(runs, capsys):
    one, other = (rows(runs / name)[0]["score"]["provenance"] for name in ("fit", "elsewhere"))
    assert one["source"] != other["source"]
    assert compare(runs, "fit", "elsewhere") == 0
    printed = capsys.readouterr().out
    assert "different settings" not in printed
    assert one["fit"] == other["fit"]
