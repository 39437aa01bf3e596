"""Corrupted steps, read back from scores: each number moved by 1 to 3 in its own form, or words of another chain."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest
from scripted_likelihoods import scripted_gauge

from stepgauge.metrics import Trace
from stepgauge.metrics.reliance.corruption import corrupted as corrupted_step

OTHER = Trace(
    "Where do cows live?", "Green meadows feed cows.\nBarns keep them warm.\nThe answer is outside.", "inside"
)
THIRD = Trace("Who baked it?", "Bakers bake bread daily.\nThe oven burns hot.\nThe answer is Tom.", "Tim")


def corrupted(*steps: str, others=(OTHER,), question: str = "How many?", answer: str = "no number") -> list[str | None]:
    trace = Trace(question, "\n".join([*steps, "The answer is unclear."]), answer)
    with scripted_gauge(lambda *_: (-1.0, 1), reliance=True) as gauge:
        (found,) = gauge.score([trace], foreign_from=others)
    return [step.corrupted for step in found.steps[:-1]]


@pytest.mark.parametrize(
    ("step", "form"),
    [
        ("It costs 12.50 dollars.", r"It costs (\d+)\.50 dollars\."),
        ("There are 1,200 of them.", r"There are (\d,\d{3}|\d{3}) of them\."),
        ("It grew by 5% and 7 %.", r"It grew by (\d+)% and (\d+) %\."),
        ("48 / 2 = 24 so <<48/2=24>>24", r"(\d+) / (\d+) = (\d+) so <<(\d+)/(\d+)=(\d+)>>(\d+)"),
        ("Step 3: take 9 of them", r"Step 3: take (\d+) of them"),
        ("2. Then 10 - 7", r"2\. Then (\d+) - (\d+)"),
        ("Vitamin B12 twice in 007 days", r"Vitamin B12 twice in (\d{3}) days"),
        ("Give -4 and 0 of 1", r"Give -(\d+) and (\d+) of (\d+)"),
        (r"\frac{3}{4} of $60", r"\\frac\{(\d+)\}\{(\d+)\} of \$(\d+)"),
        ("2.50 * 4 is the price", r"(\d+)\.50 \* (\d+) is the price"),
        ("12:30 is the time", r"(\d+):(\d+) is the time"),
        (".25 of 8", r"\.25 of (\d+)"),
        (r"1{,}000 and 3'000 francs", r"(\d{1,3}|1\{,\}\d{3}) and (\d'\d{3}|\d{3}) francs"),
        ("小明有3个苹果，又买了5个。", r"小明有(\d+)个苹果，又买了(\d+)个。"),
        ("لديه ٣ كتب و ٥ أقلام", r"لديه ([٠-٩]+) كتب و ([٠-٩]+) أقلام"),
        ("３つと７つ", r"([０-９]+)つと([０-９]+)つ"),
    ],
)
def test_every_number_is_moved_a_little_and_keeps_its_form(step, form):
    (found,) = corrupted(step)
    assert found is not None
    before, after = re.fullmatch(form, step), re.fullmatch(form, found)
    assert before, "the test's own form"
    assert after, found
    for old, new in zip(before.groups(), after.groups(), strict=True):
        was, now = (int(re.sub(r"\D", "", one)) for one in (old, new))
        assert 1 <= abs(now - was) <= 3
        assert now > 0


def test_no_number_ever_stays_the_same():
    draw = random.Random(0)
    numbers = [draw.choice([i, i * 1000, i / 4]) for i in range(150)]
    found = corrupted(*(f"Part {'ABCDEF'[i % 6]} has {number:,} pieces" for i, number in enumerate(numbers)))
    moves = set()
    for text, number in zip(found, numbers, strict=True):
        (new,) = re.findall(r"has ([\d,.]+) pieces", text or "")
        moves.add(float(new.replace(",", "")) - number)
    assert moves == {-3, -2, -1, 1, 2, 3}


def test_numbers_of_thousands_of_digits_and_odd_characters_do_no_harm():
    endless = "1" + ",000" * 3_000
    first, second, third = corrupted(f"It is {endless} here.", f"It is {'9' * 9_000} here.", "Lone \ud800 words stay.")
    assert first is not None
    assert first != f"It is {endless} here."
    assert second is None or "9" * 9_000 in second, "no number that anybody reads; its words are replaced"
    assert third != "Lone \ud800 words stay."


def test_a_step_without_a_number_gets_words_of_another_questions_chain():
    step = "Every crate holds several apples."
    (found,) = corrupted(step)
    assert found is not None
    assert [len(found.split()), found[-1]] == [len(step.split()), "."]
    words = set(re.findall(r"\w+", found.casefold()))
    assert words & {"meadows", "barns", "green", "cows", "warm", "feed", "keep"}
    assert not words & {"crate", "holds", "apples", "several", "answer", "outside"}
    assert found[0].isupper()


def test_without_another_chain_the_numbers_that_need_it_are_missing():
    trace = Trace("How many?", "We open every crate.\n3 + 4 = 7.\nThe answer is 7.", "8")
    with scripted_gauge(lambda steps, _: (-5.0 + len(steps), 1), reliance=True) as gauge:
        (found,) = gauge.score([trace])
    assert found.missing["true_thinking"] == (
        "no words of another question's chain are at hand to corrupt a step with: score more chains together"
    )
    assert found.metrics["necessary_share"] == 1, "what needs no corruption is there"
    assert found.steps[0].corrupted is None
    assert found.steps[1].corrupted is not None


def test_a_step_that_holds_nothing_to_corrupt_is_left_out_of_the_means():
    trace = Trace("How many?", "x = y\n3 + 4 = 7.\nThe answer is 7.", "8")
    with scripted_gauge(lambda steps, _: (-5.0 + len(steps), 1), reliance=True) as gauge:
        (found,) = gauge.score([trace])
    assert [step.corrupted is None for step in found.steps] == [True, False, False]
    assert found.metrics["corruption_nats"] == 0
    assert found.missing["corruption_nats_before_answer"] == "no step holds a number or a word to corrupt"


def test_corruption_hangs_on_the_chain_alone_and_not_on_order_or_gold():
    steps = ("We open 3 crates.", "Every crate holds several apples.", "3 * 4 = 12.")
    first = corrupted(*steps, others=[OTHER, THIRD])
    assert corrupted(*steps, others=[THIRD, OTHER]) == first
    assert corrupted(*steps, others=[OTHER, THIRD], answer="something else") == first
    assert corrupted(*steps, others=[OTHER, THIRD], question="How few?") != first
    (word,) = corrupted("Every crate holds several apples.", others=[replace(OTHER, question="How many?"), THIRD])
    assert re.search(r"green|meadows|feed|cows|barns|keep|warm", str(word), re.IGNORECASE) is None


def test_the_own_answer_is_never_put_in():
    for k in range(300):
        changed = corrupted_step("So 12*12 = 144, and 3 are left.", f"key {k}", "145 apples", list)
        assert "145" not in changed
        assert changed != "So 12*12 = 144, and 3 are left."
        assert "1,203" not in corrupted_step("So 1,200 are left.", f"key {k}", "1 203", list)
        assert "14" not in corrupted_step("So 12 are left.", f"key {k}", "fourteen", list)


def test_nor_are_words_of_the_own_option():
    """A step of another chain may speak of it without stating it."""
    other = Trace("Where?", "Two plus three equals five.\nInside or outside cows graze.\nThe answer is Tom.", "Tim")
    choices = ["inside", "outside"]
    trace = Trace("How?", f"{'crates hold apples ' * 20}\nMost fell.\nThe answer is inside.", "outside", choices)
    with scripted_gauge(lambda *_: (-1.0, 1), reliance=True) as gauge:
        (found,) = gauge.score([trace], foreign_from=[other])
    assert found.own_answer == "inside"
    put = set(re.findall(r"\w+", str(found.steps[0].corrupted).casefold()))
    assert {"plus", "equals", "outside", "cows", "graze"} <= put
    assert "inside" not in put
