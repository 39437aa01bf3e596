"""`benchmarks.validity`: its chains and labels, its figures against slow oracles, and its reduced size."""

from __future__ import annotations

import itertools
import json
import math
import re
import time

import numpy as np
import pytest
from benchmark_modules import benchmark
from scipy.stats import spearmanr

from stepgauge.metrics import ChainScore, StepScore, Trace
from stepgauge.metrics.controls.copy_model import copy_gain
from stepgauge.metrics.fitting import question_hash, read_card
from stepgauge.metrics.segment import segment

data = benchmark("validity.chains")
fit = benchmark("validity.fit")
figures = benchmark("validity.figures")
planted = benchmark("validity.planted")
rows = benchmark("validity.rows")
scores = benchmark("validity.scores")


# --- chains


def test_no_question_is_on_both_sides_and_both_have_chains_of_every_set(shared_data):
    for name in data.SETS:
        chains = data.read(shared_data, [name])
        sides = {half: {question_hash(c.question) for c in chains if c.fitted_half is half} for half in (True, False)}
        assert sides[True].isdisjoint(sides[False])
        assert min(map(len, sides.values())) >= 15, name
    for size in fit.FITS.values():
        if size is fit.FITS["full"]:
            continue
        learnt = {question_hash(trace.meta["question"]) for trace in fit.chains_to_fit(shared_data, size.chains)}
        assert learnt.isdisjoint(question_hash(c.question) for c in fit.tested(shared_data, data.SETS))


def test_labels_speak_of_the_lines_that_the_splitter_finds(shared_data):
    for chain in data.read(shared_data, data.SETS):
        lines = chain.trace.response.split("\n")
        assert all(line.strip() for line in lines)
        assert all(0 <= number < len(lines) for number in chain.marked or ())


def test_mrben_chains_end_at_the_first_wrong_step(shared_data):
    raw = json.loads((shared_data / "mrben" / "math.json").read_text("utf-8"))
    first = {
        f"mrben math {row['Question_UUID']} {row['Sampled_Model']}": row["Model_Solution_First_Error_Step"]
        for solutions in raw.values()
        for row in solutions
    }
    chains = data.read(shared_data, ["mrben math"])
    assert sum(bool(chain.marked) for chain in chains) > 400
    for chain in chains:
        steps = len(chain.trace.response.split("\n"))
        assert chain.marked == (frozenset() if first[chain.trace.id] == "N/A" else {steps - 1})


@pytest.mark.parametrize(
    ("steps", "answer"),
    [
        (["So the answer is $5+4+2=\\boxed{11}$."], "11"),
        (["So $x=\\frac{1}{2}$.", "Right."], "\\frac{1}{2}"),
        (["The pencil costs 29 cents.", "I agree.", "And that's our answer."], "29"),
        (["three treeks $T$ are worth 1,250 squigs"], "1250"),
        (["It is $7$.", "Yes.", "Right.", "Correct."], None),
        (["\\boxed{\\frac{\\sqrt{3}}{3}}"], "\\frac{\\sqrt{3}}{3}"),
    ],
)
def test_the_answer_is_parsed_from_the_end_of_a_worked_solution(steps, answer):
    assert data.parsed_answer(steps) == answer


def test_most_parsed_answers_are_those_of_math500(shared_data):
    for kind in ("redundency", "circular"):
        parsed, looked_up, agreeing, wrong = data.checked_answers(shared_data, kind)
        assert parsed >= looked_up > 70
        assert agreeing / looked_up > 0.7
        assert len(wrong) == looked_up - agreeing


def test_planted_chains_have_the_fault_that_is_said_and_no_other():
    chains = planted.planted(300, seed=7)
    assert len({chain.trace.question for chain in chains}) == 300
    assert 0.4 < sum(chain.fault is not None for chain in chains) / 300 < 0.6
    for chain in chains:
        numbers, _, to_do = chain.trace.question.partition(" : ")
        values = {word[0]: int(word[1:]) for word in numbers.split()}
        results = {}
        for word in to_do.split():
            name, sign, operand = word[0], word[1], int(word[2:])
            results[name.upper()] = (values[name] + operand if sign == "+" else values[name] * operand) % 50
        assert chain.trace.answers[0] == " ".join(f"{name}{value:02}" for name, value in results.items())
        said = [(line[0], int(line[1:])) for line in chain.trace.response.split("\n")]
        assert sorted(name for name, _ in said) == list("ABCDE")
        assert [i for i, (name, value) in enumerate(said) if results[name] != value] == (
            [] if chain.fault is None else [chain.fault]
        )


