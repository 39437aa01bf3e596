"""Inspect tasks whose chains of thought are scored: `stepgauge/demo` (embedded, offline) and `stepgauge/gsm8k`."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import Dataset, MemoryDataset, Sample, hf_dataset
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, match, scorer, stderr
from inspect_ai.solver import TaskState, generate, prompt_template, system_message

from ...adapters.inspect.options import OptionError, Options
from ...adapters.inspect.scorers import reasoning
from ...adapters.inspect.viewer import viewer_config
from ...metrics.answers.extraction import extract_answer, resolve_choice
from ...metrics.names import unknown_name
from ..jsonl import read_jsonl

SAMPLES = Path(__file__).parents[1] / "samples"
DEMO_MAX_TOKENS = 160

# The scoring LM judges sentences against the embedded corpus. That demonstrates the path; see README, "Limits", for how
# little the verdicts of such a small LM mean. Word problems share too few words with the corpus to find evidence in it.
_DEMO_KNOWLEDGE: Options = {
    "claims": ["arithmetic", "sentence"],
    "judges": ["exact", "lm"],
    "retriever": {"name": "bm25", "k": 3},
    "corpus": str(SAMPLES / "corpus" / "medical.jsonl"),
}

INSTRUCTION = "Solve the problem step by step, one short step a line. End with a line 'The answer is X.'"

ARITHMETIC_EXAMPLES = (
    (
        "A baker fills 3 trays with 6 rolls each and sells 10 of the rolls. How many rolls are left?",
        "The trays hold 3 * 6 = 18 rolls.\nAfter the sale there are 18 - 10 = 8 rolls.\nThe answer is 8.",
    ),
    (
        "A ticket costs $7. Lena buys 2 tickets and pays with $20. How many dollars does she get back?",
        "Two tickets cost 2 * 7 = 14 dollars.\nShe gets back 20 - 14 = 6 dollars.\nThe answer is 6.",
    ),
)

MEDICAL_EXAMPLES = (
    (
        "Which organ makes bile?\nA) The spleen\nB) The liver\nC) The kidney\nD) The stomach",
        "Bile helps to digest fat.\nThe cells of the liver make bile, and the gallbladder stores it.\n"
        "The spleen filters blood and makes no bile.\nThe answer is B.",
    ),
)


@task
def demo(subset: Literal["all", "arithmetic", "medical"] = "all", first: int | None = None) -> Task:
    """The embedded questions, with accuracy, InfoGain and KI.

    Args:
        subset: `arithmetic` (word problems), `medical` (four options each), or `all`.
        first: take only that many of each subset.
    """
    parts = {"arithmetic": _arithmetic_samples, "medical": _medical_samples}
    if subset != "all" and subset not in parts:
        raise OptionError(f"stepgauge/demo: {unknown_name('subset', subset, ('all', *parts))}")
    samples = [sample for name, read in parts.items() if subset in ("all", name) for sample in islice(read(), first)]
    return Task(
        dataset=MemoryDataset(samples, name=f"stepgauge-{subset}"),
        solver=generate(),
        scorer=[answer(), reasoning(**_DEMO_KNOWLEDGE)],
        config=GenerateConfig(max_tokens=DEMO_MAX_TOKENS),
        viewer=viewer_config(),
    )


def _arithmetic_samples() -> Iterable[Sample]:
    for row in read_jsonl(SAMPLES / "arithmetic.jsonl", ("id", "question", "answer")):
        yield Sample(
            id=row["id"],
            input=_conversation(ARITHMETIC_EXAMPLES, row["question"]),
            target=row["answer"],
            metadata={"subset": "arithmetic"},
        )


def _medical_samples() -> Iterable[Sample]:
    for row in read_jsonl(SAMPLES / "medical.jsonl", ("id", "question", "choices", "answer")):
        options = "\n".join(f"{letter}) {text}" for letter, text in zip("ABCDEFGH", row["choices"], strict=False))
        yield Sample(
            id=row["id"],
            input=_conversation(MEDICAL_EXAMPLES, f"{row['question']}\n{options}"),
            choices=row["choices"],
            target=row["answer"],
            metadata={"subset": "medical"},
        )


def _conversation(examples: Iterable[tuple[str, str]], question: str) -> list[ChatMessage]:
    messages: list[ChatMessage] = [ChatMessageSystem(content=INSTRUCTION)]
    for asked, answered in examples:
        messages += [ChatMessageUser(content=asked), ChatMessageAssistant(content=answered)]
    return [*messages, ChatMessageUser(content=question)]


@scorer(metrics=[accuracy(), stderr()])
def answer() -> Scorer:
    """Right if the answer the response announces is the target: the same option, or the same number."""

    async def score(state: TaskState, target: Target) -> Score:
        response = state.output.completion
        options = [choice.value for choice in state.choices]
        given = stated_option(response, options) if options else stated_number(response)
        gold = resolve_choice(target.text, options) if options else stated_number(target.text)
        return Score(value=CORRECT if given is not None and given == gold else INCORRECT, answer=given)

    return score


def stated_option(response: str, options: list[str]) -> str | None:
    """The text of the option that the response announces, by letter or by text."""
    announced = extract_answer(response)
    try:
        return None if announced is None else resolve_choice(announced, options)
    except ValueError:  # the announced answer is not an option
        return None


_NUMBER = re.compile(r"-?\d[\d,]{0,30}(?:\.\d{1,20})?")


def stated_number(response: str) -> str | None:
    """The first number in the announced answer, else the response's last number; without thousands commas or `.0`."""
    announced = _NUMBER.search(extract_answer(response) or "")
    number = announced.group() if announced else next(iter(_NUMBER.findall(response)[-1:]), None)
    if number is None:
        return None
    digits = number.replace(",", "")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


