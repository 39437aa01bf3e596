"""`repeats_of`: one table in which a rise by variance can be told from a rise by knowing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import pytest
from made_runs import chain

from stepgauge.metrics.comparison import Record, Run, Settings, question_hash
from stepgauge.metrics.comparison.record import UNSCORED
from stepgauge.metrics.repeats import Repeats, repeats_in

N = 8


def run(name: str, right: Sequence[int], *, change: Callable[[int, int], dict] = lambda _, __: {}, n: int = N) -> Run:
    """`right[q]` of n responses to question q are right; a right one answers "yes", wrong ones differ."""
    records = []
    for q, count in enumerate(right):
        for i in range(n):
            fields = {
                "accuracy": {"acc": float(i < count)},
                "model_answer": "yes" if i < count else f"no {i}",
                "length": 100 * (q + 1),
                "truncated": False,
                **change(q, i),
            }
            question = f"Question {q}?"
            records.append(Record("task", question, question_hash(question), doc_id=str(q), **fields))
    return Run(name, records)


def table(base: Run, tuned: Run | None = None) -> Repeats:
    (found,) = repeats_in(base, tuned, Settings(resamples=999))
    return found


# Half of the questions always right, half never; and each right three times of four.
SURE = [8] * 20 + [0] * 20
TORN = [6] * 40


def test_a_rise_by_variance_is_told_from_a_rise_by_knowing():
    by_variance = table(run("base", SURE), run("tuned", TORN))
    once = by_variance.row("pass@1").all.difference
    assert once is not None
    assert once.value == pytest.approx(1 / 4)
    for measure, low, high in (("within", 0, 1), ("between", -1, 0), ("pass@8", 0, 1), ("pass^8", -1, 0)):
        found = by_variance.row(measure).all.difference
        assert found is not None
        assert low <= found.low <= found.high <= high, measure
    assert any("not with what the model gets right every time" in said for said in by_variance.reading)
    by_knowing = table(run("base", [8] * 10 + [0] * 30), run("tuned", [8] * 30 + [0] * 10))
    assert any("gets more questions right every time" in said for said in by_knowing.reading)
    assert not any("not with what" in said for said in by_knowing.reading)


def test_variances_of_a_run_alone_add_up_to_that_of_one_response():
    found = table(run("base", [8, 6, 4, 2, 0] * 6))
    within, between = (found.row(key).all.base.value for key in ("within", "between"))
    ps = [1, 0.75, 0.5, 0.25, 0]
    assert within == pytest.approx(statistics.mean(p * (1 - p) * 8 / 7 for p in ps))
    assert within + between == pytest.approx(0.25, abs=0.02)
    assert found.tuned is None
    assert "of the variance" in found.reading[0]


def test_numbers_of_k_responses_are_shown_up_to_as_many_as_there_are():
    found = table(run("base", [3, 1, 0], n=5))
    assert [row.measure for row in found.rows if row.measure.startswith("pass@") and not row.bucket] == [
        "pass@1",
        "pass@2",
        "pass@4",
        "pass@5",
    ]
    assert found.row("pass^2").all.base.value == pytest.approx((3 / 10) / 3)
    assert found.row("maj@5").all.base.value == pytest.approx((1 + 1 / 5) / 3)


def test_question_with_fewer_responses_is_counted_and_not_guessed():
    whole = run("base", [4] * 10)
    short = Run("base", [one for one in whole.records if not (one.doc_id == "3" and one.model_answer != "yes")])
    found = table(short)
    assert found.samples == [{4: 1, 8: 9}]
    assert found.row("pass@8").all.base.n == 9
    assert found.row("pass@8").all.base.missing == {"fewer than 8 responses": 1}
    assert found.row("pass@4").all.base.n == 10


def test_one_number_for_all_responses_gives_no_variance():
    found = table(run("base", [8, 0] * 5, change=lambda *_: {"accuracy_shared": "one number for all"}))
    for measure in ("pass@1", "within", "pass@8", "maj@8"):
        cell = found.row(measure).all.base
        assert (cell.n, cell.missing) == (0, {"one number for all": 10}), measure
    assert found.row("entropy").all.base.n == 10


def test_partial_credit_has_variance_but_no_pass_at_k():
    found = table(run("base", [4] * 4, change=lambda _, i: {"accuracy": {"acc": i / 8}}))
    assert found.row("within").all.base.value == pytest.approx(statistics.variance([i / 8 for i in range(8)]))
    assert found.row("pass@8").all.base.n == 0


def test_responses_that_were_cut_off_are_left_out_beside_the_whole():
    """Every second response was cut off and is wrong for that alone."""
    cut = lambda _, i: {"truncated": i % 2 == 1, "accuracy": {"acc": float(i % 2 == 0)}}  # noqa: E731
    found = table(run("base", [8] * 20), run("tuned", [8] * 20, change=cut))
    row = found.row("pass@1")
    assert row.all.difference is not None
    assert row.kept is not None
    assert row.kept.difference is not None
    assert row.all.difference.value == pytest.approx(-0.5)
    assert row.kept.difference.value == 0
    assert found.row("cut_off").all.tuned.value == pytest.approx(0.5)  # type: ignore[union-attr]
    without = "without the responses that were cut off: in the 20 questions that both runs have left, pass@1 did not"
    assert any(said.startswith(without) for said in found.reading)


def test_long_and_short_responses_have_parts_of_their_own():
    found = table(run("base", [8] * 10 + [4] * 10 + [0] * 10))
    assert found.buckets == [1000, 2000]
    assert [found.row("pass@1", name).all.base.value for name in ("short", "middle", "long")] == [1, 0.5, 0]
    assert found.row("within", "short").all.base.value == 0
    assert found.row("within", "middle").all.base.value == pytest.approx(2 / 7)


def test_longer_half_of_a_questions_responses_is_set_against_the_shorter():
    """Right responses are the long ones: first the order alone decides, then there is none."""
    found = table(run("base", [4] * 10, change=lambda _, i: {"length": 100 - i}))
    assert found.row("longer").all.base.value == 1
    alike = table(run("base", [4] * 10))
    assert alike.row("longer").all.base.missing == {"its responses do not fall into a shorter and a longer half": 10}


def test_gains_have_a_spread_within_questions():
    def change(q: int, i: int) -> dict:
        return {"score": chain([-8.0, -8.0 + q + i])}

    found = table(run("base", [4] * 6, change=change))
    assert found.row("within infogain_nats").all.base.value == pytest.approx(statistics.variance(range(8)))
    assert found.row("within infogain_nats").unit == "nats²"
    unscored = table(run("base", [4] * 6))
    assert run("base", [1]).records[0].score is UNSCORED
    assert not [row for row in unscored.rows if row.measure.startswith("within ")]


def test_json_is_strict():
    data = table(run("base", [4]), run("tuned", [4])).to_dict()
    assert data["rows"][2]["all"]["base"]["value"] is None  # between: of one question there is none
    assert not [
        value for value in data["rows"][0]["all"]["base"].values() if isinstance(value, float) and math.isnan(value)
    ]
