"""Agent and multi-turn runs of Inspect's own solvers: which text is the chain, which is context, what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai")

from agent_turns import calculator, calls, model_that, says
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai import score as inspect_score
from inspect_ai.agent import AgentSubmit, react
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    ModelOutput,
)
from inspect_ai.scorer import Score, match
from inspect_ai.solver import Generate, Solver, TaskState, basic_agent, chain, generate, self_critique, solver

from stepgauge.adapters.inspect import knowledge
from stepgauge.adapters.inspect.options import OptionError
from stepgauge.metrics import ChainScore

QUESTION = "What is 2 * 3 + 1?"
TOOLS = [calculator()]


def agent_run() -> list[ModelOutput]:
    """A tool call, a turn without one (so the agent's loop says "please continue"), and the submission."""
    return [
        calls("First 2 * 3 = 6.", "calculator", expression="6 + 1"),
        says("Then 6 + 1 = 7."),
        calls("So it is seven.", "submit", answer="7"),
    ]


def scored(path: Path, how: Any, outputs: Sequence[ModelOutput], sample: Sample | None = None, **options: Any) -> Score:
    """Our score of a run, read back from the log on disk."""
    task = Task(
        dataset=[sample or Sample(input=QUESTION, target="7")],
        solver=how,
        scorer=[match(numeric=True), knowledge(**{"splitter": "lines", **options})],
    )
    (log,) = inspect_eval(task, model=model_that(outputs), log_dir=str(path), display="none")
    assert log.status == "success", log.error
    (found,) = read_eval_log(log.location).samples or []
    return (found.scores or {})["knowledge"]


def steps(score: Score) -> list[str]:
    return [step.text for step in ChainScore.from_dict(score.metadata or {}).steps]


def notes(score: Score) -> str:
    return "\n".join(ChainScore.from_dict(score.metadata or {}).notes)


@pytest.mark.parametrize(
    "agent",
    [
        pytest.param(lambda: react(tools=TOOLS), id="react"),
        pytest.param(lambda: react(tools=TOOLS, submit=AgentSubmit(answer_only=True)), id="react, answer only"),
        pytest.param(lambda: react(tools=TOOLS, submit=AgentSubmit(keep_in_messages=True)), id="react, calls kept"),
        pytest.param(lambda: basic_agent(tools=TOOLS), id="basic_agent"),
        pytest.param(lambda: basic_agent(tools=TOOLS, submit_append=True), id="basic_agent, answer appended"),
    ],
)
def test_an_agents_turns_are_its_chain_and_the_answer_it_submits_ends_it(tmp_path: Path, agent: Any) -> None:
    score = scored(tmp_path, agent(), agent_run())
    assert steps(score) == ["First 2 * 3 = 6.", "Then 6 + 1 = 7.", "So it is seven.", "7"]
    assert score.answer == "7"
    last = ChainScore.from_dict(score.metadata or {}).steps[-1]
    assert (last.kind, last.states_answer) == ("final_answer", True)


@pytest.mark.parametrize("agent", [react, basic_agent], ids=lambda agent: agent.__name__)
def test_tool_results_and_what_the_loop_says_are_counted_as_context(tmp_path: Path, agent: Any) -> None:
    score = scored(tmp_path, agent(tools=TOOLS), agent_run())
    assert "TOOL RESULT" not in "\n".join(steps(score))
    assert "proceed" not in "\n".join(steps(score))
    assert "the chain is 3 assistant turns" in notes(score)
    assert "context, not steps" in notes(score)
    assert "1 later user message" in notes(score)


def test_the_submit_tool_may_have_any_name(tmp_path: Path) -> None:
    outputs = [calls("So 6 + 1 = 7.", "hand_in", answer="7")]
    score = scored(tmp_path, basic_agent(tools=TOOLS, submit_name="hand_in"), outputs)
    assert steps(score) == ["So 6 + 1 = 7.", "7"]
    assert score.answer == "7"


def test_an_argument_called_answer_of_another_tool_is_no_submission(tmp_path: Path) -> None:
    outputs = [calls("Let me check.", "check", answer="8"), says("2 * 3 + 1 = 7\nThe answer is 7.")]
    score = scored(tmp_path, react(tools=TOOLS, submit=False), outputs)
    assert score.answer == "7"
    assert "8" not in "".join(steps(score))


@pytest.mark.slow
def test_a_second_attempt_follows_the_first_in_the_chain_and_its_answer_is_the_answer(tmp_path: Path) -> None:
    outputs = [calls("2 * 3 = 6", "submit", answer="6"), calls("6 + 1 = 7", "submit", answer="7")]
    score = scored(tmp_path, basic_agent(max_attempts=2), outputs)
    assert steps(score) == ["2 * 3 = 6", "6 + 1 = 7", "7"]
    assert score.answer == "7"


def test_a_run_that_ends_at_its_message_limit_is_scored_as_far_as_it_got(tmp_path: Path) -> None:
    outputs = [
        calls("First 2 * 3 = 6.", "calculator", expression="6 + 1"),
        says("Then 6 + 1 = 7."),
        says("not reached"),
    ]
    score = scored(tmp_path, basic_agent(tools=TOOLS, message_limit=5), outputs)
    assert steps(score) == ["First 2 * 3 = 6.", "Then 6 + 1 = 7."]


CRITIQUE = [says("2 * 3 = 5\nANSWER: 6"), says("THE CRITIQUE: multiply again"), says("6 + 1 = 7\nANSWER: 7")]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param({}, ["2 * 3 = 5", "ANSWER: 6", "6 + 1 = 7", "ANSWER: 7"], id="all turns by default"),
        pytest.param({"turns": "last"}, ["6 + 1 = 7", "ANSWER: 7"], id="last"),
    ],
)
def test_first_and_revised_answer_are_one_chain_unless_the_last_turn_is_asked_for(
    tmp_path: Path, turns: dict[str, str], expected: list[str]
) -> None:
    score = scored(tmp_path, chain(generate(), self_critique()), CRITIQUE, **turns)
    assert steps(score) == expected
    assert score.answer == "7"


