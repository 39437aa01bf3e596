"""`load_runs`: scored runs of three kinds become `Run`s that pair, and whatever is wrong with one is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, write_eval_log
from inspect_ai.model import ChatMessageAssistant, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from lm_eval.loggers import EvaluationTracker
from pyarrow import parquet
from scoring import rows, score, traces, write_jsonl
from scripted_lm import ScriptedLM, documents, evaluate

from stepgauge.adapters.cli import main
from stepgauge.adapters.formats.options import OptionError
from stepgauge.adapters.inspect import knowledge, reasoning, steps_df
from stepgauge.adapters.lm_eval import StepTask
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics.comparison.pairs import pair_runs
from stepgauge.metrics.comparison.record import Record, Run, question_hash

SUMS = [
    {"question": "Anna has 3 apples and buys 4 more. How many has she?", "answer": "7", "category": "fruit"},
    {"question": "Ben has 9 pears and eats 5. How many are left?", "answer": "4", "category": "fruit"},
    {"question": "Cleo reads 2 books a day for 3 days. How many is that?", "answer": "6", "category": "books"},
]
SCRIPT = {
    "Anna": ["She has 3 apples.\n3 + 4 = 7\nThe answer is 7.", "3 + 4 = 7, I think.\nThe answer is 7."],
    "Ben": ["He eats 5 of 9.\nThat leaves 9 - 5 = 3.\nThe answer is 3."],
    "Cleo": ["2 * 3 = 6, so she reads\nThe answer is 6 books, since"],
}
CUT_OFF = "Cleo"


def lm_eval_run(
    folder: Path, script: dict[str, list[str]] = SCRIPT, task: str = "sums", filters: int = 1, **more: Any
) -> Path:
    """A real run with its files as lm-eval writes them below `folder`; returns the samples file."""
    config = {
        "task": task,
        "custom_dataset": documents(SUMS),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["Question:"]},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        "filter_list": [
            {
                "name": name,
                "filter": [{"function": "regex", "regex_pattern": pattern}, {"function": "take_first"}],
            }
            for name, pattern in (("strict", r"answer is (\d+)\."), ("flexible", r"answer is (\d+)"))[-filters:]
        ],
        **more,
    }
    tracker = EvaluationTracker(output_path=str(folder))
    before = set(folder.rglob("samples_*.jsonl"))
    results = evaluate(ScriptedLM(script), config, log_samples=True, evaluation_tracker=tracker)
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name=task, samples=samples[task])
    (path,) = set(folder.rglob("samples_*.jsonl")) - before
    return path


def scored_live(scorer: str | None, **more: Any) -> dict[str, Any]:
    return {"class": StepTask, "stepgauge": {"scorer": scorer, "device": "cpu", "dtype": "float32", **more}}


def respond(messages: Any, *_: Any) -> ModelOutput:
    question = messages[-1].text
    start = next(start for start in SCRIPT if question.startswith(start))
    message = ChatMessageAssistant(content=SCRIPT[start][0])
    output = ModelOutput.from_message(message, stop_reason="max_tokens" if start == CUT_OFF else "stop")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return output


def inspect_run(folder: Path, scorers: list[Any], **options: Any) -> EvalLog:
    """A real run; its log is in `folder`."""
    dataset = [
        Sample(id=i, input=row["question"], target=row["answer"], metadata={"category": row["category"]})
        for i, row in enumerate(SUMS)
    ]
    task = Task(dataset=dataset, solver=generate(), scorer=[includes(), *scorers], name="sums")
    model = get_model("mockllm/model", custom_outputs=respond)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none", **options)
    assert log.status == "success", log.error
    return log


def one(*specs: object, **options: Any) -> Run:
    (run,) = load_runs([str(spec) for spec in specs], **options)
    return run


def chat_scores(folder: Path, models: tuple[str | None, ...] = ("base",), count: int = 3) -> Path:
    """What `stepgauge score` writes for chats of several models."""
    written = [
        {**trace, "meta": {"model": model, "task": "adding", "category": "even" if i % 2 == 0 else "odd", "doc_id": i}}
        for model in models
        for i, trace in enumerate(traces(count))
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    source = write_jsonl(folder.parent / f"{folder.name}.chats.jsonl", written)
    assert score(source, "--out", folder, "--set", "scorer=null") == 0
    source.unlink()
    return folder


@pytest.fixture(scope="module")
def routes(tmp_path_factory, tiny_scorer) -> dict[str, Run]:
    """The same questions and responses through every route, with the same scoring LM."""
    folder = tmp_path_factory.mktemp("routes")
    lm_eval_run(folder / "lm-eval", **scored_live(tiny_scorer))
    inspect_run(folder / "inspect", [reasoning(scorer=tiny_scorer, device="cpu", dtype="float32")])
    options = ["--set", f"scorer={tiny_scorer}", "--set", "device=cpu", "--set", "dtype=float32", "--parquet"]
    for name in ("lm-eval", "inspect"):
        assert score(folder / name, "--out", folder / f"{name}-again", *options, cheap=False) == 0
    return {name: one(folder / name) for name in ("lm-eval", "inspect", "lm-eval-again", "inspect-again")}


@pytest.mark.parametrize("route", ["inspect", "lm-eval-again", "inspect-again"])
def test_every_route_gives_the_same_questions_numbers_and_accuracies(routes, route):
    live, other = routes["lm-eval"].records, routes[route].records
    assert len(live) == len(other) == len(SUMS)
    for expected, got, row in zip(live, other, SUMS, strict=True):
        assert expected.question_hash == got.question_hash == question_hash(row["question"])
        assert expected.question == got.question == row["question"]
        assert (expected.doc_id, expected.subject, list(expected.answer), expected.task) == (
            got.doc_id,
            got.subject,
            list(got.answer),
            got.task,
        )
        assert expected.subject == row["category"]
        assert list(expected.answer) == [row["answer"]]
        assert [step.text for step in expected.score.steps] == [step.text for step in got.score.steps]
        assert expected.score.missing == got.score.missing
        assert expected.score.metrics["infogain_nats"] == expected.score.metrics["infogain_nats"]
        for name, value in expected.score.metrics.items():
            assert got.score.metrics[name] == pytest.approx(value, abs=1e-3, rel=1e-6, nan_ok=True), name
    correct = [[*record.accuracy.values()] for record in other if record.doc_id != "2"]
    assert correct == [[*record.accuracy.values()] for record in live if record.doc_id != "2"] == [[1.0], [0.0]]


@pytest.mark.parametrize("route", ["lm-eval", "inspect", "lm-eval-again", "inspect-again"])
def test_show_says_of_every_route_whether_the_answer_is_right(routes, route, capsys):
    for flags, number, question, gold, answer, verdict in (
        ([], "1 of 3", SUMS[0]["question"], "7", "7", "✓ right"),
        (["--wrong"], "1 of 1", SUMS[1]["question"], "4", "3", "✗ wrong"),
    ):
        capsys.readouterr()
        assert main(["show", routes[route].source, *flags, "--width", "160"]) == 0
        said = capsys.readouterr().out
        assert re.search(rf"^{number}  id \S+  task sums$", said, re.MULTILINE)
        assert question in said
        assert f"gold answer: {gold}\n" in said
        assert re.search(rf"^model's answer: {answer}\b.* – {verdict} \((exact_match|includes)", said, re.MULTILINE), (
            said
        )


def test_truncation_is_known_where_the_input_says_it(routes):
    assert [record.truncated for record in routes["inspect"].records] == [False, False, True]
    assert [record.truncated for record in routes["inspect-again"].records] == [False, False, True]
    assert [record.truncated for record in routes["lm-eval"].records] == [None] * 3
    table = parquet.read_table(Path(routes["inspect-again"].source) / "scores.parquet")
    assert table["truncated"].to_pylist() == [False, False, True]


def test_runs_are_called_by_their_model(routes):
    assert routes["inspect"].name == routes["inspect-again"].name == "mockllm/model"
    assert routes["lm-eval"].name == routes["lm-eval-again"].name


def test_lm_eval_metrics_of_several_filters_keep_their_filters_names(tmp_path):
    path = lm_eval_run(tmp_path, filters=2, **scored_live(None))
    run = one(path)
    assert [record.accuracy for record in run.records] == [
        {"exact_match,strict": 1.0, "exact_match,flexible": 1.0, "exact_match": 1.0},
        {"exact_match,strict": 0.0, "exact_match,flexible": 0.0, "exact_match": 0.0},
        {"exact_match,strict": 0.0, "exact_match,flexible": 1.0, "exact_match": 0.0},
    ]
    assert any("strict, flexible" in note for note in run.notes)
    again = tmp_path / "again"
    assert score(path, "--out", again) == 0
    assert [record.accuracy["exact_match"] for record in one(again).records] == [1.0, 0.0, 0.0]


def test_repeats_of_lm_eval_are_records_of_their_own(tmp_path):
    lm_eval_run(tmp_path, repeats=2, **scored_live(None))
    records = one(tmp_path).records
    assert [record.doc_id for record in records] == ["0", "0", "1", "1", "2", "2"]
    assert [records[0].score.n_steps, records[1].score.n_steps] == [3, 2]


def test_newest_of_several_lm_eval_runs_of_a_task_is_taken_and_a_note_says_so(tmp_path):
    old = lm_eval_run(tmp_path, **scored_live(None))
    new = lm_eval_run(tmp_path, {**SCRIPT, "Ben": ["9 - 5 = 4\nThe answer is 4."]}, **scored_live(None))
    run = one(tmp_path)
    assert [record.accuracy["exact_match"] for record in run.records] == [1.0, 1.0, 1.0]
    assert any(new.name in note and f"left out: {old.name}" in note for note in run.notes)
    new.unlink()
    assert [record.accuracy["exact_match"] for record in one(tmp_path).records] == [1.0, 0.0, 1.0]


def test_folder_mixes_tasks_and_says_which_files_hold_no_scores(tmp_path):
    lm_eval_run(tmp_path, task="first", **scored_live(None))
    lm_eval_run(tmp_path, task="second", **scored_live(None))
    unscored = lm_eval_run(tmp_path, task="third")
    run = one(tmp_path)
    assert [record.task for record in run.records] == ["first"] * 3 + ["second"] * 3
    assert any("1 file without scores" in note and unscored.name in note for note in run.notes)
    assert {record.task for record in one(tmp_path, where=["task=second"]).records} == {"second"}


def test_chain_that_lm_eval_could_not_score_stays_as_a_record_without_numbers(tmp_path):
    lm_eval_run(tmp_path, {**SCRIPT, "Ben": [""]}, **scored_live(None))
    record = one(tmp_path).records[1]
    assert record.score.n_steps == 0
    assert record.score.missing["ki"]


@pytest.mark.slow
def test_richest_of_our_scorers_is_taken_and_a_note_says_so(tmp_path, tiny_scorer):
    full = reasoning(scorer=tiny_scorer, device="cpu", dtype="float32")
    inspect_run(tmp_path / "logs", [knowledge(), full], epochs=2)
    run = one(tmp_path / "logs")
    assert len(run.records) == 6
    assert all(record.score.log_likelihoods for record in run.records)
    assert all(record.accuracy.keys() == {"includes"} for record in run.records)
    assert any("knowledge, reasoning; reasoning was taken" in note for note in run.notes)


@pytest.mark.slow
def test_newest_scored_inspect_log_is_taken(tmp_path, monkeypatch):
    log = inspect_run(tmp_path, [])
    assert not any(record.scored for record in one(tmp_path).records)
    rescored = inspect_score(log, knowledge(), action="append", display="none")
    write_eval_log(rescored, tmp_path / "again.json")
    run = one(tmp_path)
    assert len(run.records) == 3
    assert any("again.json was taken" in note for note in run.notes)
    monkeypatch.setitem(SCRIPT, "Ben", ["9 - 5 = 4\nThe answer is 4."])
    newer = Path(inspect_run(tmp_path, [knowledge()]).location)
    run = one(tmp_path)
    assert [record.accuracy["includes"] for record in run.records] == [1.0, 1.0, 1.0]
    assert any(f"{newer.name} was taken" in note for note in run.notes)


def test_row_that_failed_stays_with_its_reason(tmp_path):
    source = write_jsonl(
        tmp_path / "in.jsonl", [*traces(2), {**traces(1)[0], "response": "CANNOT BE SCORED", "id": "x"}]
    )
    assert score(source, "--out", tmp_path / "out", "--window", 1) == 0
    records = one(tmp_path / "out").records
    assert len(records) == 3
    assert "cannot be scored" in records[2].score.missing["infogain"]
    assert records[2].score.infogain != records[2].score.infogain


def test_run_that_was_stopped_is_read_up_to_its_last_whole_window(tmp_path):
    source = write_jsonl(tmp_path / "in.jsonl", traces(4))
    out = tmp_path / "out"
    assert score(source, "--out", out, "--window", 2) == 0
    windows = (out / "windows.jsonl").read_text().splitlines(keepends=True)
    (out / "windows.jsonl").write_text(windows[0])
    scores = (out / "scores.jsonl").read_text()
    (out / "scores.jsonl").write_text(scores[:-40])
    run = one(out)
    assert len(run.records) == 2
    assert any("scoring was stopped before its end, after 2 chains" in note for note in run.notes)


def test_file_of_an_older_version_says_nothing_about_truncation(tmp_path):
    out = chat_scores(tmp_path / "out")
    old = [{name: value for name, value in row.items() if name != "truncated"} for row in rows(out)]
    assert [record.truncated for record in one(write_jsonl(tmp_path / "old.jsonl", old)).records] == [None] * 3


def test_what_else_stands_in_a_scored_folder_is_not_read_twice(tmp_path):
    inspect_run(tmp_path / "logs", [])
    assert score(tmp_path / "logs", "--out", tmp_path / "out", "--set", "scorer=null", "--write-logs") == 0
    assert len(one(tmp_path / "out").records) == 3
    assert len(one(tmp_path / "out" / "logs").records) == 3


MODELS = ("org/base-7b", "org/tuned-7b", "org/tuned-7b-long")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    return chat_scores(tmp_path_factory.mktemp("mixed") / "scores", MODELS)


def test_folder_of_several_models_is_a_run_each_where_it_stands_alone(mixed):
    runs = load_runs([str(mixed)])
    assert [(run.name, len(run.records)) for run in runs] == [(model, 3) for model in MODELS]
    assert [record.question_hash for record in runs[0].records] == [record.question_hash for record in runs[1].records]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("org/tuned-7b", "org/tuned-7b"),
        ("LONG", "org/tuned-7b-long"),
        ("Base", "org/base-7b"),
        ("ORG/TUNED-7B", MODELS[1]),
    ],
)
def test_model_is_chosen_by_exact_name_or_a_part_of_it(mixed, model, found):
    assert one(f"{mixed}::{model}").name == found
    assert [run.name for run in load_runs([f"a={mixed}::{model}", f"{mixed}/scores.jsonl::base"])] == ["a", MODELS[0]]


def test_where_has_alternatives_of_one_field_and_needs_all_fields(mixed):
    def ids(*where: str) -> list[tuple[str, str | None]]:
        return [(run.name, record.doc_id) for run in load_runs([str(mixed)], where=where) for record in run.records]

    assert ids("model=org/base-7b", "subject=even") == [("org/base-7b", "0"), ("org/base-7b", "2")]
    assert ids("model=org/base-7b", "doc_id=1", "doc_id=2") == [("org/base-7b", "1"), ("org/base-7b", "2")]
    assert {name for name, _ in ids("model=org/base-7b", "model=org/tuned-7b")} == set(MODELS[:2])


NAMES: dict[str, tuple[list[str], list[str]]] = {
    "by model": (["base", "lr=1e-5"], ["base", "tuned"]),
    "given": (["a=base", "b=lr=1e-5"], ["a", "b"]),
    "given with a model": (["a=base", "b=lr=1e-5::tune"], ["a", "b"]),
    "path with '=' and a model": (["base", "lr=1e-5::tuned"], ["base", "tuned"]),
    "file": (["base/scores.jsonl", "lr=1e-5/scores.jsonl"], ["base", "tuned"]),
    "alike, told apart by folder": (["ckpt/100/out", "ckpt/200/out", "base"], ["100", "200", "base"]),
    "alike, folder and file": (["ckpt/100/out/scores.jsonl", "ckpt/200/out"], ["100", "200"]),
    "alike, at different depths": (["ckpt/100/out", "late"], ["ckpt/100/out", "late"]),
    "one of them named": (["ckpt/100/out", "x=ckpt/200/out"], ["llama", "x"]),
    "named as another's model": (["base", "base=lr=1e-5"], ["base (base)", "base"]),
    "same run under two names": (["a=base", "b=base"], ["a", "b"]),
    "no model in the file": (["nameless", "base"], ["nameless", "base"]),
    "folder below": (["all"], ["one"]),
    "models in folders": (["paths/a", "paths/b"], ["checkpoint-100", "checkpoint-200"]),
    "models in folders called alike": (["paths/a", "paths/c"], ["tmp1/checkpoint-100", "tmp2/checkpoint-100"]),
    "model in a folder called as a given name": (
        ["paths/a", "checkpoint-100=base"],
        ["checkpoint-100 (a)", "checkpoint-100"],
    ),
    "model chosen by the end of its path": (["base", "paths/a::checkpoint-100"], ["base", "checkpoint-100"]),
    "model in the hub's cache": (["base", "paths/d"], ["base", "org/llama"]),
    "Inspect's model in a folder": (["base", "paths/e"], ["base", "final"]),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Folders of scored runs: {path: model}."""
    root = tmp_path_factory.mktemp("tree")
    models = {
        "base": "base",
        "lr=1e-5": "tuned",
        "ckpt/100/out": "llama",
        "ckpt/200/out": "llama",
        "late": "llama",
        "nameless": None,
        "all/deep/er": "one",
        "paths/a": "/tmp/tmp1/checkpoint-100",
        "paths/b": "/tmp/tmp1/checkpoint-200/",
        "paths/c": "/tmp/tmp2/checkpoint-100",
        "paths/d": "/home/me/.cache/huggingface/hub/models--org--llama/snapshots/0a1b2c",
        "paths/e": "hf//tmp/tmp1/final",
    }
    for path, model in models.items():
        chat_scores(root / path, (model,))
    return root


