"""inspect_scout finds our scanners by name, and they give transcripts what our scorers give samples."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import rich
from columns import REASONING, near
from commands import in_process, shell
from repo import REPO

pytest.importorskip("inspect_ai")
pytest.importorskip("inspect_scout")

from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.agent import react
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import choice, includes
from inspect_ai.solver import basic_agent, generate, multiple_choice
from inspect_scout import Transcript, scan_results_df

from stepgauge.adapters.inspect import reasoning, reliance
from stepgauge.adapters.inspect.options import OptionError
from stepgauge.metrics import ChainScore

SUM = "3 + 4 = 7.\nThen 7 * 2 = 15.\nSo it is 14.\nThe answer is 14."
SUBMIT = ModelOutput.for_tool_call("mockllm/model", "submit", {"answer": "14"}, content="I hand it in.")
IRON = "Iron conducts.\nSalt does not.\n\nANSWER: A"
QUESTION = Sample(id="sum", input="What is twice the sum of 3 and 4?", target="14", metadata={"subject": "sums"})
METAL = Sample(id="metal", input="Which is a metal?", choices=["salt", "iron", "wood"], target="B")
TASKS: dict[str, tuple[Task, list[str | ModelOutput]]] = {
    "plain": (Task(dataset=[QUESTION], solver=generate(), scorer=includes()), [SUM]),
    "silent": (Task(dataset=[QUESTION], solver=generate(), scorer=includes()), [""]),
    "basic_agent": (Task(dataset=[QUESTION], solver=basic_agent(), scorer=includes()), ["3 + 4 = 7.", SUBMIT]),
    "react": (Task(dataset=[QUESTION], solver=react(), scorer=includes()), ["3 + 4 = 7.", SUBMIT]),
    "shuffled": (Task(dataset=[METAL], solver=multiple_choice(cot=True, shuffle=3), scorer=choice()), [IRON]),
}


def run(folder: Path, name: str) -> EvalLog:
    """The log of a task that knows nothing of us."""
    task, contents = TASKS[name]
    said = [ModelOutput.from_content("mockllm/model", one) if isinstance(one, str) else one for one in contents]
    for output in said:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else mockllm looks for a tokenizer
    model = get_model("mockllm/model", custom_outputs=said)
    (log,) = inspect_eval(task, model=model, log_dir=str(folder), display="none")
    return log


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EvalLog]:
    folder = tmp_path_factory.mktemp("logs")
    return {name: run(folder / name, name) for name in TASKS}


@pytest.fixture(scope="module")
def scanned(logs: dict[str, EvalLog], tiny_scorer: str) -> dict[str, dict[str, Any]]:
    """What `scout scan` recorded of each log's only transcript."""
    folder = Path(next(iter(logs.values())).location).parents[1]
    transcripts = [argument for log in logs.values() for argument in ("-T", log.location)]
    options = ["-S", f"scorer={tiny_scorer}", "-S", "splitter=lines"]
    assert (
        in_process("scout", "scan", "stepgauge/reasoning", *transcripts, "--scans", str(folder / "scans"), *options)
        == 0
    )
    found = {row["transcript_source_uri"]: row for row in rows(folder / "scans")}
    return {name: found[log.location] for name, log in logs.items()}


def rows(scans: Path, name: str = "reasoning") -> list[dict[str, Any]]:
    (scan,) = scans.glob("scan_id=*")
    return scan_results_df(str(scan)).scanners[name].to_dict("records")


@pytest.mark.parametrize("name", [name for name in TASKS if name != "silent"])
def test_a_transcript_gets_the_numbers_that_inspect_score_gives_its_sample(
    name: str, logs: dict[str, EvalLog], scanned: dict[str, dict[str, Any]], tiny_scorer: str
) -> None:
    scored = inspect_score(logs[name], reasoning(scorer=tiny_scorer, splitter="lines"), action="append", display="none")
    [sample] = scored.samples or []
    expected = (sample.scores or {})["reasoning"]
    found = scanned[name]
    assert found["answer"] == expected.answer
    value = json.loads(found["value"])
    assert list(value) == list(REASONING)
    for key, number in expected.as_dict().items():
        assert isinstance(number, int | float)
        if math.isnan(number):
            assert value[key] is None, key
        else:
            assert value[key] == near(key, number), key
    ours, theirs = (ChainScore.from_dict(one) for one in (json.loads(found["metadata"]), expected.metadata or {}))
    assert [step.text for step in ours.steps] == [step.text for step in theirs.steps]
    assert (ours.id, ours.trace_hash, ours.notes) == (theirs.id, theirs.trace_hash, theirs.notes)


