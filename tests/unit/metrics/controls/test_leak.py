"""Which step gives the answer away, and what a chain gains before it."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sweeps import sweep

from stepgauge.metrics import Chain, Likelihoods, Missing, Step, Trace
from stepgauge.metrics.answers.extraction import states_answer
from stepgauge.metrics.answers.math_verify_client import TookTooLong, equal
from stepgauge.metrics.columns import GAIN_COLUMNS
from stepgauge.metrics.infogain import INFOGAIN_METRICS, REFERENCE_METRICS
from stepgauge.metrics.render import chain_table
from stepgauge.metrics.segment import segment

CAUSES = ["Acute cholecystitis", "Gallstones", "Crohn's disease", "Diverticula"]
LETTERED = "\n".join(f"({letter}) {text}" for letter, text in zip("ABCD", CAUSES, strict=True))
ASKED = f"A woman has pain after meals. What is the cause?\n{LETTERED}"


@pytest.mark.parametrize(
    ("step", "stated"),
    [
        # by letter
        ("The answer is (B).", True),
        ("So the final answer is: B", True),
        ("**B**", True),
        ("Option B fits.", True),
        ("Therefore, B.", True),
        ("So (b) it is", True),
        ("Choice_B", True),
        ("The answer is not B.", False),
        ("The answer is (A).", False),
        ("P(B) = 0.5 and f(b) = 2", False),
        ("Vitamin B is low.", False),
        # by text, though the question lists it
        ("The ultrasound shows gallstones.", True),
        ("A GALLSTONE blocks the duct.", True),
        ("gall stones", False),
        ("The correct answer is gallstones.", True),
        # several options discussed
        ("We weigh gallstones against Crohn's disease.", False),
        ("Option A needs fever, option B does not.", False),
        ("Options: (A) acute cholecystitis, (B) gallstones, (C) Crohn's disease, (D) diverticula.", False),
        (LETTERED, False),
        ("It is no Crohn's disease, so the answer is gallstones.", True),
        ("Option A needs fever, so the answer is B.", True),
    ],
)
def test_an_option_is_stated_by_letter_or_text_unless_others_are_discussed(step, stated):
    assert states_answer(step, ["Gallstones"], ASKED, CAUSES) is stated


def test_an_option_that_the_question_names_outside_its_list_is_stated_by_its_letter_alone():
    question = f"Her mother had gallstones. What is it now?\n{LETTERED}"
    assert not states_answer("It is gallstones.", ["Gallstones"], question, CAUSES)
    assert states_answer("The answer is B.", ["Gallstones"], question, CAUSES)


def test_an_option_inside_another_is_told_from_it():
    options = ["Hepatitis", "Hepatitis B", "Chronic hepatitis B infection"]

    def stated(step):
        return [states_answer(step, [option], "Which?", options) for option in options]

    assert stated("It is hepatitis.") == [True, False, False]
    assert stated("It is hepatitis B.") == [False, True, False]
    assert stated("It is a chronic hepatitis B infection.") == [False, False, True]


def test_one_option_that_is_a_letter_leaves_the_others_their_letters():
    options = ["0", "1", "e", "2e"]
    assert states_answer("The answer is (A).", ["0"], "What is the limit?", options)
    assert not states_answer("The answer is (B).", ["0"], "What is the limit?", options)
    assert states_answer("The answer is B.", ["B"], "Which letter?", ["C", "A", "B"])


def test_numbers_among_options_are_found_by_value_and_roman_numbers_are_no_letters():
    options = [str(n) for n in range(12, 120, 12)]
    question = "What is 6 * 4?\n" + "\n".join(f"{letter}. {n}" for letter, n in zip("ABCDEFGHI", options, strict=True))
    assert states_answer("2 * 12 = 24", ["24"], question, options)
    assert not states_answer("A. 12 B. 24", ["36"], question, options)
    assert not states_answer("(i) multiply", ["108"], question, options)
    assert states_answer("(I)", ["108"], question, options)


@pytest.mark.parametrize(
    ("step", "stated"),
    [
        ("Step 4: add them.", False),
        ("As found in step 4, they differ.", False),
        ("4. Add them.", False),
        ("**4.** Add them.", False),
        ("Case 4 cannot be.", False),
        ("4. That makes 4 of them.", True),
        ("Step 2: there are 4.", True),
        ("4", True),
        ("4 steps remain.", True),
    ],
)
def test_a_step_s_own_number_is_no_answer(step, stated):
    assert states_answer(step, ["4"], "How many?") is stated


@pytest.mark.parametrize(
    ("gold", "step", "stated"),
    [
        (r"\frac{\sqrt3}{2}", r"so $\sin x = \dfrac{\sqrt{3}}{2}$.", True),
        (r"\frac{\sqrt3}{2}", "so sin x = √3/2", True),
        (r"\frac{\sqrt3}{2}", r"so $\sin x = \frac{\sqrt{3}}{3}$.", False),
        ("2x+1", "f = 1+2x", True),
        ("2x+1", r"hence \boxed{1 + 2x}", True),
        ("2x+1", "f = 1+2y", False),
        ("2x+1", "f = 1+3x", False),
        ("(x+1)^2", "$x^2+2x+1$", True),
        (r"1.6\times10^{-19}", r"e = 1.6\cdot 10^{-19}", True),
        (r"1.6\times10^{-19}", r"e = 1.7\times10^{-19}", False),
        (r"5\pi", r"the area is $\pi\cdot 5$", True),
        (r"5\pi", "5", False),
        ("99^2+99+1=9901", "$100*99=9900$", False),
        ("[2,3)", "$[2, 3)$", True),
        ("[2,3)", "$[2, 3]$", False),
        ("x+1", "y = 1+x" + "+0" * 60, True),
        ("x+1", "y = 1+x" + "+0" * 90, False),  # too long to be compared, and not read in part
    ],
)
def test_formulas_are_compared_by_value(gold, step, stated):
    assert states_answer(step, [gold], "What is it?") is stated


def test_a_formula_whose_equal_stands_in_the_question_is_not_leaked():
    assert states_answer("$1+2x$", ["2x+1"], "Differentiate $x^2+x$.")
    assert not states_answer("$1+2x$", ["2x+1"], "Is the slope $x\\cdot 2+1$?")


def test_formulas_are_compared_on_any_thread_and_several_at_once():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: equal(f"{n}x+1", f"1+{n}x") and not equal(f"{n}x", f"{n + 1}x"), range(2, 14)))
    assert found == [True] * 12


@pytest.mark.parametrize(
    "formula",
    [
        "9^{9^{9^9}}",
        "9^9^9^9^9",
        "(9^{999})^{999}",
        "((x^{99})^{99})^{99}",
        "99!^{99!}",
        r"\sum_{n=1}^{10^{9}} n",
        r"\int_0^x e^{t^2} dt",
        r"\binom{999999}{555555}",
        "(" * 70 + "x" + ")" * 70,
        r"\frac{" * 20 + "x" + "}{2}" * 20,
        "1" * 10_000,
        "x+" * 5_000 + "x",
    ],
)
def test_a_hostile_formula_is_refused_at_once(formula):
    equal("x", "x+0")  # the process is there
    begin = time.perf_counter()
    assert not states_answer(f"$x = {formula}$ and ${formula}$", ["x+7"], "What?")
    assert not states_answer("$x = 7+x$", [formula], "What?")
    assert time.perf_counter() - begin < 1.5


@pytest.mark.slow
def test_a_comparison_that_takes_long_is_given_up_once_and_the_next_one_works():
    slow = r"((x+1)^{90}(x+2)^{90})^{90}"
    begin = time.perf_counter()
    with pytest.raises(TookTooLong):
        equal("x^2", slow)
    assert time.perf_counter() - begin < 20
    begin = time.perf_counter()
    with pytest.raises(TookTooLong):
        equal("x^2", slow)
    assert time.perf_counter() - begin < 0.1
    assert equal("7x+3", "3+7x")
    assert not states_answer(f"$x^2 = {slow}$", ["x^2"], "Expand $x^2$")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the process through /proc")
def test_a_process_that_was_killed_is_replaced_and_a_fork_gets_its_own():
    code = """
