"""What lm-eval reads out of its own task YAMLs is kept in the cache folder: same index, and every change is noticed."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

import lm_eval.tasks
import lm_eval.tasks._index
import lm_eval.tasks.manager
import pytest
from lm_eval.tasks import TaskManager

from stepgauge.adapters.cli import main
from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml
from stepgauge.adapters.lm_eval.manager import scoring_tasks

TASK = "dataset_path: json\noutput_type: generate_until\ndoc_to_text: '{{question}} Think step by step.'\n"
FILES = {
    "sums/_template": TASK + "doc_to_target: '{{answer}}'\nmetadata: {version: 1.0}\n",
    "sums/a.yaml": "include: _template\ntask: sums_a\ntag: [sums, chains]\n",
    "sums/b.yaml": "include: _template\ntask: sums_b\ntag: sums\nprocess_docs: !function utils.docs\n",
    "sums/utils.py": "def docs(found):\n    return found\n",
    "sums/group.yaml": "group: all_sums\ntask: [sums_a, {task: sums_b, num_fewshot: 2}]\n",
    "classes/own.yaml": "task: own\nclass: !function utils.Own\n",
    "words/twice.yaml": "include: ../sums/_template\ntask: sums_a\n",
    "words/broken.yaml": "task: [\n",
    "words/dated.yaml": TASK + "task: dated\ndoc_to_target: '{{x}}'\nmetadata: {1: one, day: 2026-01-31}\n",
    "words/sühne.yaml": TASK + "task: sühne\ndoc_to_target: '{{x}}'\ndescription: \"\\U0001F600 \\u00e9 \\0\"\n",
}
# Every time: what is no YAML, and what holds values that JSON has not got.
ALWAYS_READ = ["broken.yaml", "dated.yaml"]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A small folder in the place of lm-eval's own, and an empty cache folder."""
    folder = tmp_path / "lm_eval" / "tasks"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for module in (lm_eval.tasks, lm_eval.tasks.manager):
        monkeypatch.setattr(module, "__file__", str(folder / "module.py"))
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def read(monkeypatch):
    """Names of the YAMLs that lm-eval's own function has read."""
    names = []
    original = lm_eval.tasks._index.load_yaml

    def counting(path, **options):
        names.append(Path(path).name)
        return original(path, **options)

    monkeypatch.setattr(lm_eval.tasks._index, "load_yaml", counting)
    return names


def index(**options):
    with kept_yaml():
        return TaskManager(**options).task_index


def kept_file(tmp_path):
    [path] = (tmp_path / "cache" / "lm-eval").iterdir()
    return path


def test_the_index_is_lm_evals_own_and_the_second_time_no_file_is_read(shipped, read):
    own = TaskManager()
    assert own.task_index["dated"].cfg["metadata"] == {1: "one", "day": datetime.date(2026, 1, 31)}
    assert own.task_index["sums_b"].cfg["process_docs"] == f"{shipped}/sums/utils.docs"
    assert {"sums_a", "all_sums", "chains", "own", "sühne"} <= set(own.all_tasks)
    assert index() == own.task_index
    for _ in range(2):
        read.clear()
        with kept_yaml():
            again = TaskManager()
        assert sorted(read) == ALWAYS_READ
        assert again.task_index == own.task_index
        assert list(again.task_index) == list(own.task_index)
        assert (again.all_tasks, again.all_groups, again.all_subtasks, again.all_tags) == (
            *(own.all_tasks, own.all_groups, own.all_subtasks, own.all_tags),
        )


def _edit(folder):
    path = folder / "sums" / "a.yaml"
    path.write_text(path.read_text().replace("chains", "chainz"))


def _edit_with_an_older_date(folder):
    _edit(folder)
    os.utime(folder / "sums" / "a.yaml", (1e9, 1e9))


def _edit_what_is_included(folder):
    path = folder / "sums" / "_template"
    path.write_text(path.read_text().replace("step by step", "word by word"))


def _swap_files_of_one_size(folder):
    # Same names, sizes and dates all in all; only which file has which differs.
    first, second = folder / "sums" / "c.yaml", folder / "sums" / "d.yaml"
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)


def _add(folder):
    (folder / "new").mkdir()
    (folder / "new" / "new.yaml").write_text(TASK + "task: new\ndoc_to_target: '{{x}}'\n")


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _edit_with_an_older_date,
        _edit_what_is_included,
        _swap_files_of_one_size,
        _add,
        lambda folder: (folder / "sums" / "a.yaml").unlink(),
        lambda folder: (folder / "sums" / "a.yaml").rename(folder / "sums" / "z.yaml"),
    ],
    ids=["edited", "edited, older", "include edited", "swapped", "added", "removed", "renamed"],
)
def test_a_changed_file_is_noticed_and_what_it_says_is_kept(shipped, read, change):
    for name, when in (("c", 1e9), ("d", 2e9)):
        (shipped / "sums" / f"{name}.yaml").write_text(f"include: _template\ntask: sums_{name}\n")
        os.utime(shipped / "sums" / f"{name}.yaml", (when, when))
    before = index()
    change(shipped)
    after = index()
    assert after != before
    assert after == TaskManager().task_index
    read.clear()
    assert index() == after
    assert sorted(read) == ALWAYS_READ