@pytest.mark.parametrize("case", NAMES)
def test_runs_get_names_that_tell_them_apart(tree, monkeypatch, case):
    monkeypatch.chdir(tree)
    specs, names = NAMES[case]
    assert [run.name for run in load_runs(specs)] == names


def spoil(row: int, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    """A change to one row of a scored file."""

    def apply(tree: Path) -> Path:
        written = rows(tree / "base")
        change(written[row - 1])
        return write_jsonl(tree / "spoilt.jsonl", written)

    return apply


def text_file(name: str, *lines: object) -> Callable[[Path], Path]:
    return lambda tree: write_jsonl(tree / name, lines)


SPOILT_ROWS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "not JSON": (lambda t: write_jsonl(t / "s.jsonl", [*rows(t / "base"), "{oops"]), ("s.jsonl, row 4", "not JSON")),
    "no question": (spoil(2, lambda row: row.pop("question")), ("row 2", "no field 'question'")),
    "no score": (spoil(2, lambda row: row.update(score=3)), ("row 2", "field 'score'", "got 3")),
    "no steps": (spoil(3, lambda row: row["score"].pop("steps")), ("row 3", "field 'score': no 'steps'")),
    "no number": (
        spoil(1, lambda row: row["score"]["metrics"].update(ki="high")),
        ("row 1", "field 'score.metrics.ki'", "'high'"),
    ),
    "accuracy": (spoil(1, lambda row: row.update(accuracy={"a": "x"})), ("row 1", "field 'accuracy.a'", "'x'")),
    "truncated": (spoil(1, lambda row: row.update(truncated="no")), ("field 'truncated'", "true or false", "'no'")),
    "answer": (spoil(1, lambda row: row.update(answer="7")), ("field 'answer'", "list of texts")),
    "doc_id": (spoil(1, lambda row: row.update(doc_id=True)), ("field 'doc_id'", "text or a whole number")),
}

