"""The verdict's edges: measures that few questions have, power that cannot be told, numbers exactly at their bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
from made_runs import chain, record, run

from stepgauge.metrics.comparison import Settings, TaskComparison, compare_runs

SETTINGS = Settings(resamples=999, deciding=("infogain_nats", "infogain_nats_without_final", "ki"))
Values = Sequence[float]


def gained(nats: float, ki: float):
    if math.isnan(nats):
        return chain([-9.0, -9.0], infogain_nats=nats, infogain_nats_without_final=nats, ki=ki)
    return chain([-9.0, -9.0, -9.0 + nats], ki=ki)


def task(gains: tuple[Values, Values], right: tuple[Values, Values], ki: tuple[Values, Values] = ((), ()), **settings):
    """Two runs with these gains in nats, accuracies, and KI of the first questions, compared."""

    def side(name: str, gains: Values, right: Values, ki: Values):
        judged = [*ki, *[math.nan] * (len(gains) - len(ki))]
        return run(
            name,
            [
                record(i, gained(gain, share), accuracy={"correct": float(correct)})
                for i, (gain, correct, share) in enumerate(zip(gains, right, judged, strict=True))
            ],
        )

    base, tuned = (side(name, gains[i], right[i], ki[i]) for i, name in enumerate(("base", "tuned")))
    (found,) = compare_runs(base, tuned, dataclasses.replace(SETTINGS, **settings)).tasks
    return found


def seen(found: TaskComparison) -> tuple[str, str, str]:
    return found.verdict.name, found.verdict.accuracy, found.verdict.reasoning


N = 100
LOW, HIGH = [1 + i % 5 / 8 for i in range(N)], [3 + i % 7 / 8 for i in range(N)]
FEW_RIGHT, MOST_RIGHT = [i % 5 == 0 for i in range(N)], [i % 5 != 0 for i in range(N)]


def undecided(count: int) -> tuple[Values, Values]:
    """KI of both runs, half of it 1: it changes in half of the questions, as often up as down."""
    return [float(i % 2) for i in range(count)], [float(i // 2 % 2) for i in range(count)]


# --- measures that few questions have


@pytest.mark.parametrize(("count", "name"), [(100, "underpowered"), (50, "underpowered"), (49, "gain"), (0, "gain")])
def test_measure_is_asked_for_power_from_half_of_the_questions_on(count, name):
    found = task((LOW, HIGH), (FEW_RIGHT, MOST_RIGHT), undecided(count))
    assert seen(found) == (name, "up", "up")
    if name == "underpowered":
        row = found.row("ki")
        assert row.needed is not None
        assert row.needed > 1000
        assert found.verdict.needed == row.needed
        told = f"{row.needed:,} questions would be needed to see a difference of 0.0500 share in ki, there are {count}"
        assert told in found.verdict.why


def test_half_is_of_the_pairs_also_where_every_measure_lacks_some():
    """Gains of 60 questions and KI of 40 others: 40 are fewer than 50."""
    ki = [[math.nan] * 60 + list(values) for values in undecided(40)]
    base, tuned = ([*values[:60], *[math.nan] * 40] for values in (LOW, HIGH))
    found = task((base, tuned), (FEW_RIGHT, MOST_RIGHT), (ki[0], ki[1]))
    assert [found.row(name).n for name in ("infogain_nats", "ki")] == [60, 40]
    assert seen(found) == ("gain", "up", "up")


def test_measure_that_few_questions_have_can_still_be_down():
    found = task((LOW, HIGH), (FEW_RIGHT, MOST_RIGHT), ([1.0] * 30, [0.0] * 30))
    assert seen(found) == ("trap", "up", "down")
    assert "ki down 1.00 → 0" in found.verdict.why


def test_measure_that_few_questions_have_is_asked_for_power_where_it_is_all_there_is():
    found = task((LOW, LOW), (FEW_RIGHT, MOST_RIGHT), undecided(20), deciding=("ki",))
    assert seen(found) == ("underpowered", "up", "not significant")
    assert found.verdict.needed == found.row("ki").needed


def test_rise_in_accuracy_without_any_measure_of_reasoning_is_no_gain():
    found = task((LOW, HIGH), (FEW_RIGHT, MOST_RIGHT), deciding=("ki",))
    assert seen(found) == ("underpowered", "up", "not measured")
    assert found.verdict.why.endswith("no reasoning measure could be tested")


def test_rise_of_all_gains_is_a_gain_only_where_accuracy_cannot_have_fallen():
    """Of 20 questions all gain. Accuracy goes up as often as down, and its interval reaches far below -0.05."""
    base = [1 + i % 5 for i in range(20)]
    tuned = [value + 4 + i % 3 for i, value in enumerate(base)]
    found = task((base, tuned), undecided(20))
    assert seen(found) == ("underpowered", "not significant", "up")
    assert found.verdict.needed == found.row("accuracy").needed
    assert task((base, tuned), undecided(20), smallest_share=0.6).verdict.name == "gain"


def test_the_most_that_a_measure_needs_is_needed():
    found = task((LOW, LOW[::-1]), undecided(N), undecided(60))
    needed = {name: found.row(name).needed for name in ("accuracy", "ki", "infogain_nats")}
    assert len(set(needed.values())) == 3
    assert found.verdict.needed == max(needed.values())
    assert f"{max(needed.values()):,} questions would be needed" in found.verdict.why


# --- power that cannot be told


def balanced(count: int) -> Values:
    """Around 2, as often above as below."""
    return [2 + (1 if i % 2 else -1) * (1 + i // 2 % 3) / 4 for i in range(count)]


@pytest.mark.parametrize(("right_after", "accuracy"), [(FEW_RIGHT, "not significant"), (MOST_RIGHT, "up")])
def test_where_the_needed_questions_cannot_be_told_a_loss_could_have_gone_unseen(right_after, accuracy):
    """All questions of the base gain alike: there is no spread to measure a difference that matters by."""
    found = task(([2.0] * N, balanced(N)), (FEW_RIGHT, right_after))
    for measure in ("infogain_nats", "infogain_nats_without_final"):
        row = found.row(measure)
        assert row.needed is None
        assert math.isnan(row.smallest)
        assert not math.isnan(row.p_holm)
    assert seen(found) == ("underpowered", accuracy, "not significant")
    assert found.verdict.needed is None
    assert found.verdict.why.endswith(
        "the base run's infogain_nats does not vary, so no difference in it can be called one that matters"
    )


def test_what_is_needed_is_what_the_measure_needs_of_which_it_can_be_told():
    found = task(([2.0] * N, balanced(N)), (FEW_RIGHT, FEW_RIGHT), undecided(N))
    row = found.row("ki")
    assert seen(found) == ("underpowered", "not significant", "not significant")
    assert found.verdict.needed == row.needed
    assert f"{row.needed:,} questions would be needed to see a difference of 0.0500 share in ki" in found.verdict.why


def test_accuracy_whose_needed_questions_cannot_be_told_is_not_unchanged():
    """Points of a hundred are no shares, and the base has the same everywhere."""
    found = task((LOW, LOW), ([50.0] * N, [48 + value for value in balanced(N)]))
    assert found.row("accuracy").needed is None
    assert seen(found) == ("underpowered", "not significant", "not significant")


def test_one_question_has_neither_spread_nor_p():
    found = task(([1.0], [3.0]), ([0], [1]))
    assert seen(found) == ("underpowered", "not measured", "not measured")
    assert (found.verdict.needed, found.row("infogain_nats").p) == (None, pytest.approx(math.nan, nan_ok=True))


# --- exactly at the bounds


def test_p_of_exactly_alpha_is_not_below_it():
    runs = ((LOW[:12], [value + 0.5 + i % 4 / 8 for i, value in enumerate(LOW[:12])]), (FEW_RIGHT[:12],) * 2)
    p = task(*runs).row("infogain_nats").p_holm
    assert 0 < p < 0.05
    assert task(*runs, alpha=p).verdict.reasoning == "not significant"
    assert task(*runs, alpha=math.nextafter(p, 1)).verdict.reasoning == "up"


def test_p_counts_after_correction():
    """All of six questions up: p is 2/64, and several outcomes are tested."""
    found = task((LOW[:6], HIGH[:6]), (FEW_RIGHT[:6],) * 2)
    row = found.row("infogain_nats")
    assert row.p == pytest.approx(2 / 64)
    assert row.p_holm > 0.05
    assert found.verdict.reasoning == "not significant"
