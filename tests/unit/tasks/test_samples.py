"""The sample data is what its README says it is: well formed, right, balanced, and nobody else's text."""

from __future__ import annotations

import ast
import gzip
import importlib.resources
import json
import operator
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

SAMPLES = importlib.resources.files("stepgauge.tasks") / "samples"
EQUATION = re.compile(r"([\d.()+*/ -]*[\d)]) = (\d+(?:\.\d+)?)")
SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
LONGEST_SHARED_RUN = 8


def rows(name: str) -> list[dict]:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


ARITHMETIC = rows("arithmetic.jsonl")
MEDICAL = rows("medical.jsonl")
CORPUS = rows("corpus/medical.jsonl")
each_problem = pytest.mark.parametrize("row", ARITHMETIC, ids=lambda row: row["id"])
each_medical = pytest.mark.parametrize("row", MEDICAL, ids=lambda row: row["id"])


def value_of(expression: str) -> Fraction:
    """An independent calculator: Python's grammar for precedence, fractions for the numbers."""
    binary = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.BinOp):
            return binary[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant), ast.dump(node)
        return Fraction(str(node.value))

    return value(ast.parse(expression.strip(), mode="eval").body)


def numbers_in(text: str) -> set[Fraction]:
    """Numbers in digits (with or without thousands separators) and in words up to twenty."""
    digits = re.findall(r"\d[\d,]*(?:\.\d+)?", text)
    value_of_word = {word: Fraction(value) for value, word in enumerate(SPELLED.split())}
    spelled = {value_of_word[word] for word in re.findall(r"[a-z]+", text.lower()) if word in value_of_word}
    return {Fraction(found.replace(",", "")) for found in digits} | spelled


def sentences(text: str) -> int:
    return len(re.findall(r"[.?!](?= |$)", text))


@pytest.mark.parametrize(
    ("table", "prefix", "width", "count", "fields"),
    [
        (ARITHMETIC, "arith", 2, 40, {"id": str, "question": str, "answer": str, "solution": str}),
        (
            MEDICAL,
            "med",
            2,
            20,
            {"id": str, "question": str, "choices": list, "answer": str, "explanation": str, "passages": list},
        ),
        (CORPUS, "ref", 3, 65, {"id": str, "title": str, "text": str}),
    ],
    ids=["arithmetic", "medical", "corpus"],
)
def test_rows_have_the_stated_fields_and_ids_in_order(table, prefix, width, count, fields):
    assert [row["id"] for row in table] == [f"{prefix}-{n:0{width}d}" for n in range(1, count + 1)]
    for row in table:
        assert {name: type(value) for name, value in row.items()} == fields, row["id"]
        for name, value in row.items():
            for text in value if isinstance(value, list) else [value]:
                assert text, (row["id"], name)
                assert text == text.strip(), (row["id"], name)


@pytest.mark.parametrize("table", [ARITHMETIC, MEDICAL], ids=["arithmetic", "medical"])
def test_no_question_is_asked_twice(table):
    assert max(Counter(row["question"] for row in table).values()) == 1


@each_problem
def test_every_solution_line_holds_one_true_equation_and_no_other_number(row):
    lines = row["solution"].split("\n")
    assert 2 <= len(lines) <= 5
    for line in lines:
        found = EQUATION.findall(line)
        assert len(found) == 1, line
        assert line.count("=") == 1, line
        assert not re.search(r"\d", EQUATION.sub("", line)), line
        left, right = found[0]
        assert re.search(r"\d [-+*/] ", left), line
        assert value_of(left) == Fraction(right), line


@each_problem
def test_the_last_equation_yields_the_answer_and_no_line_announces_it(row):
    *earlier, last = row["solution"].split("\n")
    assert EQUATION.findall(last)[0][1] == row["answer"]
    assert not re.search(r"answer|####|boxed", row["solution"], re.IGNORECASE)
    assert Fraction(row["answer"]) not in set().union(*map(numbers_in, earlier))


@each_problem
def test_the_answer_is_a_short_number_that_the_question_does_not_contain(row):
    assert re.fullmatch(r"[1-9]\d{0,3}(\.\d?[1-9])?", row["answer"])
    assert Fraction(row["answer"]) not in numbers_in(row["question"])


