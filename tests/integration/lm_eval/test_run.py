"""`stepgauge lm-eval run`: lm-eval's own command line, whose generative tasks score their chains."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import datasets
import lm_eval.utils
import pytest
import yaml
from columns import MAY_BE_MISSING, REASONING, assert_numbers, lm_eval_table
from commands import in_process
from lm_eval.api.registry import register_model
from lm_eval.tasks import TaskManager
from local_hub import add_dataset
from scripted_lm import ScriptedLM
from sweeps import sweep

from stepgauge.adapters.cli import main
from stepgauge.adapters.lm_eval import include_path
from stepgauge.adapters.lm_eval.aggregate import Mean
from stepgauge.adapters.lm_eval.catalogue import chain_tasks
from stepgauge.adapters.lm_eval.documents import gold_and_choices
from stepgauge.adapters.lm_eval.groups import roll_up
from stepgauge.adapters.lm_eval.manager import ScoringTaskManager
from stepgauge.adapters.lm_eval.task import scorer_of

EGGS = "Lena packs 6 eggs into each of 12 boxes. How many eggs?"
PENS = "A pen costs 3 dollars. How much do 5 pens cost?"
ROWS = [
    {"question": EGGS, "answer": "72", "choices": ["72", "18"]},
    {"question": PENS, "answer": "15", "choices": ["8", "15"]},
]
SCRIPT = {EGGS: ["6 * 12 = 72.\nThe answer is 72"], PENS: ["There are 5 pens.\n3 * 5 = 15.\nThe answer is 14"]}
REASONING = (
    *REASONING,
    "n_unscored",
)
TASK = {
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "generate_until",
    "doc_to_text": "Question: {{question}}\nThink step by step.\nAnswer:",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["Question:"], "max_gen_toks": 64},
    "filter_list": [
        {
            "name": "strict-match",
            "filter": [{"function": "regex", "regex_pattern": "answer is ([0-9]+)"}, {"function": "take_first"}],
        }
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}


@register_model("stepgauge-scripted")
class RegisteredLM(ScriptedLM):
    """A `ScriptedLM` that lm-eval's command line can name; model arguments are taken and left alone."""

    def __init__(self, **_):
        super().__init__(SCRIPT)