import os, signal, threading, time
from pathlib import Path
from stepgauge.metrics.answers.math_verify_client import equal

assert equal("2x+1", "1+2x")
[worker] = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
os.kill(int(worker), signal.SIGKILL)
time.sleep(0.5)
assert equal("3x+1", "1+3x")
if child := os.fork():
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert equal("5x+1", "1+5x")
else:
    assert equal("4x+1", "1+4x")
    assert not equal("4x+1", "2+4x")
print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("done\ndone\n", 0), done.stderr


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gallstones", "gallstone"),
        ("diverticula", "diverticulum"),
        ("Crohn's disease", "crohn disease"),
        ("Crohn’s disease", "Crohns disease"),
        ("beta-blocker", "beta blockers"),
        ("beta\u2011blockers", "Beta-Blocker"),
        ("kidney disease", "kidney diseases"),
        ("bacillus", "bacilli"),
        ("vertebra", "vertebrae"),
        ("liver metastasis", "liver metastases"),
        ("biopsy", "biopsies"),
        ("virus", "viruses"),
        ("abscess", "abscesses"),
        ("Down syndrome", "Down's syndrome"),
    ],
)
def test_singular_plural_possessive_and_hyphen_make_no_difference(one, other):
    for gold, said in ((one, other), (other, one)):
        assert states_answer(f"We see {said} here.", [gold], "What is it?")
        assert not states_answer("What is seen?", [gold], "What is it?")
        assert not states_answer(f"We see {said} here.", [gold], f"Is it {said}?")


