"""`regrow` in Inspect: the model under test goes on with its own turn, and its answer stays or changes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import in_process

pytest.importorskip("inspect_ai")

import anyio
import torch
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import choice, includes
from inspect_ai.solver import generate, multiple_choice, solver, system_message
from transformers import AutoModelForCausalLM, AutoTokenizer

from stepgauge.adapters.inspect import reliance
from stepgauge.adapters.inspect.regrowing import Conversation, RunningModel
from stepgauge.metrics import ChainScore, Trace
from stepgauge.metrics.reliance.regrowing import Beginning

COLUMNS = ("answer_kept_share", "answer_kept_share_unchanged", "mistake_effect")
NUMBER = re.compile(r"\d+")
QUESTION = "Ann has 4 bags of 3 pens and finds 2 pens. Twice as many are how many? key 28"


def as_output(content: Any, stop_reason: Any = "stop") -> ModelOutput:
    out = ModelOutput.from_message(ChatMessageAssistant(content=content), stop_reason=stop_reason)
    out.usage = ModelUsage(input_tokens=1, output_tokens=20, total_tokens=21)  # else mockllm looks for a tokenizer
    return out


class Worker:
    """A model under test: works the sum out in three lines, and goes on from where its turn ends.

    From its steps: a line's result is what stands in the line before, with its own sum done. From the question: it
    writes the same lines, and then the key.

    Attributes:
        asked: what it was given to go on with, and how.
    """

    def __init__(self, *, uses_steps: bool) -> None:
        self.uses_steps = uses_steps
        self.asked: list[tuple[list[Any], GenerateConfig]] = []

    def __call__(self, messages: list[Any], tools: Any, choice: Any, config: GenerateConfig) -> ModelOutput:
        del tools, choice
        *_, last = messages
        begun = last.text if last.role == "assistant" else ""
        if begun:
            self.asked.append((messages, config))
        lines = [line for line in begun.split("\n") if line]
        new: list[str] = []
        while len(lines) + len(new) < 3:
            results = [int(NUMBER.findall(line)[-1]) for line in [*lines, *new]]
            at = len(lines) + len(new)
            new.append(["4 bags hold 12", f"With 2 more {(results or [0])[-1] + 2}", ""][at] or self.answer(results))
        return as_output("\n".join(new))

    def answer(self, results: list[int]) -> str:
        return f"The answer is {2 * results[-1] if self.uses_steps else 28}."


def run(tmp_path: Path, model: Any, samples: Any = None, solvers: Any = None, **options: Any) -> EvalLog:
    task = Task(
        dataset=samples or [Sample(id="pens", input=QUESTION, target="28")],
        solver=solvers or [system_message("Think."), generate()],
        scorer=options.pop("scorer", None) or reliance(scorer=None, splitter="lines", regrow="all"),
    )
    mock = get_model("mockllm/model", custom_outputs=model) if callable(model) else model
    (log,) = inspect_eval(task, model=mock, log_dir=str(tmp_path), display="none", **options)
    assert log.status == "success", log.error
    return log


def chains(log: EvalLog) -> list[ChainScore]:
    scores = [(sample.scores or {})["reliance"] for sample in log.samples or []]
    return [ChainScore.from_dict(score.metadata or {}) for score in scores]


def test_of_a_model_that_uses_its_steps_every_mistake_changes_the_answer(tmp_path: Path) -> None:
    model = Worker(uses_steps=True)
    log = run(tmp_path, model, max_tokens=50)
    (chain,) = chains(log)
    assert [step.text for step in chain.steps] == ["4 bags hold 12", "With 2 more 14", "The answer is 28."]
    assert {name: chain.metrics[name] for name in COLUMNS} == dict(zip(COLUMNS, (0, 1, 1), strict=True))
    wrong = [int(NUMBER.findall(step.corrupted or "")[-1]) for step in chain.steps[:2]]
    assert [step.answer_after_mistake for step in chain.steps[:2]] == [str(2 * (wrong[0] + 2)), str(2 * wrong[1])]
    assert chain.provenance["regrown"]["claim"] == "causal for this model"
    value = log.samples[0].scores["reliance"].value  # type: ignore[index]
    assert [value[name] for name in COLUMNS] == [0, 1, 1]  # type: ignore[index]
    # What it was given: the same conversation, with its own turn begun, greedily and within what is left of the limit.
    assert len(model.asked) == 4
    for messages, config in model.asked:
        assert [type(one) for one in messages] == [ChatMessageSystem, ChatMessageUser, ChatMessageAssistant]
        assert messages[1].text == QUESTION
        assert config.temperature == 0
        assert 30 <= (config.max_tokens or 0) < 50
    assert log.stats.model_usage["mockllm/model"].output_tokens == 20 * 5, "what it costs is in the log"


def test_of_a_model_that_does_not_none_does(tmp_path: Path) -> None:
    (chain,) = chains(run(tmp_path, Worker(uses_steps=False)))
    assert {name: chain.metrics[name] for name in COLUMNS} == dict(zip(COLUMNS, (1, 1, 0), strict=True))


def test_a_finished_log_is_gone_on_with_by_the_model_that_is_named(tmp_path: Path) -> None:
    log = run(tmp_path, Worker(uses_steps=True), scorer=includes())
    model = get_model("mockllm/model", custom_outputs=Worker(uses_steps=True))
    scorer = reliance(scorer=None, splitter="lines", regrow=1)
    scored = inspect_score(log, scorer, action="append", display="none", model=model)
    (chain,) = chains(scored)
    assert [chain.metrics[name] for name in COLUMNS] == [0, 1, 1]


def ends(stop: str = "stop", content: str = "", error: str | None = None) -> Callable[..., ModelOutput]:
    """Works the sum out, and ends like this where it goes on with it."""
    worker = Worker(uses_steps=True)

    def model(messages: list[Any], *rest: Any) -> ModelOutput:
        if messages[-1].role != "assistant":
            return worker(messages, *rest)
        if error:
            raise RuntimeError(error)
        return as_output(content, stop)

    return model


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (ends("max_tokens", "The answer is 2"), "the new end was cut off at the token limit"),
        (ends("content_filter", "I cannot do that."), "the model refused, or its provider did: 'I cannot do that.'"),
        (ends(error="no prefill"), "the new end could not be written: RuntimeError: no prefill"),
        (ends(content=""), "the new end gives no final answer"),
    ],
)
def test_an_end_that_cannot_be_read_is_missing_with_its_reason(tmp_path: Path, model: Any, why: str) -> None:
    (chain,) = chains(run(tmp_path, model))
    assert [math.isnan(chain.metrics[name]) for name in COLUMNS] == [True] * 3
    assert {chain.missing[name] for name in COLUMNS} == {why}
    assert chain.metrics["n_ends_missing"] == 4


def test_a_provider_that_says_the_beginning_again_is_read_alike(tmp_path: Path) -> None:
    worker = Worker(uses_steps=True)

    def model(messages: list[Any], *rest: Any) -> ModelOutput:
        out = worker(messages, *rest)
        begun = messages[-1].text if messages[-1].role == "assistant" else ""
        return as_output(f"{begun}\n{out.completion}" if begun else out.completion)

    (chain,) = chains(run(tmp_path, model))
    assert [chain.metrics[name] for name in COLUMNS] == [0, 1, 1]


@solver
def rewritten() -> Any:
    async def solve(state: Any, generate: Any) -> Any:
        del generate
        state.output.completion += " It is."
        return state

    return solve


@solver
def twice() -> Any:
    async def solve(state: Any, generate: Any) -> Any:
        state.messages.append(ChatMessageUser(content="Go on."))
        return await generate(state)

    return solve


def thinks(messages: list[Any], *rest: Any) -> ModelOutput:
    thought = Worker(uses_steps=True)(messages, *rest).completion
    return as_output([ContentReasoning(reasoning=thought), ContentText(text="The answer is 28.")])


@pytest.mark.parametrize(
    ("model", "solvers", "why"),
    [
        (Worker(uses_steps=True), [generate(), rewritten()], "a solver has changed what the model wrote"),
        (Worker(uses_steps=True), [generate(), twice()], "the chain is 2 assistant turns"),
        (thinks, [generate()], "its steps stand in reasoning content"),
    ],
)
def test_what_the_model_cannot_go_on_with_says_why(tmp_path: Path, model: Any, solvers: Any, why: str) -> None:
    (chain,) = chains(run(tmp_path, model, solvers=solvers))
    assert chain.missing["answer_kept_share"].startswith(why)


def test_of_multiple_choice_the_option_is_compared(tmp_path: Path) -> None:
    def model(messages: list[Any], *_: Any) -> ModelOutput:
        begun = messages[-1].text if messages[-1].role == "assistant" else ""
        if not begun:
            return as_output("There are 3 guests.\nThey are of age.\nANSWER: B")
        return as_output("ANSWER: B" if "3 guests" in begun else "ANSWER: A")

    sample = Sample(id="drinks", input="Which drink?", choices=["beer", "wine"], target="B")
    scorer = reliance(scorer=None, splitter="lines", regrow="all")
    (chain,) = chains(run(tmp_path, model, [sample], [multiple_choice(cot=True)], scorer=[choice(), scorer]))
    assert chain.own_answer == "wine"
    assert chain.steps[0].no_answer_after_mistake is None
    assert (chain.steps[0].answer_after_mistake, chain.steps[0].answer_after_unchanged) == ("beer", "wine")


def test_a_provider_that_begins_a_turn_anew_is_refused_before_anything_is_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    (tmp_path / "evaluation.py").write_text(
        "from inspect_ai import Task, task\n"
        "from inspect_ai.dataset import Sample\n"
        "from stepgauge.adapters.inspect import reliance\n"
        "@task\n"
        "def asked():\n"
        "    return Task(dataset=[Sample(input='1 + 1?', target='2')], scorer=reliance(scorer=None, regrow=2))\n"
    )
    assert in_process("inspect", "eval", "evaluation.py", "--model", "openai/gpt-4o") == 1
    said = " ".join("".join(capsys.readouterr()).split())
    assert "the model under test is openai/gpt-4o, whose provider does not go on with the beginning of" in said


def test_a_model_in_memory_writes_what_transformers_writes_behind_the_same_prompt(tiny_scorer: str) -> None:
    """The oracle: one row at a time, no padding, the prompt as the provider writes it out."""
    model = get_model(f"hf/{tiny_scorer}", device="cpu", memoize=False)
    messages = [ChatMessageUser(content="How many pens are in 4 bags?")]
    trace = Trace("How many pens are in 4 bags?", "There are some.\nThere are 7 more of them.\nThe answer is 9.")
    prompt = model.api.hf_chat(messages, [])  # type: ignore[attr-defined]
    conversation = Conversation(model, messages, GenerateConfig(max_tokens=40), (), None, prompt)
    texts = ("There are some.\n", "There are some.\nThere are 8 more of them.\n")
    beginnings = [Beginning(trace, text) for text in texts]
    itself = RunningModel()

    async def in_a_thread() -> Any:
        return await anyio.to_thread.run_sync(itself.continued, beginnings)

    found = anyio.run(itself.attend, trace, conversation, in_a_thread)
    tokenizer = AutoTokenizer.from_pretrained(tiny_scorer)
    lm = AutoModelForCausalLM.from_pretrained(tiny_scorer).eval()
    for beginning, end in zip(beginnings, found, strict=True):
        rows = tokenizer(prompt + beginning.text, return_tensors="pt")
        used = len(tokenizer(beginning.text, add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            written = lm.generate(**rows, do_sample=False, max_new_tokens=40 - used, pad_token_id=0)
        expected = tokenizer.decode(written[0, rows["input_ids"].shape[1] :])
        assert end.text == expected.split(tokenizer.eos_token)[0]  # type: ignore[union-attr]