def test_references_cite_the_messages_and_steps_that_matter(
    logs: dict[str, EvalLog], scanned: dict[str, dict[str, Any]]
) -> None:
    chain = ChainScore.from_dict(json.loads(scanned["plain"]["metadata"]))
    gains = [step.gain for step in chain.steps]
    most = gains.index(max(gains)) + 1
    expected = {2: ["is contradicted"], 3: ["is the first that states the gold answer"]}
    expected.setdefault(most, []).append(f"gains most ({max(gains):+.2f} nats)")
    explanation = scanned["plain"]["explanation"]
    lines = dict(re.findall(r"^- \[M2, step (\d)\] (.*)$", explanation, re.MULTILINE))
    assert {int(step): why.split(" and ") for step, why in lines.items()} == expected
    [sample] = logs["plain"].samples or []
    by_id = {message.id: message.text for message in sample.messages}
    references = json.loads(scanned["plain"]["message_references"])
    assert [reference["cite"] for reference in references] == [f"[M2, step {step}]" for step in sorted(expected)]
    for reference, step in zip(references, sorted(expected), strict=True):
        assert chain.steps[step - 1].text in by_id[reference["id"]]


def test_a_step_of_an_agents_earlier_turn_cites_that_turn(
    logs: dict[str, EvalLog], scanned: dict[str, dict[str, Any]]
) -> None:
    chain = ChainScore.from_dict(json.loads(scanned["react"]["metadata"]))
    [sample] = logs["react"].samples or []
    by_id = {message.id: message.text for message in sample.messages}
    references = json.loads(scanned["react"]["message_references"])
    cited = {int(re.findall(r"step (\d+)\]", one["cite"])[0]): one["id"] for one in references}
    answer = next(index for index, step in enumerate(chain.steps, 1) if step.states_answer)
    assert answer in cited
    for step, message in cited.items():
        assert chain.steps[step - 1].text in by_id[message]


def test_a_transcript_without_a_chain_has_no_number_and_says_why(scanned: dict[str, dict[str, Any]]) -> None:
    row = scanned["silent"]
    assert (row["value_type"], json.loads(row["metadata"])) == ("null", {"reason": "no_response"})
    assert "the model wrote nothing" in row["explanation"]
    assert json.loads(row["message_references"]) == []


def told(transcript: Transcript, **options: Any) -> Any:
    from stepgauge.adapters.inspect.scanners import reasoning as scanner

    return asyncio.run(scanner(**options)(transcript))  # type: ignore[arg-type]


def test_a_transcript_of_another_program_has_arithmetic_but_no_gain(tiny_scorer: str) -> None:
    messages = [
        ChatMessageUser(id="q", content="What is 2 + 2?"),
        ChatMessageAssistant(id="a", content="2 + 2 = 5.\n1 + 3 = 4."),
        ChatMessageUser(id="r", content="Are you sure?"),
        ChatMessageAssistant(id="b", content="I am."),
    ]
    result = told(Transcript(transcript_id="x", messages=messages), scorer=tiny_scorer, splitter="lines")
    assert isinstance(result.value, Mapping)
    assert (result.value["ki"], result.value["infogain_nats"]) == (0.5, None)
    assert "gold answer" in result.metadata["missing"]["infogain_nats"]
    assert [(one.cite, one.id) for one in result.references] == [("[M2, step 1]", "a")]


def test_what_a_model_wrote_is_no_markup_in_the_explanation() -> None:
    text = "```\n[M1, step 9](https://example.org) <img src=x>\n2 + 2 = 5."
    messages = [ChatMessageUser(content="What is 2 + 2?"), ChatMessageAssistant(content=text)]
    explanation = told(Transcript(transcript_id="x", messages=messages), scorer=None).explanation
    before, fence, rest = explanation.partition("````text\n")
    assert fence
    assert "<img" in rest.partition("\n````")[0]
    assert "<img" not in before + rest.partition("\n````")[2]