GSM8K_PROMPT = """Solve this grade school math problem step by step. The last line of your response should have the \
form "ANSWER: $ANSWER" (without quotes), where $ANSWER is the answer to the problem.

{prompt}

Put your answer on a line of its own at the end, in the form "ANSWER: $ANSWER" (without quotes), without \\boxed.

Reasoning:"""


@task
def gsm8k(path: str | None = None, fewshot: int | None = None, fewshot_path: str | None = None) -> Task:
    """Grade school math (Cobbe et al. 2021, arXiv 2110.14168), with accuracy, InfoGain and KI.

    Args:
        path: JSONL file with `question` and `answer` ("… #### 72") to use instead of the hub's openai/gsm8k test set.
        fewshot: worked examples in the system message; by default 10 if examples are available, else none.
        fewshot_path: JSONL file to draw the examples from; by default the hub's training set, or none with `path`.

    Raises:
        OptionError: examples are requested but there is nothing to draw them from.
        ValueError: a row of a JSONL file is not a question; names file, line and field.
    """
    at_hand = path is None or fewshot_path is not None
    count = (10 if at_hand else 0) if fewshot is None else fewshot
    if count and not at_hand:
        raise OptionError(f"stepgauge/gsm8k: fewshot={count} with path= needs fewshot_path= to draw the examples from")
    examples = list(_gsm8k_dataset(fewshot_path, "train")) if count else []
    shown = random.Random(42).sample(examples, min(count, len(examples)))
    solver = [prompt_template(GSM8K_PROMPT), generate()]
    if shown:
        # passed as a parameter, so that a brace in an example is not read as a placeholder
        solver.insert(0, system_message("{examples}", examples="\n\n".join(_worked(sample) for sample in shown)))
    return Task(
        dataset=_gsm8k_dataset(path, "test"),
        solver=solver,
        scorer=[match(numeric=True), reasoning()],
        viewer=viewer_config(),
    )


def _gsm8k_dataset(path: str | None, split: str) -> Dataset:
    if path is None:
        return hf_dataset("openai/gsm8k", name="main", split=split, sample_fields=_gsm8k_sample)
    rows = read_jsonl(Path(path), ("question", "answer"))
    return MemoryDataset([_gsm8k_sample(row) for row in rows], name="gsm8k", location=path)


def _gsm8k_sample(row: dict[str, Any]) -> Sample:
    solution, _, answer = row["answer"].rpartition("####")
    return Sample(input=row["question"], target=answer.strip(), metadata={"reasoning": solution.strip()})


def _worked(sample: Sample) -> str:
    return f"{sample.input}\n\nReasoning:\n{(sample.metadata or {})['reasoning']}\n\nANSWER: {sample.target}"
