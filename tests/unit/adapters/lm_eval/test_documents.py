"""How question, gold answer and options are read out of a task's documents."""

from __future__ import annotations

import re
import time

import pytest
from lm_eval.api.task import ConfigurableTask
from scripted_lm import documents

from stepgauge.adapters.gold import answer_in
from stepgauge.adapters.lm_eval.documents import gold_and_choices, question_text, without_cue
from stepgauge.metrics.errors import Missing


def make_task(doc, **config):
    task = ConfigurableTask(
        config={
            "task": "one",
            "custom_dataset": documents([doc]),
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{question}}",
            "doc_to_target": "answer",
            "generation_kwargs": {"until": ["Q:"]},
            **config,
        }
    )
    return task, next(iter(task.eval_docs))


LETTERS = ["A", "B", "C"]
METALS = ["Zinc", "Iron", "Lead"]


@pytest.mark.parametrize(
    ("doc", "config", "expected"),
    [
        ({"answer": "He has 6*12=72.\n#### 72"}, {}, (["72"], None)),
        (
            {"answer": "He has 6*12=72.\n#### 72"},
            {"doc_to_target": "{{answer.split('####')[-1].strip()}}"},
            (["72"], None),
        ),
        ({"answer": "The answer is 72."}, {}, (["72"], None)),
        ({"answer": "First, 6*12=72.\nThe answer is 72."}, {}, (["72"], None)),
        ({"answer": "We get $x = \\boxed{\\frac{1}{2}}$."}, {}, (["\\frac{1}{2}"], None)),
        ({"answer": " Paris "}, {}, (["Paris"], None)),
        ({"answer": 72}, {}, (["72"], None)),
        ({"answer": 0}, {}, (["0"], None)),
        ({"answer": ["Paris", "#### City of Light", ""]}, {}, (["Paris", "City of Light"], None)),
        ({"answer": 1}, {"doc_to_choice": METALS}, (["Iron"], METALS)),
        ({"answer": "B"}, {"doc_to_choice": METALS}, (["Iron"], METALS)),
        ({"answer": "Iron"}, {"doc_to_choice": METALS}, (["Iron"], METALS)),
        ({"answer": True}, {"doc_to_choice": ["no", "yes"]}, (["yes"], ["no", "yes"])),
        ({"answer": [1, 2]}, {"doc_to_choice": METALS}, (["Iron", "Lead"], METALS)),
        ({"answer": 1, "choices": METALS}, {"doc_to_choice": LETTERS}, (["Iron"], METALS)),
        ({"answer": "B", "options": METALS}, {}, (["Iron"], METALS)),
        ({"answer": "B", "A": "Zinc", "B": "Iron", "C": "Lead"}, {}, (["Iron"], METALS)),
        (
            {"answer": "B", "option_0": "Zinc", "option_1": "Iron", "option_2": "Lead", "option_3": None},
            {},
            (["Iron"], METALS),
        ),
        ({"answer": "(C)", "choice1": "Zinc", "choice2": "Iron", "choice3": "Lead"}, {}, (["Lead"], METALS)),
        ({"answer": "72", "A": "Zinc", "B": "Iron"}, {}, (["72"], None)),
        ({"answer": "(B)", "choices": METALS}, {}, (["Iron"], METALS)),
        ({"answer": "2", "choices": {"text": METALS, "label": ["1", "2", "3"]}}, {}, (["Iron"], METALS)),
        ({"answer": "none of these words", "choices": METALS}, {}, (["none of these words"], None)),
    ],
)
def test_gold_answers_are_read_as_the_task_means_them(doc, config, expected):
    task, doc = make_task({"question": "What?", **doc}, **config)
    assert gold_and_choices(task, doc, None, None) == expected


@pytest.mark.parametrize(
    ("gold", "choices", "expected"),
    [
        ("final", None, ["72 apples"]),
        ("{{final.split()[0]}}", None, ["72"]),
        ("letter", "{{[a, b]}}", ["left"]),
        ("letter", "both", ["right"]),
    ],
)
def test_templates_of_the_user_win(gold, choices, expected):
    doc = {"question": "?", "answer": "x", "final": "72 apples", "letter": "B", "a": "right", "b": "left"}
    task, doc = make_task({**doc, "both": ["left", "right"]})
    assert gold_and_choices(task, doc, gold, choices)[0] == expected


@pytest.mark.parametrize(
    ("doc", "config", "choices", "reason"),
    [
        ({"answer": ""}, {}, None, "no gold answer in the document"),
        ({"answer": None}, {}, None, "no gold answer in the document"),
        ({"answer": []}, {}, None, "no gold answer in the document"),
        ({"answer": "E"}, {"doc_to_choice": METALS}, None, "gold answer: answer 'E' names none of the 3 choices"),
        ({"answer": 7}, {"doc_to_choice": METALS}, None, "gold answer: answer 7 names none of the 3 choices"),
        ({"answer": "A"}, {}, "{{question}}", "option 'choices' must give a list, got 'What?'"),
        (
            {"answer": ""},
            {"doc_to_target": 0},
            None,
            "no gold answer: doc_to_target is the number 0 for every document",
        ),
    ],
)
def test_no_gold_answer_is_missing_and_says_why(doc, config, choices, reason):
    task, first = make_task({"question": "What?", "answer": doc["answer"] if config == {} else 0}, **config)
    with pytest.raises(Missing, match=re.escape(reason)):
        gold_and_choices(task, {**first, **doc}, None, choices)


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("Q: How many?\n\n  A:", "Q: How many?"),
        ("Question: How many?\nAnswer:", "Question: How many?"),
        ("Problem:\nFind x.\n\nSolution:", "Problem:\nFind x."),
        ("Which?\n(A) a (B) b\nLet's think step by step: ", "Which?\n(A) a (B) b"),
        ("Which?\nA. a\nB. b\nAnswer: Let's think step by step.", "Which?\nA. a\nB. b"),
        ("Frage: Wie viele?\nSchritt-für-Schritt-Antwort:", "Frage: Wie viele?"),
        ("问题:多少?\n逐步解答:", "问题:多少?"),
        ("Which?\nAnswer:\nLet’s think step-by-step.", "Which?"),
        ("How many apples are left?", "How many apples are left?"),
        ("Tom has 3.\nHow many are left?", "Tom has 3.\nHow many are left?"),
        ("Answer:", "Answer:"),
        ("Complete the list:", "Complete the list:"),
        ("Read this.\nThe ratio of boys to girls is 3:4", "Read this.\nThe ratio of boys to girls is 3:4"),
    ],
)
def test_a_prompts_closing_cue_is_not_part_of_the_question(prompt, question):
    assert without_cue(prompt) == question
    task, doc = make_task({"question": prompt, "answer": "1"})
    assert question_text(task, doc, None) == question


def test_the_users_question_template_is_taken_as_it_is():
    task, doc = make_task({"question": "Which?\nAnswer:", "answer": "1"})
    assert question_text(task, doc, "{{question}}") == "Which?\nAnswer:"


@pytest.mark.parametrize("hostile", ["a:" * 200_000, " " * 400_000 + ":", "\n:" * 200_000, "let's think " * 40_000])
def test_long_hostile_text_is_read_in_linear_time(hostile):
    start = time.perf_counter()
    without_cue("Q\n" + hostile)
    answer_in(hostile)
    assert time.perf_counter() - start < 5