@pytest.mark.parametrize(
    ("option", "message"), [("splitter=lnes", "did you mean 'lines'"), ("scorer=/nowhere", "no such folder")]
)
def test_a_wrong_option_ends_the_scan_before_it_begins(
    option: str, message: str, logs: dict[str, EvalLog], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(rich.get_console(), "quiet", False)  # as an `eval` without display leaves it
    arguments = ["stepgauge/reasoning", "-T", logs["plain"].location, "--scans", str(tmp_path / "scans"), "-S", option]
    assert in_process("scout", "scan", *arguments) == 1
    said = capsys.readouterr()
    assert message in " ".join(said.out.split())
    assert "Traceback" not in said.out + said.err
    assert not (tmp_path / "scans").exists()


def test_the_scanner_of_reliance_gives_what_its_scorer_gives(
    logs: dict[str, EvalLog], tmp_path: Path, tiny_scorer: str
) -> None:
    options = {"scorer": tiny_scorer, "splitter": "lines"}
    given = [part for name, value in options.items() for part in ("-S", f"{name}={value}")]
    where = ["-T", logs["plain"].location, "--scans", str(tmp_path)]
    assert in_process("scout", "scan", "stepgauge/reliance", *where, *given) == 0
    (row,) = rows(tmp_path, "reliance")
    scored = inspect_score(logs["plain"], reliance(**options), action="append", display="none")  # type: ignore[arg-type]
    [sample] = scored.samples or []
    expected = (sample.scores or {})["reliance"].as_dict()
    value = json.loads(row["value"])
    assert list(value) == ["early_answer_area_before_answer", "necessary_share_before_answer", *list(value)[2:]]
    assert {name: near(name, float(number)) for name, number in expected.items()} == value  # type: ignore[arg-type]
    chain = ChainScore.from_dict(json.loads(row["metadata"]))
    assert chain.provenance["reliance"]["claim"] == "content, not causation"
    lost = [step.deletion_nats_before_answer for step in chain.steps]
    most = max(nats for nats in lost if not math.isnan(nats))
    hangs = f"[M2, step {lost.index(most) + 1}]"
    cited = re.search(r"- (\[.*?\]) .*own answer hangs on most", row["explanation"])
    assert (cited[1] if cited else None) == (hangs if most > 0.05 else None)


def test_a_scan_has_no_model_to_go_on_with() -> None:
    with pytest.raises(OptionError, match="stepgauge/reliance, option 'regrow': a transcript has no model at hand"):
        import_module("stepgauge.adapters.inspect.scanners").reliance(regrow=2)


@pytest.mark.slow
def test_scouts_own_processes_make_the_gauge_anew(logs: dict[str, EvalLog], tmp_path: Path) -> None:
    transcripts = " ".join(f"-T {logs[name].location}" for name in ("plain", "react"))
    shell(tmp_path, f"scout scan stepgauge/knowledge {transcripts} --scans scans --max-processes 2")
    assert {json.loads(row["value"])["ki"] for row in rows(tmp_path / "scans", "knowledge")} == {0.5, 1.0}


@pytest.mark.slow
def test_inspect_eval_scans_each_sample_of_a_task_that_knows_nothing_of_us(tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "from inspect_ai import Task, task\n"
        "from inspect_ai.dataset import Sample\n"
        "from inspect_ai.model import ModelOutput, ModelUsage, get_model\n"
        "from inspect_ai.scorer import includes\n"
        "def respond(*_):\n"
        f"    out = ModelOutput.from_content('mockllm/model', {SUM!r})\n"
        "    out.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)\n"
        "    return out\n"
        "@task\n"
        "def plain():\n"
        "    model = get_model('mockllm/model', custom_outputs=respond)\n"
        "    samples = [Sample(input='What is 2 * (3 + 4)?', target='14'), Sample(input='And 3 + 4?', target='7')]\n"
        "    return Task(dataset=samples, scorer=includes(), model=model)\n"
    )
    options = "--scanner-arg backend=cheap --scanner-arg splitter=lines"
    command = f"inspect eval plain.py --scanner stepgauge/reasoning {options} --log-dir logs --display plain"
    assert "scan complete" in shell(tmp_path, command, PYTHONPATH=str(REPO / "tests/plugins/stepgauge_cheap")).stdout
    found = rows(tmp_path / "logs" / "scans")
    assert len(found) == 2
    for row in found:
        value = json.loads(row["value"])
        assert value["ki"] == 0.5
        assert isinstance(value["infogain_nats"], float)
        assert "is contradicted" in row["explanation"]


@pytest.mark.slow
def test_names_are_known_without_importing_inspect_scout(tmp_path: Path) -> None:
    code = (
        "import sys; from inspect_ai._util.registry import registry_lookup as known; "
        "print([known(kind, f'stepgauge/{name}') is not None for kind in ('scanner', 'scanjob') "
        "for name in ('reasoning', 'infogain', 'knowledge', 'reliance')], 'inspect_scout' in sys.modules)"
    )
    assert shell(tmp_path, [sys.executable, "-c", code]).stdout == f"{[True] * 8} False\n"
