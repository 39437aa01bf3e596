"""Cutting responses into steps: each splitter, the choice that `auto` makes, and what a step carries."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hostile_sizes import in_three_sizes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sweeps import sweep

from stepgauge.metrics.segment import BUILTIN_SPLITTERS, Segmentation, Splitter, segment
from stepgauge.metrics.trace import Trace

CASES: list[tuple[str, str, list[str]]] = [
    ("numbered", "1. a b\n2. c d", ["1. a b", "2. c d"]),
    ("numbered", "1) a b\n2) c d\n3) e", ["1) a b", "2) c d", "3) e"]),
    ("numbered", "(1) a b\n\n(2) c d", ["(1) a b", "(2) c d"]),
    ("numbered", "Step 1: a\nStep 2: b", ["Step 1: a", "Step 2: b"]),
    ("numbered", "**Step 1:** a\n\n**Step 2:** b", ["**Step 1:** a", "**Step 2:** b"]),
    ("numbered", "**Step 1**\na\n**Step 2**\nb", ["**Step 1**\na", "**Step 2**\nb"]),
    ("numbered", "### Step 1: A\n\na\n\n### Step 2: B\n\nb", ["### Step 1: A\n\na", "### Step 2: B\n\nb"]),
    ("numbered", "## 1. A\na\n## 2. B\nb", ["## 1. A\na", "## 2. B\nb"]),
    ("numbered", "**1. A**\na\n**2. B**\nb", ["**1. A**\na", "**2. B**\nb"]),
    ("numbered", "Step 1.1: a\nStep 1.2: b\nStep 2: c", ["Step 1.1: a", "Step 1.2: b", "Step 2: c"]),
    ("numbered", "第1步：甲\n第2步：乙", ["第1步：甲", "第2步：乙"]),
    ("numbered", "第一步：甲\n第二步：乙", ["第一步：甲", "第二步：乙"]),
    ("numbered", "Schritt 1: a\nSchritt 2: b", ["Schritt 1: a", "Schritt 2: b"]),
    ("numbered", "① a\n② b", ["① a", "② b"]),
    ("numbered", "We go.\n1. a\n2. b\nSo it is c.", ["We go.", "1. a", "2. b", "So it is c."]),
    ("numbered", "Step 1: a\nStep 2: b\nSolution: Choice_B", ["Step 1: a", "Step 2: b", "Solution: Choice_B"]),
    ("numbered", "1. a\n- x\n- y\n2. b", ["1. a\n- x\n- y", "2. b"]),
    ("numbered", "1. a\n   1. x\n   2. y\n2. b", ["1. a\n   1. x\n   2. y", "2. b"]),
    ("numbered", "### Plan\n1. a\n2. b", ["### Plan\n1. a", "2. b"]),
    ("numbered", "1. a\n\nb\n\n2. c\n\nd\n\ne.", ["1. a\n\nb", "2. c\n\nd", "e."]),
    ("numbered", "Step 1: we have\n\\[\nx = 2\n\\]\nStep 2: b", ["Step 1: we have\n\\[\nx = 2\n\\]", "Step 2: b"]),
    ("numbered", "1. a\n1998. was a year\n2. b\n3. c\n4. d", ["1. a", "1998. was a year", "2. b", "3. c", "4. d"]),
    ("numbered", "no numbers\n\nhere", ["no numbers", "here"]),
    ("paragraphs", "a\nb\n\nc\n \t\nd", ["a\nb", "c", "d"]),
    ("paragraphs", "a\r\n\r\nb", ["a", "b"]),
    ("paragraphs", "a.\n\n---\n\nb.", ["a.", "b."]),
    ("paragraphs", "## Head\n\nbody.\n\nmore.", ["## Head\n\nbody.", "more."]),
    ("paragraphs", "**Head**\n\nbody.", ["**Head**\n\nbody."]),
    ("paragraphs", "**Final Answer**\n\n\\boxed{5}", ["**Final Answer**\n\n\\boxed{5}"]),
    ("paragraphs", "a.\n\n#### 72\n\nb.", ["a.", "#### 72", "b."]),
    ("paragraphs", "It matters:\n\n- a\n- b\n\nc.", ["It matters:\n\n- a\n- b", "c."]),
    ("paragraphs", "It matters, since:\n\n1. a\n2. b\n\nc.", ["It matters, since:\n\n1. a\n2. b", "c."]),
    ("paragraphs", "Explanation:\n\na b.\n\nc.", ["Explanation:\n\na b.", "c."]),
    ("paragraphs", "**Explanation:**\n\na b.\n\nc.", ["**Explanation:**\n\na b.", "c."]),
    ("paragraphs", "We take these two steps:\n\nadd.\n\nc.", ["We take these two steps:\n\nadd.", "c."]),
    ("paragraphs", "**Option A**\n\na b.\n\n**Option B**\n\nc.", ["**Option A**\n\na b.", "**Option B**\n\nc."]),
    ("paragraphs", "a b.\n\n**Option B**\n\nBecause c.", ["a b.", "**Option B**", "Because c."]),
    ("lines", "It matters:\n- a\n- b\nc.", ["It matters:\n- a", "- b", "c."]),
    ("lines", "Reason:\na b c.\nd.", ["Reason:\na b c.", "d."]),
    ("lines", "The primes are:\n2\n3\n5\nTheir sum is 10.", ["The primes are:\n2\n3\n5", "Their sum is 10."]),
    ("lines", "We list them\n1,200\n$3.50\nand stop.", ["We list them\n1,200\n$3.50", "and stop."]),
    ("lines", "Add 3 and 4.\n7", ["Add 3 and 4.", "7"]),
    ("lines", "**Option A**\n- a\n- b\n**Option C**\n- c", ["**Option A**\n- a", "- b", "**Option C**\n- c"]),
    ("lines", "### Option A\n- a\nThe answer is C.", ["### Option A\n- a", "The answer is C."]),
    ("numbered", "We look at both:\n1. a\n2. b", ["We look at both:\n1. a", "2. b"]),
    ("numbered", "**A**\n1. a\n2. b\n**B**\n1. c\n2. d", ["**A**\n1. a", "2. b", "**B**\n1. c", "2. d"]),
    ("paragraphs", "So we get\n\n$$x = 3$$\n\nDone now.", ["So we get\n\n$$x = 3$$", "Done now."]),
    ("paragraphs", "Full stop.\n\n$$x = 3$$", ["Full stop.", "$$x = 3$$"]),
    ("paragraphs", "Solving, we get:\n\nr(t) = h(t)\n\nDone.", ["Solving, we get:\n\nr(t) = h(t)", "Done."]),
    ("paragraphs", "Code:\n\n```\na\n\nb\n```\n\nDone.", ["Code:\n\n```\na\n\nb\n```", "Done."]),
    ("lines", "a\nb\n\nc", ["a", "b", "c"]),
    ("lines", "a\u2028b\rc", ["a", "b", "c"]),
    ("lines", "We get\n\\[\nx = 3\n\\]\nSo done.", ["We get\n\\[\nx = 3\n\\]", "So done."]),
    ("lines", "We get\n$$\nx\n= 3\n$$\nSo done.", ["We get\n$$\nx\n= 3\n$$", "So done."]),
    (
        "lines",
        "So\n\\begin{align*}\nx &= 1 \\\\\ny &= 2\n\\end{align*}\nDone.",
        ["So\n\\begin{align*}\nx &= 1 \\\\\ny &= 2\n\\end{align*}", "Done."],
    ),
    ("lines", "So\n\\[\nx = 3\n\\]\nwhere x is y.\nDone.", ["So\n\\[\nx = 3\n\\]\nwhere x is y.", "Done."]),
    ("lines", "So\n\\[\nx = 1 \\\\\ny = 2", ["So\n\\[\nx = 1 \\\\\ny = 2"]),
    ("lines", "Table:\n| a | b |\n|---|---|\n| 1 | 2 |\nDone.", ["Table:\n| a | b |\n|---|---|\n| 1 | 2 |", "Done."]),
    ("lines", "```python\na\nb\n```\nDone.", ["```python\na\nb\n```", "Done."]),
    ("lines", "a $$ stray\nb.\n\nc.\nd.", ["a $$ stray\nb.", "c.", "d."]),
    ("sentences", "He ate 1.5 pies. Dr. Smith ate 2. Fine.", ["He ate 1.5 pies.", "Dr. Smith ate 2.", "Fine."]),
    ("sentences", "So $x. Y = 2$ holds. Then $24.$ Next", ["So $x. Y = 2$ holds.", "Then $24.$", "Next"]),
    ("sentences", "So \\(a. B\\) it is. Now", ["So \\(a. B\\) it is.", "Now"]),
    ("sentences", "We get\n$$\na. B\n$$\nThen so. End", ["We get\n$$\na. B\n$$", "Then so.", "End"]),
    ("sentences", "There are 19! ways. Then 5! is 120.", ["There are 19! ways.", "Then 5! is 120."]),
    ("sentences", "So n! = 6 and (n-1)! = 2. Stop! Now go", ["So n! = 6 and (n-1)! = 2.", "Stop!", "Now go"]),
    ("sentences", "It is 10!/(3! 7!) ways. End", ["It is 10!/(3! 7!) ways.", "End"]),
    ("sentences", "The primes are:\n2\n3\nSo it is 5.", ["The primes are:\n2\n3", "So it is 5."]),
    ("sentences", "1. Add them. Then stop.", ["1. Add them.", "Then stop."]),
    ("sentences", "no stop here\nA: 18", ["no stop here", "A: 18"]),
    ("sentences", "他有三个。他吃了一个。还剩两个。", ["他有三个。", "他吃了一个。", "还剩两个。"]),
    ("sentences", "यह एक है। यह दो है।", ["यह एक है।", "यह दो है।"]),
    ("sentences", "هل هذا؟ نعم", ["هل هذا؟", "نعم"]),
    ("sentences", "One \ud800. Two.", ["One \ud800.", "Two."]),
    ("sentences", "😀 One. 😀 Two.", ["😀 One.", "😀 Two."]),
    ("think", "<think>\na.\n\nb.\n</think>\nc.", ["a.", "b.", "c."]),
    ("think", "<think>a.\n\nb. cut", ["a.", "b. cut"]),
    ("think", "a.\n\nb.\n</think>\n\nc.", ["a.", "b.", "c."]),
    ("think", "<thinking>a.</thinking>b.", ["a.", "b."]),
    ("think", "<|begin_of_thought|>a.<|end_of_thought|><|begin_of_solution|>b.<|end_of_solution|>", ["a.", "b."]),
    ("think", "[THINK]a.[/THINK]b.", ["a.", "b."]),
    ("think", "<think></think>b.", ["b."]),
    ("think", "<think>a.</think><think>b.</think>c.", ["a.", "b.", "c."]),
]


@pytest.mark.parametrize(("splitter", "response", "steps"), CASES)
def test_a_splitter_cuts_where_its_name_says(splitter: str, response: str, steps: list[str]) -> None:
    assert texts(cut(response, splitter)) == steps


SENTENCE = "She adds the numbers and looks at them. "


@pytest.mark.parametrize(
    ("response", "choice", "steps"),
    [
        ("1. a\n2. b", "auto:numbered", 2),
        ("She has 2.\nShe buys 3.\nA: 5", "auto:lines", 3),
        ("She has 2.\n\nShe buys 3.\n\nThe answer is 5.", "auto:paragraphs", 3),
        ("She has 2. She buys 3. The answer is 5.", "auto:sentences", 3),
        ("So it is 2 m. The answer is (E).", "auto:sentences", 2),
        (f"{SENTENCE * 8}\n\n{SENTENCE * 8}", "auto:sentences", 16),
        ("\n\n".join([SENTENCE * 5] * 12), "auto:paragraphs", 12),
        ("She has 2.\nSo she buys 3. The answer is 5.", "auto:lines", 3),
        ("<think>\nOne.\n\nTwo.\n\nThree.\n</think>\nOne. Two.", "auto:think:paragraphs+sentences", 5),
        ("1. a\n2. b\n</think>\nThe answer is 5.", "auto:think:numbered+sentences", 3),
        ("One step.", "auto:sentences", 1),
        ("", "auto:sentences", 0),
        (" \n\t\u200b\x00\n", "auto:sentences", 0),
    ],
)
def test_auto_records_the_choice_that_fits_the_layout(response: str, choice: str, steps: int) -> None:
    result = cut(response)
    assert (result.splitter, len(result.steps)) == (choice, steps)


def test_steps_are_trimmed_slices_and_say_whether_they_give_the_answer() -> None:
    response = "  She has 24.\n\n 48+24=72 \nThe answer is 72. \n"
    (result,) = segment([Trace("She has 24. How many?", response, "72")], "lines")
    assert [(s.text, s.kind, s.states_answer) for s in result.steps] == [
        ("She has 24.", "reasoning", False),
        ("48+24=72", "reasoning", True),
        ("The answer is 72.", "final_answer", True),
    ]
    assert all(response[s.start : s.end] == s.text for s in result.steps)


def test_each_trace_gets_its_own_segmentation_in_order() -> None:
    results = segment([Trace("q", "a\nb", "x"), Trace("q", "", None), Trace("q", "1. a\n2. b", "x")])
    assert [(r.splitter, len(r.steps)) for r in results] == [
        ("auto:lines", 2),
        ("auto:sentences", 0),
        ("auto:numbered", 2),
    ]


def test_an_unknown_splitter_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"unknown splitter 'lnes'; did you mean 'lines'\?"):
        cut("a", "lnes")


def test_a_splitter_of_one_s_own_is_used_by_name_or_as_it_is() -> None:
    own = Splitter("halves", lambda text: [(0, len(text) // 2), (len(text) // 2, len(text))])
    trace = Trace("q", "abcd", "x")
    assert texts(segment([trace], own)[0]) == ["ab", "cd"]
    assert segment([trace], "halves", {**BUILTIN_SPLITTERS, "halves": own})[0].splitter == "halves"


def raising(_: str) -> list[tuple[int, int]]:
    raise KeyError("boom")


def endless(_: str) -> Iterator[tuple[int, int]]:
    while True:
        yield (0, 0)


@pytest.mark.parametrize(
    ("split", "what"),
    [
        (lambda _: [(0, 2), (1, 3)], r"span 1 \(1, 3\) begins before span 0 ends"),
        (lambda _: [(2, 1)], r"span 0 is \(2, 1\), expected 0 <= start <= end <= 4"),
        (lambda _: [(-1, 1)], r"span 0 is \(-1, 1\), expected 0 <="),
        (lambda _: [(0, 5)], r"span 0 is \(0, 5\), expected 0 <="),
        (lambda _: [(0.0, 1.0)], r"span 0 is \(0.0, 1.0\), expected \(start, end\) as ints"),
        (lambda _: [(0, 1, 2)], r"span 0 is \(0, 1, 2\), expected \(start, end\) as ints"),
        (lambda _: ["ab"], r"span 0 is 'ab', expected \(start, end\) as ints"),
        (lambda _: [3], r"span 0 is 3, expected \(start, end\) as ints"),
        (lambda _: None, r"raised TypeError"),
        (raising, r"raised KeyError: 'boom'"),
        (endless, r"returned more spans than the response has characters \(4\)"),
    ],
)
def test_a_broken_splitter_is_named_with_the_trace_and_what_was_wrong(split: Callable[[str], Any], what: str) -> None:
    with pytest.raises(ValueError, match=rf"^splitter 'mine', trace 't7': {what}"):
        segment([Trace("q", "abcd", "x", id="t7")], Splitter("mine", split))


def test_a_splitter_whose_choice_fails_is_named() -> None:
    with pytest.raises(ValueError, match=r"^splitter 'mine', trace 't7': raised KeyError: 'boom'"):
        segment([Trace("q", "abcd", "x", id="t7")], Splitter("mine", endless, resolve=raising))  # type: ignore[arg-type]


FRAGMENTS = st.sampled_from(
    [
        *(
            "<think>",
            "</think>",
            "\\[",
            "\\]",
            "$$",
            "$x$",
            "```",
            "\n| a\n",
            "\n",
            "\n\n",
            "\u2028",
            " ",
            "---",
            "# H",
            "**B**",
        ),
        *(
            "1. ",
            "Step 2: ",
            "\\begin{a}",
            "\\end{a}",
            "The answer is 5.",
            "a. B",
            "x = 1:",
            "。",
            "“",
            "\x00",
            "\ud800",
            "😀",
            "ก",
        ),
    ]
)


# One between quotes or backticks on both sides is spoken of, and stays.
USED_TAG = re.compile(r"(?<![`\"'“”‘’])</?think>|</?think>(?![`\"'“”‘’])")


@pytest.mark.slow
@example(response="```<think>```", splitter="auto")
@settings(max_examples=300, deadline=None)
@given(response=st.lists(FRAGMENTS, max_size=25).map("".join), splitter=st.sampled_from(sorted(BUILTIN_SPLITTERS)))
def test_steps_keep_their_order_and_lose_no_letter_but_those_of_tags(response: str, splitter: str) -> None:
    steps = cut(response, splitter).steps
    assert all(response[s.start : s.end] == s.text == s.text.strip() != "" for s in steps)
    assert all(a.end <= b.start for a, b in pairwise(steps))
    kept = Counter("".join(s.text for s in steps))
    given_letters = Counter(USED_TAG.sub("", response))
    assert {c: n for c, n in kept.items() if c.isalnum()} == {c: n for c, n in given_letters.items() if c.isalnum()}


THREE_THOUSAND = "".join(f"Step {i}: we add {i} and get {2 * i}.\n" for i in range(1, 3001))


def hostile(part: int) -> dict[str, str]:
    """Each `part` times shorter than it is meant to be."""
    return {
        "3,000 steps": THREE_THOUSAND[: len(THREE_THOUSAND) // part],
        "1 MB line": "word " * (200_000 // part),
        "1 MB word": "a" * (1_000_000 // part),
        "1M newlines": "\n" * (1_000_000 // part),
        "100k tags": "<think>x" * (100_000 // part),
        "special tokens": "<|some_name|>x" * (20_000 // part),
        "headers": "<|start|>" * (50_000 // part),
        "tool calls": "<tool_call>x</tool_call>" * (10_000 // part),
        "open tool calls": "<tool_call>x" * (50_000 // part),
        "open tokens": "<|" * (300_000 // part),
        "open tags": "<a " * (50_000 // part),
        "questions": "Q: x?\nA: 5\n" * (10_000 // part),
        "observations": "Action: x\nObservation: y\n" * (20_000 // part),
        "columns of numbers": "12\n" * (20_000 // part),
        "lead-ins": "so:\n\n" * (10_000 // part),
        "option headings": "**A**\n" * (10_000 // part),
        "open quotes": "“" * (300_000 // part),
        "open guillemets": "«a" * (150_000 // part),
        "dollars": "$" * (500_000 // part),
        "open formulas": "\\[" * (200_000 // part),
        "fences": "```\n" * (50_000 // part),
        "headings": "# x y\n" * (30_000 // part),
        "one long item": "1. a\n\n" + "b\n\n" * (50_000 // part) + "2. c",
        "paragraph items": "Step 1: a\n\nb\n\nc\n\n" * (5_000 // part),
        "lone surrogates": "\ud800. A" * (50_000 // part),
        "NUL": "\x00" * (500_000 // part),
        "Thai": "สวัสดีครับ" * (30_000 // part),
        "Chinese": "他有三个。" * (30_000 // part),
    }


@pytest.mark.parametrize("splitter", sweep(["auto", "numbered", "sentences", "think"], ["auto"]))  # auto runs others
@pytest.mark.parametrize(("response", "seconds"), in_three_sizes(hostile))
def test_hostile_responses_are_cut_in_linear_time(response: str, seconds: float, splitter: str) -> None:
    begin = time.process_time()
    steps = cut(response, splitter).steps
    assert all(a.end <= b.start for a, b in pairwise(steps))
    assert time.process_time() - begin < seconds


def test_a_chain_of_three_thousand_steps_keeps_them_all() -> None:
    assert len(cut(THREE_THOUSAND).steps) == 3000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "total", "with_numbers", "least"),
    sweep([(10, 175, 127, 126), (1, 1746, 1181, 1170)], [(10, 175, 127, 126)]),
)
def test_auto_finds_the_steps_that_people_labelled_in_mrben(
    shared_data: Path, every: int, total: int, with_numbers: int, least: int
) -> None:
    """Joined by newlines. Where a step has no number of its own, `auto` leaves it with the numbered one before it."""
    chains = [chain["Model_Solution_Steps"] for chain in mrben(shared_data)[::every]]
    numbered = [c for c in chains if all(step.lstrip().startswith("Step ") for step in c[:-1])]
    found = [texts(cut("\n".join(chain))) == [step.strip() for step in chain] for chain in numbered]
    assert len(chains) == total
    assert len(numbered) == with_numbers
    assert sum(found) >= least
    assert {cut("\n".join(chain)).splitter for chain in numbered} == {"auto:numbered"}


@pytest.mark.slow
@pytest.mark.parametrize("separator", ["\n", "\n\n"])
def test_auto_finds_the_steps_of_prmbench(shared_data: Path, separator: str) -> None:
    with (shared_data / "prmbench" / "prm800k_test_p1_4o_circular.jsonl").open(encoding="utf-8") as file:
        chains = [json.loads(line)["original_process"] for line in file]
    found = [texts(cut(separator.join(chain))) == [step.strip() for step in chain] for chain in chains]
    assert (sum(found), len(chains)) == (90, 90)


@pytest.mark.slow
@pytest.mark.parametrize(("every", "total", "least"), sweep([(10, 528, 526), (1, 5276, 5261)], [(10, 528, 526)]))
def test_gsm8k_chains_are_cut_into_lines_and_end_with_their_final_answer(
    shared_data: Path, every: int, total: int, least: int
) -> None:
    with (shared_data / "gsm8k" / "example_model_solutions.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in list(file)[::every]]
    chains = [value["solution"] for row in rows for value in row.values() if isinstance(value, dict)]
    results = [cut(chain) for chain in chains]
    ends = sum(result.steps[-1].kind == "final_answer" for result in results)
    assert len(chains) == total
    assert ends >= least
    assert sum(step.kind == "final_answer" for result in results for step in result.steps[:-1]) == 0
    assert Counter(result.splitter for result in results)["auto:lines"] / len(chains) > 0.98


@pytest.mark.slow
def test_answers_that_mmlu_pro_chains_announce_are_steps_of_their_own(shared_data: Path) -> None:
    archive = shared_data / "mmlupro-outputs" / "model_outputs_Mistral-7B-v0.1_5shots.zip"
    with zipfile.ZipFile(archive) as file:
        rows = json.loads(file.read(file.namelist()[0]))
    chains = [row["generated_text"].strip() for row in rows if row["category"] in ("health", "law")]
    announced = [chain for chain in chains if "\n" not in chain and ". The answer is (" in chain[-30:]]
    results = [cut(chain) for chain in announced]
    assert len(announced) > 1500
    alone = [r.steps[-1].kind == "final_answer" and r.steps[-1].text.startswith("The answer is (") for r in results]
    assert sum(alone) / len(alone) > 0.99


def mrben(shared_data: Path) -> list[dict[str, Any]]:
    files = [shared_data / "mrben" / name for name in ("math.json", "medicine.json")]
    by_question = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [chain for questions in by_question for chains in questions.values() for chain in chains]


def cut(response: str, splitter: str = "auto") -> Segmentation:
    return segment([Trace("q?", response, "72")], splitter)[0]


def texts(result: Segmentation) -> list[str]:
    return [step.text for step in result.steps]


@pytest.mark.parametrize("sentence", ["True.", "1 + 1 = 2. "])
def test_sentence_behind_a_long_run_of_spaces_takes_linear_time(sentence):
    before = time.thread_time()
    segment([Trace("q", f"{' ' * 20_000}{sentence}{sentence}", "2")], "sentences")
    assert time.thread_time() - before < 1.5  # quadratic: 7 s