# --- figures


def made_items(seed: int, shift: float):
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=60)
    values = rng.normal(size=60) + shift * labels
    return figures.Items(list(range(60)), [str(i // 3) for i in range(60)], list(labels), list(values))


def test_a_figure_is_the_statistic_of_both_scorers_and_their_difference():
    before, after = made_items(1, 0.0), made_items(1, 5.0)
    found = figures.figure("row", "what", "AUROC", figures.area, before, after, resamples=200)

    def pairs(items):
        right = [value for value, label in zip(items.values, items.labels, strict=True) if label]
        wrong = [value for value, label in zip(items.values, items.labels, strict=True) if not label]
        return np.mean([(r > w) + 0.5 * (r == w) for r, w in itertools.product(right, wrong)])

    assert found.plain[0] == pytest.approx(pairs(before))
    assert found.fitted[0] == pytest.approx(pairs(after))
    assert found.difference[0] == pytest.approx(pairs(after) - pairs(before))
    assert found.plain[1] < found.plain[0] < found.plain[2]
    assert found.difference[1] > 0
    assert (found.n, found.missing) == (60, 0)


def test_items_that_one_scorer_has_no_number_for_are_left_out_of_both_and_counted():
    before, after = made_items(1, 1.0), made_items(2, 1.0)
    holes = figures.Items(after.keys, after.groups, after.labels, [math.nan, *after.values[1:]])
    shorter = figures.Items(before.keys[:-1], before.groups[:-1], before.labels[:-1], before.values[:-1])
    found = figures.figure("row", "what", "nats", figures.mean, shorter, holes, resamples=20)
    assert (found.n, found.missing) == (58, 2)
    assert found.plain[0] == pytest.approx(np.mean(before.values[1:-1]))
    assert "| row | what (nats) | 58 | 2 |" in figures.table([found])


def test_intervals_draw_questions_whole():
    """The same value three times per question: the interval is that of a third as many independent values."""
    rng = np.random.default_rng(0)
    once = rng.normal(size=40)
    items = figures.Items(list(range(120)), [str(i // 3) for i in range(120)], [0] * 120, list(np.repeat(once, 3)))
    _, low, high = figures.figure("row", "what", "nats", figures.mean, items, None).plain
    assert (high - low) / 2 == pytest.approx(1.96 * once.std() / math.sqrt(40), rel=0.15)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(3)
    one, other = rng.integers(5, size=50).astype(float), rng.normal(size=50)
    assert figures.rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert math.isnan(figures.rank_correlation(np.ones(50), other))


def test_residuals_keep_nothing_of_what_explains_them():
    rng = np.random.default_rng(4)
    position, length, rest = rng.uniform(size=80), rng.normal(size=80), rng.normal(size=80)
    left = rows.residuals(3 + 2 * position - length + rest, position, length)
    assert abs(left.mean()) < 1e-9
    assert abs(np.corrcoef(left, position)[0, 1]) < 1e-9
    assert abs(np.corrcoef(left, length)[0, 1]) < 1e-9
    assert np.corrcoef(left, rest)[0, 1] > 0.9


# Lines, gains, and the number of steps before the gold answer (12) and before the chain's own.
ASKED = "3 rows of 4 eggs: how many?"
RIGHT = [
    (["She has 3 rows of 4 eggs.", "That is 3*4=12 eggs.", "The answer is 12."], [0.5, 2.0, 1.0], 1, 1),
    (["We multiply rows by eggs.", "Each row holds 4.", "The answer is 12."], [1.0, -3.0, 4.0], 2, 2),
    (["So 4*3=12.", "The answer is 12."], [5.0, 0.0], 0, 0),
]
WRONG = [
    (["Rows and eggs.", "That is 3+4=7 eggs.", "She keeps all.", "The answer is 7."], [1.5, 1.0, 1.0, -1.0], 4, 1),
    (["Both halves.", "24/2=12 eggs.", "Both: 12+12=24.", "The answer is 24."], [-1.0, 3.0, 0.0, -2.0], 1, 2),
    (["I do not know.", "It may be many."], [0.1, 0.2], 2, 2),
]


def made_chains():
    out = []
    for i, (lines, gains, *_) in enumerate(RIGHT + WRONG):
        trace = Trace(ASKED, "\n".join(lines), "12", id=str(i), meta={"question": f"{i}"})
        steps = segment([trace], "lines")[0].steps
        pairs = zip(steps, gains, strict=True)
        scored = [StepScore(s.text, s.start, s.end, s.kind, s.states_answer, gain=gain) for s, gain in pairs]
        chain = data.Chain("gsm8k", trace, right=i < len(RIGHT))
        out.append(scores.Scored(chain, ChainScore(str(i), trace.hash, scored, [], None, {}), steps))
    return out


def test_right_and_wrong_chains_are_cut_alike_at_their_own_answer():
    found = [(one.gold_stated, one.own_answer) for one in made_chains()]
    assert found == [(gold, own) for _, _, gold, own in RIGHT + WRONG]


def test_every_cut_has_the_copy_model_and_the_number_of_steps_beside_the_gain():
    chains = made_chains()
    found = {one.what: one for one in rows.rows({"gsm8k": chains}, None) if "right against wrong" in one.row}
    parts = {
        "whole chain": [len(lines) for lines, *_ in RIGHT + WRONG],
        "before the gold answer": [gold for _, _, gold, _ in RIGHT + WRONG],
        "before the chain's own answer": [own for *_, own in RIGHT + WRONG],
    }
    assert len(found) == 3 * len(parts)
    for part, cuts in parts.items():
        gains, copied, fewer = {}, {}, {}
        for i, (cut, (lines, own_gains, *_)) in enumerate(zip(cuts, RIGHT + WRONG, strict=True)):
            if cut:
                gains[i] = sum(own_gains[:cut])
                copied[i] = copy_gain(ASKED, lines[:cut], ["12"])
                fewer[i] = -cut
        for what, values in (
            ("gain", gains),
            ("gain of the copy model", copied),
            ("fewer steps, nothing else", fewer),
        ):
            pairs = [
                (values[r] > values[w]) + 0.5 * (values[r] == values[w])
                for r, w in itertools.product(range(len(RIGHT)), range(len(RIGHT), len(chains)))
                if r in values and w in values
            ]
            one = found[f"{part}: {what}"]
            assert one.plain[0] == pytest.approx(np.mean(pairs)), (part, what)
            assert (one.n, one.missing) == (len(values), len(chains) - len(values))


# --- the command


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_supervisor_trained_on_planted_faults_finds_them(shared_data, tmp_path, capsys):
    assert shared_data
    assert benchmark("validity.__main__").main(["--size=reduced", "--rows", "1", f"--out={tmp_path}"]) == 0
    found = {one["what"]: one for one in json.loads((tmp_path / "reduced.json").read_text("utf-8"))}
    gain = found["gain of the step"]
    assert gain["n"] == 1000
    assert gain["fitted"][1] >= 0.95, "the lower end of the interval"
    assert gain["plain"][0] < 0.7, "before training"
    # A number per chain cannot tell a faulty step from the right ones beside it.
    for other in ("telescoping mean", "accuracy alone"):
        assert found[other]["fitted"][2] < gain["fitted"][1]
    assert "| 1 planted faults | gain of the step (AUROC) | 1,000 | 0 |" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_reduced_size_writes_the_table_and_goes_on_from_what_is_scored(shared_data, tmp_path, capsys, smollm2):
    assert shared_data
    assert smollm2
    started = time.monotonic()
    assert benchmark("validity.__main__").main(["--size=reduced", f"--out={tmp_path}"]) == 0
    assert time.monotonic() - started < 20 * 60
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "reduced.json").read_text("utf-8"))
    by_name = {(one["row"], one["what"], one["unit"]): one for one in found}
    assert {one["row"][0] for one in found} == set("12345")
    assert by_name["2 GSM8K, right against wrong", "whole chain: gain", "AUROC"]["n"] >= 30
    assert by_name["3 first wrong step", "mrben math: gain, unmarked above marked", "AUROC"]["n"] >= 30
    for one in found:
        assert one["n"] > 0, one
        assert f"| {one['what']} ({one['unit']}) |" in printed
    card = read_card(re.search(r"card in (.+)", printed)[1])
    assert card["metrics"]["after"]["nats_per_answer_token"] < card["metrics"]["before"]["nats_per_answer_token"]
    # What is done is kept: a second call scores nothing, and gives the same table.
    started = time.monotonic()
    assert benchmark("validity.__main__").main(["--size=reduced", f"--out={tmp_path}", "--rows", "2", "3", "4"]) == 0
    assert json.loads((tmp_path / "reduced.json").read_text("utf-8")) == [
        one for one in found if not one["row"].startswith("1")
    ]
    assert time.monotonic() - started < 60