def _flip_a_letter(text):
    at = text.index(b"step by step")
    return text[:at] + b"s" + text[at + 1 :].replace(b"step", b"stop", 1)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[: len(text) // 2],
        lambda text: text[:-1],
        lambda text: text + b" ",
        _flip_a_letter,
        lambda text: text.replace(b"\n", b"", 1),
        lambda text: text.split(b"\n")[1],
        lambda text: text[:0] + b"\x80\x04\x95pickle" * 9,
        lambda text: text[:0] + json.dumps({"sums/a.yaml": {"task": "foreign"}}).encode(),
        lambda text: b"0" * 64 + text[64:],
    ],
    ids=[
        *("empty", "half", "a byte short", "a byte more", "a letter", "one line", "no first line"),
        *("pickle", "foreign", "of another state"),
    ],
)
def test_a_damaged_or_foreign_file_is_written_anew(tmp_path, read, damage):
    own = index()
    path = kept_file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert index() == own
    assert path.read_bytes() == whole
    read.clear()
    assert index() == own
    assert sorted(read) == ALWAYS_READ


@pytest.mark.usefixtures("shipped")
def test_what_another_version_of_lm_eval_kept_is_not_taken(tmp_path, read, monkeypatch):
    index()
    monkeypatch.setattr("stepgauge.adapters.lm_eval.kept_yaml.package_version", lambda name: f"{name} 99")
    read.clear()
    index()
    assert len(read) == len([name for name in FILES if name.endswith(".yaml")])
    kept_file(tmp_path)  # replaced, not added to


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("place", ["no folder", "a folder where the file should be"])
def test_a_cache_folder_that_cannot_be_written_to_changes_nothing(tmp_path, monkeypatch, place):
    own = index()
    if place == "no folder":
        monkeypatch.setenv("STEPGAUGE_CACHE", "/dev/null/cache")
    else:
        path = kept_file(tmp_path)
        path.unlink()
        path.mkdir()
    assert index() == own
    assert not place.startswith("a folder") or kept_file(tmp_path).is_dir()  # and nothing half-written beside it


@pytest.mark.usefixtures("shipped")
def test_own_folders_are_read_every_time_and_win(tmp_path, read, caplog):
    mine = tmp_path / "mine"
    mine.mkdir()
    for template in ("{{mine}}", "{{changed}}"):
        (mine / "mine.yaml").write_text(TASK + f"task: sums_b\ndoc_to_target: '{template}'\n")
        read.clear()
        caplog.clear()
        found = index(include_path=[mine])
        assert found["sums_b"].cfg["doc_to_target"] == template
        assert found == TaskManager(include_path=[mine]).task_index
        assert "'sums_b' from" in caplog.text  # lm-eval says that it overrides its own
    with kept_yaml():
        assert set(TaskManager(include_path=[mine], include_defaults=False).all_tasks) == {"sums_b"}


@pytest.mark.usefixtures("shipped")
def test_one_file_serves_both_commands(tmp_path, read, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "mine.yaml").write_text(TASK + "task: mine_cot\ndoc_to_target: '{{x}}'\n")
    printed = []
    for _ in range(2):
        read.clear()
        assert main(["tasks", "--all", "--json", "--include_path", str(mine)]) == 0
        printed.append(capsys.readouterr().out)
    assert sorted(read) == sorted([*ALWAYS_READ, "mine.yaml"])
    assert printed[0] == printed[1]
    assert {row["task"] for row in json.loads(printed[0])} == {"sums_a", "sums_b", "dated", "sühne", "mine_cot"}
    read.clear()
    with scoring_tasks({}):  # where `stepgauge lm-eval run` runs lm-eval
        made = lm_eval.tasks.TaskManager(include_path=str(mine))
    assert {"sums_a", "mine_cot", "stepgauge_demo"} <= set(made.all_tasks)
    assert not set(read) & {Path(name).name for name in FILES} - set(ALWAYS_READ)


@pytest.mark.usefixtures("shipped")
def test_an_lm_eval_that_reads_its_files_in_another_way_is_left_alone(tmp_path, monkeypatch):
    own = TaskManager().task_index
    load = lm_eval.tasks._index.load_yaml
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "lm_eval.tasks._index", None)
        assert index() == own
    with monkeypatch.context() as patch:
        patch.setattr(lm_eval.tasks._index.TaskIndex.build, "__kwdefaults__", {"resolve_includes": 1 > 2})
        assert index()["sums_a"].cfg["include"] == "_template"
    assert not (tmp_path / "cache").exists()
    assert lm_eval.tasks._index.load_yaml is load


BUILD_OFTEN = """
import sys
import lm_eval.tasks, lm_eval.tasks.manager
from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml
lm_eval.tasks.__file__ = lm_eval.tasks.manager.__file__ = sys.argv[1]
own = lm_eval.tasks.TaskManager().task_index
print("ready", flush=True)
for _ in range(60):
    with kept_yaml():
        found = lm_eval.tasks.TaskManager().task_index
    assert found == own
"""


@pytest.mark.slow
def test_two_processes_at_once_read_and_replace_one_file(tmp_path, shipped):
    own = index()
    path = kept_file(tmp_path)
    command = [sys.executable, "-c", BUILD_OFTEN, str(shipped / "module.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        rounds = 0
        while other.poll() is None:
            rounds += 1
            path.unlink(missing_ok=True)  # so that both have to write
            assert index() == own
        assert other.returncode == 0, other.stderr.read()
    assert rounds > 1
    assert index() == own
    assert kept_file(tmp_path) == path


@pytest.mark.slow
def test_all_of_lm_evals_own_tasks_are_the_same_with_and_without(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    own = TaskManager().task_index
    assert len(own) > 10_000
    for _ in range(2):
        assert index() == own