def test_no_two_problems_share_an_answer():
    assert max(Counter(row["answer"] for row in ARITHMETIC).values()) == 1


def test_right_letters_are_balanced():
    assert Counter(row["answer"] for row in MEDICAL) == dict.fromkeys("ABCD", 5)


@each_medical
def test_choices_are_four_different_texts_and_the_question_does_not_name_the_right_one(row):
    assert len({choice.lower() for choice in row["choices"]}) == len(row["choices"]) == 4
    assert row["choices"]["ABCD".index(row["answer"])].lower() not in row["question"].lower()


@each_medical
def test_explanations_are_two_to_four_sentences_without_the_letter(row):
    assert 2 <= sentences(row["explanation"]) <= 4
    assert not re.search(r"\b(?:option|choice|answer)\b|\([A-D]\)", row["explanation"], re.IGNORECASE)


@each_medical
def test_passages_exist_and_speak_of_the_right_choice(row):
    by_id = {entry["id"]: entry for entry in CORPUS}
    assert len(set(row["passages"])) == len(row["passages"]) >= 1
    evidence = " ".join(by_id[passage]["title"] + " " + by_id[passage]["text"] for passage in row["passages"]).lower()
    right = row["choices"]["ABCD".index(row["answer"])].lower()
    telling = [word for word in re.findall(r"[a-z0-9]+", right) if len(word) > 3 or word.startswith("b1")] or [right]
    assert any(word in evidence for word in telling), (telling, evidence)


def test_about_half_of_the_corpus_supports_no_question_so_that_retrieval_has_something_to_get_wrong():
    cited = {passage for row in MEDICAL for passage in row["passages"]}
    assert len(CORPUS) - len(cited) >= len(CORPUS) * 0.45


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["id"])
def test_corpus_entries_are_two_to_five_sentences(entry):
    assert 2 <= sentences(entry["text"]) <= 5


def test_corpus_titles_are_unique():
    assert max(Counter(entry["title"] for entry in CORPUS).values()) == 1


def runs(text: str, length: int) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return zip(*(words[start:] for start in range(length)), strict=False)


def copied_runs(ours: Iterable[str], theirs: Iterable[str], longest_allowed: int = LONGEST_SHARED_RUN) -> list[str]:
    """Runs of `longest_allowed` + 1 words of ours that also occur in theirs."""
    mine = {run for text in ours for run in runs(text, longest_allowed + 1)}
    return sorted({" ".join(run) for text in theirs for run in runs(text, longest_allowed + 1) if run in mine})


def our_texts() -> Iterator[str]:
    for row in ARITHMETIC:
        yield from (row["question"], row["solution"])
    for row in MEDICAL:
        yield from (row["question"], row["explanation"], *row["choices"])
    for entry in CORPUS:
        yield from (entry["title"], entry["text"])


def real_texts(data: Path, name: str) -> Iterator[str]:
    open_text = gzip.open if name.endswith(".gz") else open
    with open_text(data / name, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield from (row[field] for field in ("question", "answer", "label_rationale") if row.get(field))


def test_the_copy_check_finds_nine_words_and_lets_eight_pass():
    nine = "a tap lets six litres per minute flow into"
    assert copied_runs([f"An empty tank. {nine} it."], [f"Then {nine.upper()}, they said"]) == [nine]
    eight = nine.rsplit(" ", 1)[0]
    assert copied_runs([f"An empty tank. {nine} it."], [f"Then {eight}, they said"]) == []


@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("gsm8k/test.jsonl", 1_319),
        ("medxpertqa-inputs/medqa_input.jsonl", 1_273),
        ("medxpertqa-inputs/medmcqa_input.jsonl", 4_183),
        ("medxpertqa-inputs/mmlu_medical_input.jsonl", 1_089),
        ("medquad/medquad.jsonl.gz", 16_407),
    ],
)
def test_no_run_of_more_than_eight_words_is_shared_with_real_data(shared_data, name, at_least):
    theirs = list(real_texts(shared_data, name))
    assert len(theirs) >= at_least
    assert copied_runs(our_texts(), theirs) == []