def test_an_unknown_value_of_turns_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"stepgauge/knowledge, option 'turns'.*'lst'.*did you mean 'last'"):
        knowledge(turns="lst")


@solver
def shown_examples() -> Solver:
    """Puts a worked example in front of the question, as some tasks do."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        del generate
        example = [ChatMessageUser(content="What is 1 + 1?"), ChatMessageAssistant(content="EXAMPLE 1 + 1 = 2")]
        state.messages = [ChatMessageSystem(content="Be brief."), *example, *state.messages]
        return state

    return solve


CONVERSATION: Any = [
    ChatMessageUser(content="What is 1 + 1?"),
    ChatMessageAssistant(content="EXAMPLE 1 + 1 = 2"),
    ChatMessageUser(content=QUESTION),
]


@pytest.mark.parametrize(
    ("how", "sample"),
    [
        pytest.param(lambda: chain(shown_examples(), generate()), None, id="put in by a solver"),
        pytest.param(generate, Sample(input=CONVERSATION, target="7"), id="in the sample's input"),
    ],
)
def test_worked_examples_in_front_of_the_question_are_no_part_of_the_chain(
    tmp_path: Path, how: Any, sample: Sample | None
) -> None:
    score = scored(tmp_path, how(), [says("6 + 1 = 7")], sample)
    assert steps(score) == ["6 + 1 = 7"]


def test_reasoning_content_of_every_turn_is_part_of_the_chain(tmp_path: Path) -> None:
    outputs = [says("One moment.", thinks="2 * 3 = 6"), calls("Done.", "submit", answer="7")]
    outputs[1].message.content = [ContentReasoning(reasoning="6 + 1 = 7"), ContentText(text="Done.")]
    score = scored(tmp_path, react(tools=TOOLS), outputs, splitter="auto")
    assert steps(score) == ["2 * 3 = 6", "One moment.", "6 + 1 = 7", "Done.", "7"]


def test_scoring_a_finished_log_reads_the_same_chain_as_scoring_the_run(tmp_path: Path) -> None:
    task = Task(dataset=[Sample(input=QUESTION, target="7")], solver=react(tools=TOOLS), scorer=match(numeric=True))
    (log,) = inspect_eval(task, model=model_that(agent_run()), log_dir=str(tmp_path), display="none")
    later = inspect_score(read_eval_log(log.location), knowledge(splitter="lines"), action="append", display="none")
    (sample,) = later.samples or []
    assert steps((sample.scores or {})["knowledge"]) == ["First 2 * 3 = 6.", "Then 6 + 1 = 7.", "So it is seven.", "7"]


def test_hidden_reasoning_of_the_turn_that_submits_is_not_overlooked(tmp_path: Path) -> None:
    """`react()` takes it out of the messages."""
    turn = calls("Done.", "submit", answer="7")
    turn.message.content = [ContentReasoning(reasoning="gAAAAB", redacted=True), ContentText(text="Done.")]
    score = scored(tmp_path, react(tools=TOOLS), [turn])
    assert score.reason == "reasoning_redacted"


def test_thinking_that_the_provider_left_in_the_text_counts_once(tmp_path: Path) -> None:
    outputs = [says("<think>\n2 * 3 = 6\n</think>\n6 + 1 = 7", thinks="2 * 3 = 6")]
    assert steps(scored(tmp_path, generate(), outputs)) == ["2 * 3 = 6", "6 + 1 = 7"]


@pytest.mark.parametrize("splitter", ["lines", "sentences"])
def test_the_tags_around_reasoning_content_are_no_steps(tmp_path: Path, splitter: str) -> None:
    outputs = [says("6 + 1 = 7", thinks="2 * 3 = 6")]
    assert steps(scored(tmp_path, generate(), outputs, splitter=splitter)) == ["2 * 3 = 6", "6 + 1 = 7"]


@solver
def tool_in_the_users_turn() -> Solver:
    """Hands a result back as a message of the user's, as ReAct prompts do, and lets the model go on."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await generate(state)
        state.messages.append(ChatMessageUser(content="Observation: TOOL RESULT 6"))
        return await generate(state)

    return solve


