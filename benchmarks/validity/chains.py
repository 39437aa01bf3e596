"""Labelled chains for `benchmarks.validity`: right and wrong, with a first wrong step, with redundant steps.

Every step is one line, so that the splitter `lines` finds the steps that the labels refer to. Each set is split in
halves by a hash of the question: one half is for training, the other for testing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepgauge.metrics import Trace
from stepgauge.metrics.fitting import question_hash

from ..support.labelled import NO_ERROR, mrben_steps
from ..support.real_chains import OPTION

MATH = "math500"
SETS = ("gsm8k", "mrben math", "mrben medicine", "prmbench redundency", "prmbench circular")
GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_BOXED = re.compile(r"\\boxed\s?\{")
_MATH = re.compile(r"\$([^$]{1,200})\$")
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_STEPS_BACK = 3  # how many closing steps may follow the answer: "Right.", "And that's our answer."


@dataclass(frozen=True)
class Chain:
    """A chain with its gold answer and, if the set has them, step labels.

    Attributes:
        right: whether the chain ends with the gold answer; None if unknown.
        worked: whether it is the data set's own solution.
        marked: indices (from 0) of the wrong or redundant steps; None without such labels.
    """

    source: str
    trace: Trace
    right: bool | None = None
    worked: bool = False
    marked: frozenset[int] | None = None

    @property
    def fitted_half(self) -> bool:
        """Whether the chain's question is in the training half."""
        return int(question_hash(self.question), 16) % 2 == 0

    @property
    def question(self) -> str:
        """The question alone, so that all forms of a question are in the same half."""
        return str(self.trace.meta["question"])


def read(data: Path, sets: Sequence[str] = SETS) -> list[Chain]:
    """All chains of these sets that have steps and a gold answer."""
    found: list[Chain] = []
    for name in sets:
        family, _, part = name.partition(" ")
        found += _READERS[family](data, part)
    return found


def _chain(
    source: str,
    name: str,
    question: str,
    steps: Sequence[str],
    gold: str,
    *,
    alone: str | None = None,
    choices: Sequence[str] | None = None,
    right: bool | None = None,
    worked: bool = False,
    marked: frozenset[int] | None = None,
) -> Chain:
    lines = [" ".join(step.split()) for step in steps]
    if not all(lines):
        raise ValueError(f"chain {name!r}: an empty step, so that the labels cannot be told apart")
    meta = {"question": alone or question}
    trace = Trace(question, "\n".join(lines), gold, choices, id=f"{source} {name}", meta=meta)
    return Chain(source, trace, right, worked, marked)


def _gsm8k(data: Path, _: str) -> Iterator[Chain]:
    """GSM8K's own solutions and those of its four example models, without calculator annotations."""
    lines = (data / "gsm8k" / "example_model_solutions.jsonl").read_text("utf-8").splitlines()
    for i, line in enumerate(lines):
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A: ")[2].strip()
        solutions = {"worked": (row["ground_truth"], True)}
        solutions |= {name: (row[name]["solution"], row[name]["is_correct"]) for name in GSM8K_MODELS}
        for name, (text, right) in solutions.items():
            steps = [step for step in _CALCULATOR.sub("", text).splitlines() if step.strip()]
            if steps and steps[-1].startswith("A:"):
                steps[-1] = f"The answer is {steps[-1][2:].strip()}."
            if steps:
                yield _chain("gsm8k", f"{i} {name}", row["question"], steps, gold, right=right, worked=name == "worked")


def _mrben(data: Path, subject: str) -> Iterator[Chain]:
    """MR-Ben's solutions up to and including their first wrong step; the gold answer is an option's text."""
    for rows in json.loads((data / "mrben" / f"{subject}.json").read_text("utf-8")).values():
        for row in rows:
            options = {letter: " ".join(text.split()) for letter, text in OPTION.findall(row["Options"])}
            gold, steps = options.get(row["Ground_Truth_Answer"]), mrben_steps(row["Model_Solution_Steps"])
            first = row["Model_Solution_First_Error_Step"]
            if gold is None or len(set(options.values())) < len(options):
                continue
            numbers = list(steps)
            if first == NO_ERROR:
                marked: frozenset[int] = frozenset()
            elif int(first) in steps:
                numbers = numbers[: numbers.index(int(first)) + 1]
                marked = frozenset({len(numbers) - 1})
            else:
                continue
            name = f"{row['Question_UUID']} {row['Sampled_Model']}"
            texts = [steps[number] for number in numbers]
            if not texts or not all(text.strip() for text in texts):
                continue
            listed = "\n".join(f"{letter}: {text}" for letter, text in options.items())
            yield _chain(
                f"mrben {subject}",
                name,
                f"{row['Question']}\n{listed}",
                texts,
                gold,
                alone=row["Question"],
                choices=list(options.values()),
                marked=marked,
            )


