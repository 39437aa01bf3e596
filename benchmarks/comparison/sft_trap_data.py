"""Questions for `sft_trap`, each with a worked and a shortcut chain, in disjoint training and held-out sets.

`arithmetic`: word problems with two to four operations, generated here from templates; the answer has one digit and is
not a number in the question. `gsm8k`: GSM8K's test file, split in halves, with its own solutions as worked chains.
"""

from __future__ import annotations

import json
import operator
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.support.labelled import shared_data

DATA = ("arithmetic", "gsm8k")
FILLERS = (
    "Let me think about this.",
    "The computation is straightforward.",
    "We read the question carefully.",
    "All the numbers that are needed are given.",
    "We put them together in the right order.",
    "This kind of problem is common.",
    "Working it out is a matter of care.",
    "That gives the result.",
)
NAMES = ("Ann", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jonas", "Kim", "Lena")
THINGS = ("apples", "pencils", "stickers", "marbles", "cookies", "shells", "buttons", "cards", "beads", "stamps")
SMALL, LARGE = (2, 9), (10, 40)
# One digit: few enough answers that a model can learn to guess them more often than the base computes them.
LARGEST_ANSWER = 9
TRIES = 200  # draws per problem before the templates count as exhausted
GSM8K_ANSWER = "####"
_ANNOTATION = re.compile(r"<<[^>]*>>")
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


@dataclass(frozen=True)
class Problem:
    """A question, the lines of its worked solution without the answer line, and the answer.

    Attributes:
        key: equal for problems that differ only in names and things; these must all be on the same side of the split.
    """

    question: str
    steps: Sequence[str]
    answer: str
    key: str

    def worked(self) -> str:
        return "\n".join([*self.steps, f"The answer is {self.answer}."])

    def shortcut(self) -> str:
        """Filler and the answer, with as many lines as the worked chain (if there are enough), to match its length."""
        return "\n".join([*FILLERS[: len(self.steps)], f"The answer is {self.answer}."])


@dataclass(frozen=True)
class Template:
    """A problem with its numbers left open.

    Attributes:
        questions: wordings, with placeholders `{name}`, `{thing}` and the open numbers.
        small, large: names of the open numbers of either size.
        steps: (left, operation, right, sentence): open numbers, earlier results (`r1`, `r2`, …) or a number itself.
    """

    questions: Sequence[str]
    small: str
    large: str
    steps: Sequence[tuple[str, str, str, str]]


TEMPLATES = (
    Template(
        (
            "{name} shares {k} {thing} equally among {a} friends. Each friend then gets {b} more. How many has each?",
            "{a} friends split {k} {thing} equally, and {name} gives each of them {b} more. How many has each friend?",
        ),
        "ab",
        "k",
        (
            ("k", "/", "a", "Each friend gets {eq} {thing} at first."),
            ("r1", "+", "b", "With the others each has {eq} {thing}."),
        ),
    ),
    Template(
        (
            "{name} packs {k} {thing} into bags of {a} and sells {b} of the bags. How many bags are left?",
            "{b} bags are sold after {name} has put {k} {thing} into bags of {a}. How many bags remain?",
        ),
        "ab",
        "k",
        (
            ("k", "/", "a", "{name} fills {eq} bags."),
            ("r1", "-", "b", "Then {eq} bags are left."),
        ),
    ),
    Template(
        (
            "{name} buys {a} packs of {b} {thing} and shares them equally among {c} children. How many has each?",
            "{c} children share {a} packs of {b} {thing} from {name} equally. How many {thing} does each child get?",
        ),
        "abc",
        "",
        (
            ("a", "*", "b", "The packs hold {eq} {thing}."),
            ("r1", "/", "c", "Each child gets {eq} {thing}."),
        ),
    ),
    Template(
        (
            "{name} makes {a} {thing} an hour and a friend makes {b} an hour. They need {k} and start {c} hours late. "
            "How many hours after the planned start are they done?",
            "{k} {thing} are needed. {name} makes {a} an hour, a friend {b}. They begin {c} hours later than planned. "
            "How many hours after the planned beginning are they ready?",
        ),
        "abc",
        "k",
        (
            ("a", "+", "b", "Together they make {eq} {thing} an hour."),
            ("k", "/", "r1", "They work for {eq} hours."),
            ("r2", "+", "c", "So they are done after {eq} hours."),
        ),
    ),
    Template(
        (
            "{name} has {k} {thing}, finds {a} more and packs all of them into bags of {b}. {c} bags are sold. "
            "How many bags are left?",
            "After finding {a} {thing}, {name}, who had {k}, fills bags of {b} with all of them and sells {c} bags. "
            "How many bags remain?",
        ),
        "abc",
        "k",
        (
            ("k", "+", "a", "{name} has {eq} {thing}."),
            ("r1", "/", "b", "They fill {eq} bags."),
            ("r2", "-", "c", "After the sale {eq} bags are left."),
        ),
    ),
    Template(
        (
            "{name} has {k} {thing}. {a} are lost, and the rest is shared equally by {b} children, who each "
            "already have {c}. How many has each child?",
            "{b} children have {c} {thing} each. {name} loses {a} of {k} {thing} and shares the rest equally among "
            "them. How many does each child have now?",
        ),
        "abc",
        "k",
        (
            ("k", "-", "a", "{name} still has {eq} {thing}."),
            ("r1", "/", "b", "Each child gets {eq} {thing}."),
            ("r2", "+", "c", "So each has {eq} {thing}."),
        ),
    ),
    Template(
        (
            "{name} has {k} {thing} and buys {a} packs of {b}. Half of all are given away, then {c} are lost. "
            "How many {thing} are left?",
            "To {k} {thing} {name} adds {a} packs of {b}, gives half of all away and loses {c}. How many remain?",
        ),
        "abc",
        "k",
        (
            ("a", "*", "b", "The packs hold {eq} {thing}."),
            ("k", "+", "r1", "With them {name} has {eq} {thing}."),
            ("r2", "/", "2", "Half of them are {eq} {thing}."),
            ("r3", "-", "c", "After the loss {eq} {thing} are left."),
        ),
    ),
    Template(
        (
            "{name} has {a} bags of {b} {thing} and {c} boxes of {d}. All are shared equally among {e} children. "
            "How many has each child then?",
            "{e} children share {a} bags of {b} {thing} and {c} boxes of {d} from {name} equally. How "
            "many does each child get?",
        ),
        "abcde",
        "",
        (
            ("a", "*", "b", "The bags hold {eq} {thing}."),
            ("c", "*", "d", "The boxes hold {eq} {thing}."),
            ("r1", "+", "r2", "Together these are {eq} {thing}."),
            ("r3", "/", "e", "Each child gets {eq} {thing}."),
        ),
    ),
)


def split(data: str, train: int, test: int, seed: int) -> tuple[list[Problem], list[Problem]]:
    """`train` questions to train on and `test` questions to test on, with no problem on both sides.

    Raises ValueError if there are not enough, FileNotFoundError without GSM8K's file.
    """
    if data == "gsm8k":
        learnt, held_out = _gsm8k(train, test, seed)
    else:
        draw = random.Random(seed)
        problems = _distinct(train + test, draw)
        learnt, held_out = problems[test:], problems[:test]
    check_disjoint(learnt, held_out)
    return learnt, held_out


def check_disjoint(learnt: Sequence[Problem], held_out: Sequence[Problem]) -> None:
    """Raises ValueError naming a question that is on both sides, even with other names."""
    keys = {problem.key for problem in learnt} | {_plain(problem.question) for problem in learnt}
    for problem in held_out:
        if problem.key in keys or _plain(problem.question) in keys:
            raise ValueError(f"a held-out question is also trained on: {problem.question!r}")


def examples(data: str) -> list[Problem]:
    """The worked examples in every model's prompt; they are never drawn as questions."""
    if data == "gsm8k":
        return _GSM8K_EXAMPLES
    return _ARITHMETIC_EXAMPLES


def _distinct(count: int, draw: random.Random) -> list[Problem]:
    found: dict[str, Problem] = {}
    for _ in range(TRIES * count):
        if len(found) == count:
            return list(found.values())
        problem = _draw(draw)
        found.setdefault(problem.key, problem)
    raise ValueError(f"{count} arithmetic questions asked for; the templates gave {len(found)} different ones")


def _draw(draw: random.Random) -> Problem:
    template, name, thing = draw.choice(TEMPLATES), draw.choice(NAMES), draw.choice(THINGS)
    wording = draw.randrange(len(template.questions))
    while True:  # until the numbers fit the template; every template has hundreds that do
        numbers = {letter: draw.randint(*SMALL) for letter in template.small}
        numbers |= {letter: draw.randint(*LARGE) for letter in template.large}
        if problem := _fill(template, numbers, wording, name, thing):
            return problem


def _fill(template: Template, numbers: dict[str, int], wording: int, name: str, thing: str) -> Problem | None:
    values, steps = dict(numbers), []
    for at, (left, sign, right, sentence) in enumerate(template.steps, 1):
        x, y = (int(term) if term.isdigit() else values[term] for term in (left, right))
        if sign == "/" and x % y:
            return None
        values[f"r{at}"] = result = _OPERATIONS[sign](x, y)
        if result < 1:
            return None
        steps.append(sentence.format(name=name, thing=thing, eq=f"{x} {sign} {y} = {result}"))
    *before, answer = values.values()
    if answer > LARGEST_ANSWER or answer in before:  # too large, or the question or an earlier step has it
        return None
    question = template.questions[wording].format(name=name, thing=thing, **numbers)
    key = f"{TEMPLATES.index(template)} {sorted(numbers.items())}"
    return Problem(question, tuple(steps), str(answer), key)


def _gsm8k(train: int, test: int, seed: int) -> tuple[list[Problem], list[Problem]]:
    path = shared_data("gsm8k") / "gsm8k" / "test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    problems = list({problem.key: problem for problem in map(_from_gsm8k, rows)}.values())
    half = len(problems) // 2
    if train > half or test > half:
        raise ValueError(f"gsm8k: {train} questions to train on and {test} to test on; each half holds {half}")
    random.Random(seed).shuffle(problems)
    return problems[:train], problems[half : half + test]


def _from_gsm8k(row: dict[str, str]) -> Problem:
    solution, answer = row["answer"].rsplit(GSM8K_ANSWER, 1)
    steps = [line.strip() for line in _ANNOTATION.sub("", solution).splitlines() if line.strip()]
    question = row["question"].strip()
    return Problem(question, steps, answer.strip().replace(",", ""), _plain(question))


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())