UNREADABLE: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "scores without questions": (
        lambda t: write_jsonl(t / "bare.jsonl", [row["score"] for row in rows(t / "base")]),
        ("without their questions",),
    ),
    "results file": (text_file("results_x.json", '{"results": {}}'), ("results file", "samples_*.jsonl")),
    "text": (text_file("notes.txt", "hello"), ("neither JSON nor JSON Lines", "what `stepgauge score` wrote")),
    "empty file": (text_file("empty.jsonl"), ("the file is empty", "lm-eval's output")),
    "other rows": (text_file("other.jsonl", {"a": 1}), ("not a run", "fields a", "Inspect logs")),
    "no row": (text_file("s.jsonl", "{oops", "[]"), ("none of its rows is; the first: not JSON",)),
    "not one of our rows": (
        lambda t: write_jsonl(t / "s.jsonl", [{**row, "score": 3} for row in rows(t / "base")]),
        ("no row in it can be read", "s.jsonl, row 1", "field 'score'"),
    ),
    "damaged log": (lambda t: _write(t / "d" / "x.eval", b"PK\x03\x04rest"), ("cannot be read: BadZipFile",)),
}


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path.parent


@pytest.mark.parametrize("case", SPOILT_ROWS)
def test_row_that_cannot_be_read_is_left_out_with_file_row_and_field(tree, case, caplog):
    make, said = SPOILT_ROWS[case]
    path = make(tree)
    run = one(path)
    assert len(run.records) == len([row for row in path.read_text().splitlines() if row != "{oops"]) - (
        case != "not JSON"
    )
    [note] = [note for note in run.notes if "1 row that cannot be read left out" in note]
    for part in (*said, str(path)):
        assert part in note
        assert part in caplog.text


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_cannot_be_read_is_one_error_that_names_the_file(tree, case):
    make, said = UNREADABLE[case]
    path = make(tree)
    with pytest.raises(OptionError) as error:
        load_runs([str(path)])
    for part in said:
        assert part in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