@pytest.mark.parametrize(
    ("gold", "said"),
    [("diabetes", "diabetic"), ("ileum", "ileus"), ("process", "procession"), ("hypertension", "hypotension")],
)
def test_words_that_only_look_alike_are_told_apart(gold, said):
    assert not states_answer(f"We see {said} here.", [gold], "What is it?")


HOSTILE = [
    "1 ", "(B) ", "$x$", "=x", "$x+1=", "\\boxed{", "\\frac{", "gallstones ", "the answer is ", "√", "sqrt(", "{",
    "\\(", "\\[", "2x+", "$1+2x+0$", " ", "**4.** ", "Crohn's disease gallstone ", "$x^{9}$",
]  # fmt: skip


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("length", sweep([25_000, 100_000], [25_000]))
@pytest.mark.parametrize(
    "piece", sweep(HOSTILE, ["(B) ", "$x+1=", "\\frac{", "the answer is ", "Crohn's disease gallstone "])
)
def test_a_long_hostile_step_takes_time_in_proportion_to_its_length(piece, length):
    golds = (("2x+1", None), ("Gallstones", CAUSES))

    def seconds(characters):
        text = (piece * characters)[:characters]
        begin = time.process_time()
        for gold, choices in golds:
            states_answer(text, [gold], "What?", choices)
        return time.process_time() - begin

    seconds(1_000)
    short, long = seconds(length // 4), seconds(length)
    assert long < 10 * short + 0.5 * length / 100_000
    assert long < 20 * length / 100_000


def chain(seed: int, steps: int, states=()) -> Chain:
    """A chain with random likelihoods of two options, the first of them gold."""
    draw = random.Random(seed)
    levels = [-draw.uniform(0.1, 9) for _ in range(steps + 1)]
    counts = [draw.randint(1, 3) for _ in levels]
    tokens = [10]
    for _ in range(steps):
        tokens.append(tokens[-1] + draw.randint(1, 9))
    likelihoods = Likelihoods(
        answer=levels,
        n_answer_tokens=counts,
        n_context_tokens=tokens,
        choices=[[level, -draw.uniform(0.1, 9)] for level in levels],
        n_choice_tokens=[[n, draw.randint(1, 3)] for n in counts],
        without_final=levels,
        n_answer_tokens_without_final=counts,
        whole=[(level - 20, n + 30) for level, n in zip(levels, counts, strict=True)],
    )
    made = [Step(f"s{i}", 3 * i, 3 * i + 2, "reasoning", i in states) for i in range(steps)]
    return Chain(Trace("q", "r", "x", choices=["x", "y"]), made, likelihoods)


def cut(whole: Chain, count: int) -> Chain:
    """The same chain, had it ended after `count` steps."""
    found = whole.likelihoods
    assert found is not None
    fields = ("answer", "n_answer_tokens", "n_context_tokens", "choices", "n_choice_tokens", "whole")
    kept = {name: getattr(found, name)[: count + 1] for name in fields}
    return replace(whole, steps=whole.steps[:count], likelihoods=replace(found, **kept))


METRICS = {metric.name: metric for metric in (*INFOGAIN_METRICS, *REFERENCE_METRICS)}
BEFORE = [name for name in METRICS if name.endswith("_before_answer")]


def test_every_gain_has_both_forms():
    gains = {name for name in METRICS if name.startswith(("infogain", "entropy_drop")) and "without_final" not in name}
    assert gains == set(BEFORE) | {name.removesuffix("_before_answer") for name in BEFORE}
    assert len(BEFORE) == 9
    for name in BEFORE:
        whole = METRICS[name.removesuffix("_before_answer")]
        assert (METRICS[name].unit, METRICS[name].higher_is_better) == (whole.unit, whole.higher_is_better)


@pytest.mark.parametrize("name", BEFORE)
def test_a_gain_before_the_answer_is_that_of_the_chain_cut_there(name):
    whole = METRICS[name.removesuffix("_before_answer")]
    for seed in range(20):
        steps = 2 + seed % 5
        first = 1 + seed % (steps - 1)
        leaking = chain(seed, steps, states={first, steps - 1})
        assert METRICS[name].compute(leaking) == pytest.approx(whole.compute(cut(leaking, first)))
        silent = chain(seed, steps)
        assert METRICS[name].compute(silent) == pytest.approx(whole.compute(silent))
        with pytest.raises(Missing, match=r"^the first step states the answer$"):
            METRICS[name].compute(chain(seed, steps, states={0}))


def test_leak_share_and_answer_step_follow_their_definitions():
    shares = set()
    for seed in range(60):
        steps = 1 + seed % 6
        states = {i for i in range(steps) if random.Random(seed + i).random() < 0.4}
        found = chain(seed, steps, states)
        levels = found.likelihoods.answer
        total = 0.0
        for i in range(steps):
            total += levels[i + 1] - levels[i]
        if states:
            first = min(states)
            assert METRICS["answer_step"].compute(found) == first + 1
        else:
            with pytest.raises(Missing, match="no step states the answer"):
                METRICS["answer_step"].compute(found)
        if total <= 0:
            with pytest.raises(Missing, match="gains nothing in total"):
                METRICS["leak_share"].compute(found)
            continue
        expected = (levels[first + 1] - levels[first]) / total if states else 0.0
        assert METRICS["leak_share"].compute(found) == pytest.approx(expected)
        shares.add(math.copysign(1, expected) if expected else 0)
    assert shares == {-1, 0, 1}


def test_without_gold_answer_or_steps_the_answer_step_says_so():
    with pytest.raises(Missing, match="no gold answer"):
        METRICS["answer_step"].compute(Chain(Trace("q", "r"), [Step("r", 0, 1)]))
    with pytest.raises(Missing, match="no steps in the response"):
        METRICS["answer_step"].compute(Chain(Trace("q", "", "x"), []))
    with pytest.raises(Missing, match="no scoring LM"):
        METRICS["leak_share"].compute(
            Chain(Trace("q", "r", "x"), [Step("r", 0, 1)], no_likelihoods="no scoring LM (scorer=None)")
        )


def test_an_announcement_of_another_answer_does_not_end_the_chain_before_its_answer():
    trace = Trace("How many?", "He has 3.\nThe answer is 5.\nNo, it is 7.\nThe answer is 7.", "7")
    steps = segment([trace], "lines")[0].steps
    assert [(step.kind, step.states_answer) for step in steps] == [
        ("reasoning", False),
        ("final_answer", False),
        ("reasoning", True),
        ("final_answer", True),
    ]
    found = replace(chain(0, 4), steps=steps)
    levels = found.likelihoods.answer
    assert METRICS["answer_step"].compute(found) == 3
    assert METRICS["infogain_nats_before_answer"].compute(found) == pytest.approx(levels[2] - levels[0])


def test_gains_before_the_answer_are_those_of_a_response_that_stops_there(smollm2_with):
    question = "Ann has 12 pens and buys 3 packs of 5. How many pens?\n(A) 15\n(B) 27\n(C) 60"
    lines = ["A pack holds 5 pens.", "3 packs are 15 pens.", "12 and 15 make 27.", "The answer is B."]
    response, options = "\n".join(lines), ["15", "27", "60"]
    whole, short = smollm2_with(splitter="lines", variant="reference").score(
        [
            Trace(question, response, "27", options, id="whole"),
            Trace(question, "\n".join(lines[:2]), "27", options, id="short"),
        ]
    )
    assert whole.metrics["answer_step"] == 3
    for name in BEFORE:
        plain = name.removesuffix("_before_answer")
        assert whole.metrics[name] == pytest.approx(short.metrics[plain], rel=1e-3, abs=1e-4), name
    gain, total = whole.steps[2].gain, whole.metrics["infogain_nats"]
    assert abs(gain) > 0.01
    assert whole.metrics["leak_share"] == pytest.approx(gain / total)
    assert short.metrics["leak_share"] == 0
    assert short.missing["answer_step"] == "no step states the answer"
    shown = chain_table(whole)
    before = whole.metrics["infogain_nats_before_answer"]
    assert f"infogain_nats {total:.3f}  before the answer {before:.3f}" in shown
    assert f"infogain {whole.metrics['infogain']:.3f}" in shown
    assert f"leak_share {whole.metrics['leak_share']:.3f} (step 3)" in shown
    assert set(GAIN_COLUMNS) <= set(whole.metrics)