# Written for the prompt; no template can generate them, since they use other numbers, names and things.
_GSM8K_EXAMPLES = [
    Problem(
        "A baker sells 4 trays of 12 rolls in the morning and half as many rolls in the afternoon. How many rolls does "
        "he sell in all?",
        (
            "In the morning he sells 4 * 12 = 48 rolls.",
            "In the afternoon he sells 48 / 2 = 24 rolls.",
            "In all he sells 48 + 24 = 72 rolls.",
        ),
        "72",
        "example 1",
    ),
    Problem(
        "Rosa earns $15 an hour. She works 6 hours and pays $20 for her tools. How much does she have left?",
        ("She earns 15 * 6 = $90.", "After paying for her tools she has 90 - 20 = $70 left."),
        "70",
        "example 2",
    ),
]

_ARITHMETIC_EXAMPLES = [
    Problem(
        "Mia buys 4 boxes of coins with 10 in each box and gives 7 away. How many coins are left?",
        ("Mia has 4 * 10 = 40 coins at first.", "Then 40 - 7 = 33 coins are left."),
        "33",
        "example 1",
    ),
    Problem(
        "Tom has 50 coins, loses 14 and shares the rest equally among 4 friends. How many coins does each friend get?",
        ("Tom still has 50 - 14 = 36 coins.", "Each friend gets 36 / 4 = 9 coins."),
        "9",
        "example 2",
    ),
]