ERRORS: dict[str, tuple[list[str], list[str], tuple[str, ...]]] = {
    "nothing": ([], [], ("no run given", "[NAME=]PATH[::MODEL]")),
    "empty": ([""], [], ("an empty path", "lm-eval's output")),
    "no path": (["name="], [], ("name=: no path",)),
    "no such path": (["a=nowhere"], [], ("nowhere: no such file or folder", "scores.jsonl", "Inspect logs")),
    "no such path with a model": (["nowhere::x"], [], ("nowhere: no such file or folder",)),
    "no name": (["=base"], [], ("nothing before '='",)),
    "no model": (["base::"], [], ("no model after '::'",)),
    "name twice": (["a=base", "a=late"], [], ("'a' is given to 2 runs",)),
    "run twice": (["base", "base/scores.jsonl"], [], ("given twice", "NAME=PATH")),
    "unknown model": (["base::bse"], [], ("base::bse", "did you mean 'base'")),
    "several models": (["three", "base"], [], ("holds 3 models: m-a, m-b, n", "'three::m-a'")),
    "several models under a name": (["x=three"], [], ("'x=three::m-a'",)),
    "several models fit": (["three::m-"], [], ("three::m-: fits several models: m-a, m-b",)),
    "copies": (["ckpt"], [], ("both hold chains of model 'llama'", "100", "200", "task 'adding'")),
    "folder without runs": (["hollow"], [], ("hollow: no run in this folder", "readme.json")),
    "unknown field": (["base"], ["sujbect=odd"], ("unknown field 'sujbect'", "did you mean 'subject'")),
    "no value": (["base"], ["subject"], ("--where 'subject'", "FIELD=VALUE")),
    "nothing fits": (["base"], ["subject=none"], ("no chain fits --where subject=none", "subject has even, odd")),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_meant_is_one_clear_error(tree, monkeypatch, case):
    monkeypatch.chdir(tree)
    if not Path("three").exists():
        chat_scores(tree / "three", ("m-a", "m-b", "n"))
        _write(tree / "hollow" / "readme.json", b'{"a": 1}\n')
    specs, where, said = ERRORS[case]
    with pytest.raises(OptionError) as error:
        load_runs(specs, where=where)
    for part in said:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The samples file with its first row of our filter changed."""
    written = rows(path.parent, path.name)
    change(next(row for row in written if row["filter"] == "reasoning"))
    return write_jsonl(path, written)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.update(filtered_resps=["{"]), "field 'filtered_resps': expected scores as JSON"),
        (lambda row: row.update(filtered_resps=["[]"]), "no list 'chains'"),
        (
            lambda row: row.update(filtered_resps=['{"chains": [{}]}']),
            "field 'filtered_resps': field 'score': no 'steps'",
        ),
        (
            lambda row: row.update(filtered_resps=[row["filtered_resps"][0].replace('"format": 2', '"format": 3')]),
            "field 'filtered_resps': written in format 3; this stepgauge (",
        ),
        (lambda row: row.update(doc_id=1), "1 has scores in row"),
        (lambda row: row.update(doc_id=None), "field 'doc_id'"),
        (lambda row: row.pop("doc"), "not a sample of lm-eval"),
    ],
)
def test_damaged_row_of_lm_eval_costs_its_document_and_is_named(tmp_path, change, said):
    before = lm_eval_run(tmp_path, **scored_live(None))
    whole = len(one(tmp_path).records)
    path = edited(before, change)
    if "format 3" in said:
        with pytest.raises(OptionError, match=re.escape(f"{path}, row ")) as error:
            one(tmp_path)
        assert said in str(error.value)
        return
    run = one(tmp_path)
    assert len(run.records) == whole - 1
    [note] = [note for note in run.notes if "1 row that cannot be read left out" in note]
    assert f"the first: {path}, row " in note
    assert said in note


def test_run_whose_files_name_no_model_is_called_by_its_folder(tmp_path):
    path = lm_eval_run(tmp_path, **scored_live(None))
    (results,) = path.parent.glob("results_*.json")
    content = json.loads(results.read_text())
    del content["model_name"], content["config"]["model"]
    results.write_text(json.dumps(content))
    assert [one(spec).name for spec in (path, tmp_path)] == [path.parent.name, tmp_path.name]


def test_samples_of_inspect_without_a_chain_are_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setitem(SCRIPT, "Ben", [""])
    inspect_run(tmp_path, [knowledge(turns="last")])
    run = one(tmp_path)
    assert [record.doc_id for record in run.records] == ["0", "2"]
    assert any("1 sample without a score of ours, left out" in note for note in run.notes)


def test_score_of_inspect_that_cannot_be_read_costs_its_sample_and_is_named(tmp_path):
    log = inspect_run(tmp_path / "logs", [knowledge()])
    metadata = (log.samples or [])[1].scores["knowledge"].metadata
    del metadata["metrics"]
    Path(log.location).unlink()
    write_eval_log(log, tmp_path / "logs" / "changed.eval")
    run = one(tmp_path / "logs")
    assert [record.doc_id for record in run.records] == ["0", "2"]
    assert any("changed.eval, sample 1, epoch 1, score 'knowledge': not a chain score" in note for note in run.notes)


def test_score_of_inspect_in_a_later_format_is_named_by_every_reader(tmp_path, capsys):
    log = inspect_run(tmp_path / "logs", [knowledge()])
    (log.samples or [])[1].scores["knowledge"].metadata["format"] = 3
    changed = tmp_path / "changed.eval"
    write_eval_log(log, changed)
    said = r"changed\.eval, sample 1, epoch 1, score 'knowledge': .*written in format 3; this stepgauge \(.*up to 2"
    with pytest.raises(OptionError, match=said):
        one(changed)
    with pytest.raises(ValueError, match=said):
        steps_df(changed)
    assert main(["show", str(changed), "--limit", "3"]) == 2
    assert re.search(said, capsys.readouterr().err)


def test_two_models_of_mmlu_pro_outputs_pair(shared_data, tmp_path):
    paths = sorted((shared_data / "mmlupro-outputs").glob("*Llama-3_1-8B*.zip"))
    assert len(paths) == 2
    options = ["--set", "scorer=null", "--where", "category=philosophy", "--limit"]
    for name, path in zip(("tuned", "base"), paths, strict=True):
        assert score(path, "--out", tmp_path / name, *options, 6, cheap=False) == 0
    runs = load_runs([str(tmp_path / "base"), f"tuned={tmp_path / 'tuned'}::instruct"], where=["subject=philosophy"])
    assert [run.name for run in runs] == ["Meta-Llama-3_1-8B", "tuned"]
    by_id: list[dict[str | None, Record]] = [{record.doc_id: record for record in run.records} for run in runs]
    shared = by_id[0].keys() & by_id[1].keys()
    assert len(shared) == 6
    for doc_id in shared:
        first, second = by_id[0][doc_id], by_id[1][doc_id]
        assert first.question_hash == second.question_hash
        assert first.accuracy.keys() == {"correct"}
    assert {record.score.trace_hash for record in by_id[0].values()} != {
        record.score.trace_hash for record in by_id[1].values()
    }


def test_scored_rows_say_where_they_stand(tmp_path):
    out = chat_scores(tmp_path / "out")
    assert [record.where for record in one(out).records] == [f"{out / 'scores.jsonl'}, row {i}" for i in (1, 2, 3)]
    assert json.loads((out / "scores.jsonl").read_text().splitlines()[0])["truncated"] is None


STEM = "Which of the following statements is true?"
INSULIN, IRON = ("Insulin lowers glucose", "Insulin raises glucose"), ("Iron carries oxygen", "Zinc carries oxygen")


def stem_row(options: tuple[str, str], accuracy: int, doc_id: str | None, **fields: Any) -> dict[str, Any]:
    meta = {"task": "mc", "model": "m", "accuracy": accuracy} | ({} if doc_id is None else {"doc_id": doc_id})
    row = {"question": STEM, "response": "It is so.\nThe answer is A.", "answer": options[0], "choices": list(options)}
    return {**row, "meta": meta, **fields}


@pytest.mark.parametrize("ids", [("1", "2", "2", "1"), (None,) * 4, ("1", "2", "1", "2")], ids=["ids", "none", "rows"])
def test_questions_of_one_stem_pair_by_their_options_too(tmp_path, ids):
    """The second run has them in another order; its ids may follow the questions or the rows."""
    base = [stem_row(INSULIN, 1, ids[0]), stem_row(IRON, 0, ids[1])]
    tuned = [stem_row(IRON, 1, ids[2]), stem_row(INSULIN, 0, ids[3])]
    for name, run_rows in (("base", base), ("tuned", tuned)):
        assert score(write_jsonl(tmp_path / f"{name}.jsonl", run_rows), "--out", tmp_path / name) == 0
    pairing = pair_runs(one(tmp_path / "base"), one(tmp_path / "tuned"))
    assert pairing.unpaired == 0
    found = {tuple(pair.base[0].answer): (pair.base[0].accuracy, pair.tuned[0].accuracy) for pair in pairing.pairs}
    assert found == {
        (INSULIN[0],): ({"accuracy": 1.0}, {"accuracy": 0.0}),
        (IRON[0],): ({"accuracy": 0.0}, {"accuracy": 1.0}),
    }
    assert len({pair.cluster for pair in pairing.pairs}) == 2


@pytest.mark.parametrize(
    ("question", "choices", "same"),
    [
        (STEM, INSULIN[::-1], True),
        (f"  {STEM}\n", ("Insulin  lowers glucose", "Insulin raises glucose"), True),
        (STEM, IRON, False),
        (STEM, None, False),
        ("Which statement?", INSULIN, False),
    ],
)
def test_what_is_asked_is_the_text_with_options_that_it_does_not_list_in_any_order(question, choices, same):
    assert (question_hash(question, choices) == question_hash(STEM, INSULIN)) == same


def test_options_that_the_text_lists_are_part_of_it():
    listed = f"{STEM}\nA. {INSULIN[0]}\nB. {INSULIN[1]}"
    assert question_hash(listed, INSULIN) == question_hash(listed)
    holds_them = (
        "Of 12 apples in the baskets of the market hall, 3 are green and of the other fruit 5 are ripe. How many?"
    )
    assert question_hash(holds_them, ("12", "3")) != question_hash(holds_them, ("12", "5"))