@pytest.fixture
def folder(tmp_path, monkeypatch, shipped_tasks_once):  # noqa: ARG001
    """A folder of task files: two tasks with a tag, one of a class of its own, one without a chain, and groups."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(lm_eval.utils, "_LOGGING_CONFIGURED", True)  # what it logs goes to caplog, not to a closed file
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "one.jsonl").write_text(json.dumps(ROWS[0]) + "\n")
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    both = {"data_files": {"test": str(tmp_path / "rows.jsonl")}}
    one = {"data_files": {"test": str(tmp_path / "one.jsonl")}}

    def write(name, **config):
        (tasks / f"{name}.yaml").write_text(yaml.safe_dump({"task": name, **TASK, **config}))

    write("own_a", dataset_kwargs=both, tag="own_tag")
    write("own_b", dataset_kwargs=one, tag="own_tag")
    write("own_untagged", dataset_kwargs=both)
    write(
        "own_choice",
        **{
            "dataset_kwargs": both,
            "output_type": "multiple_choice",
            "doc_to_choice": "{{choices}}",
            "filter_list": None,
        },
        **{"generation_kwargs": None, "metric_list": [{"metric": "acc"}], "doc_to_target": "{{choices.index(answer)}}"},
    )
    write("own_class", dataset_kwargs=both)
    text = (tasks / "own_class.yaml").read_text()
    (tasks / "own_class.yaml").write_text(text + "class: !function classes.Shouting\n")
    (tasks / "classes.py").write_text(
        "from lm_eval.api.task import ConfigurableTask\n"
        "class Shouting(ConfigurableTask):\n"
        "    def __init__(self, config=None):\n"
        "        super().__init__(config={key: value for key, value in config.items() if key != 'class'})\n"
        "    def doc_to_text(self, doc):\n"
        "        return super().doc_to_text(doc) + ' !!!'\n"
    )
    group = {
        "group": "own_group",
        "group_alias": "Own",
        "task": ["own_b", {"task": "own_untagged", "task_alias": "untagged"}],
        "aggregate_metric_list": [{"metric": "exact_match", "filter_list": "strict-match"}],
    }
    (tasks / "own_group.yaml").write_text(yaml.safe_dump(group))
    (tasks / "own_outer.yaml").write_text(yaml.safe_dump({"group": "own_outer", "task": ["own_a", "own_group"]}))
    return tmp_path


@pytest.fixture
def run(folder, tiny_scorer, capsys):
    """Run the command in this process; its exit code, the results file, the samples files, standard output."""

    def run(*arguments, ours=True, options=()):
        out = folder / "out"
        arguments = ["run", "--model", "stepgauge-scripted", "--include_path", str(folder / "tasks"), *arguments]
        arguments += ["--output_path", str(out), "--log_samples"]
        code = 0
        if ours:
            code = main(["lm-eval", *arguments, "--stepgauge", f"scorer={tiny_scorer}", "device=cpu", *options])
        else:
            code = in_process("lm-eval", *arguments)
        files = sorted(out.rglob("results_*.json"))
        return code, json.loads(files[-1].read_text()), sorted(out.rglob("samples_*.jsonl")), capsys.readouterr().out

    return run


def scored(results, task):
    return {name for name in REASONING if f"{name},reasoning" in results["results"].get(task, {})} == set(REASONING)


@pytest.mark.parametrize(
    ("asked", "tasks"),
    sweep(
        [
            (["--tasks", "own_a,own_b"], ["own_a", "own_b"]),
            (["--tasks=own_a", "--limit", "1"], ["own_a"]),
            (["--tasks", "own_a", "own_class"], ["own_a", "own_class"]),
            (["--tasks", "own_tag"], ["own_a", "own_b"]),
            (["--tasks", "own_[ab]"], ["own_a", "own_b"]),
            (["--tasks", "tasks/own_untagged.yaml"], ["own_untagged"]),
            (["--tasks", "own_group"], ["own_group", "own_b", "own_untagged"]),
        ],
        [
            (["--tasks=own_a", "--limit", "1"], ["own_a"]),
            (["--tasks", "own_group"], ["own_group", "own_b", "own_untagged"]),
        ],
    ),
    ids=lambda value: " ".join(value),
)
def test_generative_tasks_are_scored_however_they_are_named_and_keep_their_names(run, asked, tasks):
    code, results, samples, out = run(*asked)
    assert code == 0
    assert set(results["results"]) == set(tasks)
    assert all(scored(results, task) for task in tasks), results["results"]
    files = {path.name.partition("_2")[0] for path in samples}
    assert files == {f"samples_{task}" for task in tasks if task != "own_group"}
    table = lm_eval_table(out)
    assert len(table) == len(tasks)  # those of a group under their aliases
    for row in table.values():
        assert_numbers(row["reasoning"], REASONING, or_missing=MAY_BE_MISSING)


def test_but_for_the_reasoning_rows_results_are_lm_evals_own(run):
    _, plain, _, plain_out = run("--tasks", "own_group,own_class,own_choice", ours=False)
    _, ours, samples, out = run("--tasks", "own_group,own_class,own_choice")
    without = {
        task: {name: value for name, value in row.items() if not name.endswith(",reasoning") and name != "sample_len"}
        for task, row in ours["results"].items()
    }
    assert without == {
        task: {k: v for k, v in row.items() if k != "sample_len"} for task, row in plain["results"].items()
    }
    for key in ("group_subtasks", "versions", "n-shot", "n-samples"):
        assert ours[key] == plain[key], key
    assert list(ours["results"]) == list(plain["results"])
    theirs = [line for line in plain_out.splitlines() if line.startswith("|")]
    names = [line.split("|")[1].strip() for line in theirs]
    assert [name for name in dict.fromkeys(names) if name] == [
        name
        for name in dict.fromkeys(line.split("|")[1].strip() for line in out.splitlines() if line.startswith("|"))
        if name
    ]
    [choice] = [path for path in samples if "own_choice" in path.name][-1:]
    assert "reasoning" not in choice.read_text()


def test_group_rows_pool_their_tasks_documents_in_nested_groups_too(run):
    _, results, _, out = run("--tasks", "own_outer", options=["metrics=n_steps,ki"])
    rows = results["results"]
    steps = {
        task: rows[task]["n_steps,reasoning"] for task in ("own_a", "own_b", "own_untagged", "own_group", "own_outer")
    }
    assert steps == {"own_a": 2.5, "own_b": 2, "own_untagged": 2.5, "own_group": 7 / 3, "own_outer": 12 / 5}
    assert rows["own_group"]["exact_match,strict-match"] == 2 / 3
    assert rows["own_group"]["ki,reasoning"] == 1.0
    assert rows["own_group"]["n_unscored,reasoning"] == 0
    first_table = out.partition("Groups")[0]
    cells = [line.split("|")[1].strip() for line in first_table.splitlines() if line.startswith("|")]
    assert [cell for cell in cells if cell.strip("-") and cell != "Tasks"] == [
        *("own_outer", "- own_a", "- Own", "- own_b", "- untagged")
    ]
    assert {"own_outer", "own_group"} == set(results["groups"])


@pytest.mark.parametrize(
    ("rows", "by_size", "expected"),
    [
        ([(1.0, 1, "N/A"), (4.0, 2, 0.5)], True, (3.0, 3, "N/A")),
        ([(1.0, 1, "N/A"), (4.0, 2, 0.5)], False, (2.5, 3, "N/A")),
        ([(1.0, 4, 0.3), (4.0, 4, 0.4)], False, (2.5, 8, 0.25)),
        ([(float("nan"), 0, "N/A"), (4.0, 2, 0.5)], True, (4.0, 2, 0.5)),
        ([(float("nan"), 0, "N/A")], True, (None, 0, "N/A")),
    ],
)
def test_a_groups_mean_weights_each_task_by_the_documents_that_have_the_number(rows, by_size, expected):
    task_rows = [
        {"ki,reasoning": Mean(mean, n), "ki_stderr,reasoning": stderr, "sample_len": 100} for mean, n, stderr in rows
    ]
    row = roll_up(task_rows, ["ki"], weight_by_size=by_size)
    mean, count, stderr = expected
    assert row["ki,reasoning"] == mean if mean is not None else row["ki,reasoning"] != row["ki,reasoning"]
    assert row["ki,reasoning"].count == count
    assert row["ki_stderr,reasoning"] == (pytest.approx(stderr) if stderr != "N/A" else "N/A")


def test_a_task_without_a_chain_runs_unchanged_and_a_note_names_its_sibling(run, caplog):
    with caplog.at_level(logging.INFO, logger="lm_eval.stepgauge"):
        _, results, _, _ = run("--tasks", "own_choice,own_a")
    assert results["results"]["own_choice"]["acc,none"] is not None
    assert not any("reasoning" in name for name in results["results"]["own_choice"])
    [note] = [
        record.message for record in caplog.records if record.name == "lm_eval.stepgauge" and "choice" in record.message
    ]
    assert note == (
        "[own_choice] multiple_choice: the model writes no chain; generative sibling: own_a, own_class, own_untagged"
    )


def test_a_run_may_be_configured_by_a_file_as_lm_eval_takes_it(run, folder):
    config = {"tasks": ["own_a"], "limit": 1, "include_path": str(folder / "tasks")}
    (folder / "run.yaml").write_text(yaml.safe_dump(config))
    _, results, _, _ = run("--config", str(folder / "run.yaml"))
    assert scored(results, "own_a")
    assert results["n-samples"]["own_a"]["effective"] == 1


def test_options_reach_every_task_and_are_stronger_than_metadata(run):
    given = json.dumps({"stepgauge": {"splitter": "sentences", "epsilon": 0.5}})
    _, results, _, _ = run(
        "--tasks", "own_a,own_class", "--metadata", given, options=["splitter=lines", 'judges=["exact"]']
    )
    for task in ("own_a", "own_class"):
        options = results["configs"][task]["stepgauge"]
        assert (options["splitter"], options["epsilon"], options["judges"]) == ("lines", 0.5, ["exact"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["spliter=lines"], "--stepgauge: unknown option 'spliter'; did you mean 'splitter'?"),
        (["splitter=linez"], "--stepgauge: unknown splitter 'linez'; did you mean 'lines'?"),
        (["metrics=infogian"], "did you mean 'infogain'?"),
        (["lines"], "--stepgauge lines: expected key=value"),
        (["{not json"], "--stepgauge {not json: not a JSON object"),
    ],
)
def test_a_wrong_option_ends_the_run_before_anything_is_loaded(capsys, options, message):
    code = main(["lm-eval", "run", "--model", "no-such-model", "--tasks", "own_a", "--stepgauge", *options])
    assert code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_lm_evals_own_mistakes_end_as_lm_eval_ends_them(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["lm-eval", "run", "--no-such-flag"])
    assert ended.value.code == 2
    assert "lm-eval" in capsys.readouterr().err
    with pytest.raises(ValueError, match="Tasks not found: no_such_task"):
        main(["lm-eval", "run", "--model", "stepgauge-scripted", "--tasks", "no_such_task"])


@pytest.mark.slow
@pytest.mark.usefixtures("shipped_tasks_once")
def test_our_own_groups_are_found_and_hold_tasks_that_lm_eval_ships():
    index = ScoringTaskManager().task_index
    with_chain = {task.name for task in chain_tasks(index)}
    for name in ("stepgauge_math", "stepgauge_leaderboard"):
        assert Path(index[name].yaml_path).with_name("README.md").exists()
        for member in index[name].cfg["task"]:
            found = member.get("group") or member["task"]
            members = index[found].cfg["task"] if "group" in member else [found]
            assert members
            assert set(members) <= with_chain, found


@pytest.mark.usefixtures("shipped_tasks_once")
def test_the_math_groups_tasks_load_as_lm_eval_ships_them_and_score(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    problem = {"problem": "What is $6 \\cdot 12$?", "solution": "It is $\\boxed{72}$.", "answer": "72"}
    aime = {"Problem": EGGS, "problem": EGGS, "Answer": "72", "answer": "72"}
    eggs = [{"question": EGGS, "answer": "6 * 12 = 72\n#### 72"}]
    add_dataset(tmp_path, "openai/gsm8k", {"train": eggs, "test": eggs}, "main")
    add_dataset(tmp_path, "HuggingFaceH4/MATH-500", {"test": [problem]})
    add_dataset(tmp_path, "Maxwell-Jia/AIME_2024", {"train": [aime]})
    add_dataset(tmp_path, "math-ai/aime25", {"test": [aime]})
    # `lm-eval run` itself, not ours: the group's file gives its members the class.
    loaded = TaskManager(include_path=include_path()).load(["stepgauge_math"])
    assert list(loaded["tasks"]) == ["gsm8k_cot", "minerva_math500", "aime24", "aime25"]
    for task in loaded["tasks"].values():
        assert scorer_of(task) is not None
        assert gold_and_choices(task, task.eval_docs[0], None, None) == (["72"], None)