@pytest.mark.parametrize("turns", ["all", "last"])
def test_a_tools_result_in_the_users_turn_is_context(tmp_path: Path, turns: str) -> None:
    outputs = [says("Action: calc[2 * 3]\nI need 2 * 3."), says("6 + 1 = 7")]
    score = scored(tmp_path, tool_in_the_users_turn(), outputs, turns=turns)
    assert steps(score)[-2:] == ["I need 2 * 3.", "6 + 1 = 7"]
    assert "unseen by the scoring LM: 1 tool result" in notes(score)
    assert "later user message" not in notes(score)


def test_content_that_is_neither_text_nor_reasoning_leaves_a_note(tmp_path: Path) -> None:
    output = says("6 + 1 = 7")
    output.message.content = [ContentText(text="6 + 1 = 7"), ContentImage(image="data:image/png;base64,AA==")]
    assert "of the response, this was not read: image" in notes(scored(tmp_path, generate(), [output]))


def test_an_empty_question_is_refused(tmp_path: Path) -> None:
    score = scored(tmp_path, generate(), [says("6 + 1 = 7")], Sample(input=" ", target="7"))
    assert score.reason == "scoring_failed"
    assert "empty" in (score.explanation or "")


def test_the_answer_of_a_chain_that_runs_on_is_the_one_before_it(tmp_path: Path) -> None:
    score = scored(tmp_path, generate(), [says("6 + 1 = 7\n#### 7\n\nQuestion: What is 1 + 1?\n#### 2")])
    assert steps(score) == ["6 + 1 = 7", "#### 7"]
    assert score.answer == "7"
    assert "the chain ends before it" in notes(score)