def _prmbench(data: Path, kind: str) -> Iterator[Chain]:
    """PRM800K's solutions with steps that GPT-4o made redundant or circular, as marked by the authors."""
    path = data / "prmbench" / f"prm800k_test_p1_4o_{kind}.jsonl"
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        gold, steps = parsed_answer(row["original_process"]), row["modified_process"]
        if gold is None or not all(step.strip() for step in steps) or max(row["error_steps"]) > len(steps):
            continue  # two chains a set have labels beyond their last step
        marked = frozenset(number - 1 for number in row["error_steps"])
        question = row["modified_question"]
        yield _chain(
            f"prmbench {kind}", row["idx"], question, steps, gold, alone=row["original_question"], marked=marked
        )


def _math500(data: Path, _: str) -> Iterator[Chain]:
    """MATH-500's own solutions, for training: its questions include PRMBench's."""
    for line in (data / MATH / "test.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        steps = [step for step in re.split(r"\n\s*\n|(?<=[.$]) (?=[A-Z])", row["solution"]) if step.strip()]
        yield _chain(MATH, row["unique_id"], row["problem"], steps, row["answer"], right=True, worked=True)


_READERS = {"gsm8k": _gsm8k, "mrben": _mrben, "prmbench": _prmbench, MATH: _math500}


def parsed_answer(steps: Sequence[str]) -> str | None:
    r"""The final answer of a worked solution: the last `\boxed{…}`, else the last number or right side of a formula.

    Skips up to three closing steps that only agree ("Right.", "And that's our answer."). None if nothing is found.
    `checked_answers` checks the parsed answers.
    """
    for step in reversed(steps[-_STEPS_BACK:]):
        if found := _last_boxed(step) or _last_value(step):
            return found
    return None


def _last_boxed(step: str) -> str | None:
    matches = list(_BOXED.finditer(step))
    if not matches:
        return None
    depth, start = 1, matches[-1].end()
    for i in range(start, len(step)):
        depth += (step[i] == "{") - (step[i] == "}")
        if not depth:
            return step[start:i].strip() or None
    return None


def _last_value(step: str) -> str | None:
    """The last formula that is more than a variable's name, or the last number outside of formulas."""
    plain = step.replace(r"\$", "")
    found = [(m.end(), m[1].rpartition("=")[2].strip().rstrip(".,")) for m in _MATH.finditer(plain)]
    found = [(end, text) for end, text in found if re.search(r"\d|\\(?:pi|infty)", text)]
    outside = _MATH.sub(lambda m: " " * len(m[0]), plain)
    found += [(m.end(), m[0].rstrip(",").replace(",", "")) for m in _NUMBER.finditer(outside)]
    return max(found)[1] if found else None


def checked_answers(data: Path, kind: str) -> tuple[int, int, int, set[str]]:
    """How many PRMBench answers could be parsed, how many of these questions are in MATH-500, and how many agree there.

    Returns:
        parsed, looked up, agreeing, and the questions whose parsed answer MATH-500 contradicts.
    """
    from stepgauge.metrics.answers.math_verify_client import TookTooLong, equal

    gold = {}
    for line in (data / "math500" / "test.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        gold[question_hash(row["problem"])] = row["answer"]
    parsed = looked_up = agreeing = 0
    wrong: set[str] = set()
    for chain in _prmbench(data, kind):
        parsed += 1
        expected = gold.get(question_hash(chain.question))
        if expected is None:
            continue
        looked_up += 1
        answer = chain.trace.answers[0]
        try:
            same = answer == expected or equal(expected, answer)
        except TookTooLong:
            same = False
        agreeing += same
        if not same:
            wrong.add(chain.question)
    return parsed, looked_up, agreeing, wrong
