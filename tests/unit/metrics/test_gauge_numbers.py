"""Every number of a chain's score, by hand: the scoring LM's nats and token counts are set by the test."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from scripted_likelihoods import along, scripted_gauge

from stepgauge.metrics import ChainScore, Trace

QUESTION = "How many eggs are left over?"


def trace(*steps: str, answer: str = "seven eggs", choices=None) -> Trace:
    return Trace(QUESTION, "\n".join(steps), answer, choices)


def test_numbers_per_answer_token_follow_the_count_at_their_own_prefix():
    """PPL is 9, 4, 3, 2 with 2, 3, 5, 7 answer tokens: joint tokenization may cut the answer differently each time."""
    nats = [-n * math.log(ppl) for ppl, n in ((9, 2), (4, 3), (3, 5), (2, 7))]
    steps = ("Hens lay eggs.", "She eats some.", "There are seven eggs.")
    (found,) = scripted_gauge(along(*zip(nats, (2, 3, 5, 7), strict=True))).score([trace(*steps)])
    assert [step.states_answer for step in found.steps] == [False, False, True]
    gained, before = nats[3] - nats[0], nats[2] - nats[0]
    assert abs(gained) > 0.1 < abs(before), "0 divided by any count is 0"
    expected = {
        "infogain": (9 - 2) / 3,
        "infogain_before_answer": (9 - 3) / 2,
        "infogain_without_final": (9 - 2) / 3,
        "infogain_nats": gained,
        "infogain_nats_before_answer": before,
        "infogain_nats_per_step": gained / 3,
        "infogain_nats_per_step_before_answer": before / 2,
        "infogain_nats_per_step_token": gained / 10,
        "infogain_nats_per_step_token_before_answer": before / 6,
        "infogain_nats_per_answer_token": gained / 7,
        "infogain_nats_per_answer_token_before_answer": before / 5,
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected)
    assert [step.ppl_gain for step in found.steps] == pytest.approx([5, 1, 1])
    assert [step.gain for step in found.steps] == pytest.approx([b - a for a, b in pairwise(nats)])
    assert [step.n_tokens for step in found.steps] == [3, 3, 4]
    assert [step.log_likelihood for step in found.steps] == found.log_likelihoods[1:] == nats[1:]
    assert found.n_answer_tokens == 7
    per_token = [-math.log(ppl) for ppl in (9, 4, 3, 2)]
    assert ChainScore.from_dict(found.to_dict()).log_likelihoods_per_token == pytest.approx(per_token)
    # A score that was written before there were counts of each prefix has the last one's alone.
    old = {name: value for name, value in found.to_dict().items() if name != "answer_tokens"}
    assert ChainScore.from_dict(old).log_likelihoods_per_token == pytest.approx([value / 7 for value in nats])


def test_gain_without_final_has_the_token_counts_of_the_chain_without_final_steps():
    """The announcement in the middle is left out, so what follows stands on a prefix of its own."""

    def says(steps, _):
        ppl, n = {
            (): (8, 2),
            ("Hens lay eggs.",): (6, 3),
            ("Hens lay eggs.", "The answer is five."): (5, 4),
            ("Hens lay eggs.", "The answer is five.", "No, she eats some."): (4, 5),
            ("Hens lay eggs.", "No, she eats some."): (2, 7),
        }[tuple(steps)]
        return -n * math.log(ppl), n

    (found,) = scripted_gauge(says).score([trace("Hens lay eggs.", "The answer is five.", "No, she eats some.")])
    assert [step.kind for step in found.steps] == ["reasoning", "final_answer", "reasoning"]
    assert found.metrics["infogain_without_final"] == pytest.approx((8 - 2) / 2)
    assert found.metrics["infogain_nats_without_final"] == pytest.approx(-7 * math.log(2) + 2 * math.log(8))
    assert found.infogain == pytest.approx((8 - 4) / 3)


def test_options_are_weighed_by_their_whole_likelihood_however_many_tokens_they_have():
    options = ["none", "seven eggs", "a dozen or so"]
    shares = [(0.5, 0.25, 0.25), (0.25, 0.25, 0.5), (0.125, 0.75, 0.125)]

    def says(steps, text):
        return math.log(0.01 * shares[len(steps)][options.index(text)]), len(text.split())

    asked = trace("Hens lay eggs.", "There are several of them.", choices=options)
    (found,) = scripted_gauge(says).score([asked])

    def entropy(row):
        return sum(-p * math.log2(p) for p in row)

    assert found.metrics["gold_probability"] == pytest.approx(0.75)
    assert [step.gold_probability for step in found.steps] == pytest.approx([0.25, 0.75])
    assert [step.entropy_bits for step in found.steps] == pytest.approx([entropy(shares[1]), entropy(shares[2])])
    assert found.metrics["entropy_drop_bits"] == pytest.approx(entropy(shares[0]) - entropy(shares[2]))
    words = [len(text.split()) for text in options]
    per_token = [(0.01 * share) ** (1 / n) for share, n in zip(shares[2], words, strict=True)]
    assert found.metrics["gold_probability_per_token"] == pytest.approx(per_token[1] / sum(per_token))
    # Neither step states the answer, so the whole chain stands before it.
    assert found.metrics["entropy_drop_bits_before_answer"] == found.metrics["entropy_drop_bits"]


@pytest.mark.parametrize(
    ("levels", "informative", "regressive"),
    [
        ((-4.0, -3.5, -4.0, -3.25), 1 / 3, 0),  # gains of exactly +0.5, -0.5 and beyond
        ((-4.0, -3.5, -3.0, -3.75), 0, 1 / 3),
        ((-4.0, -3.5, -3.0, -2.5), 0, 0),
    ],
)
def test_gain_of_exactly_epsilon_is_neither_informative_nor_regressive(levels, informative, regressive):
    gauge = scripted_gauge(along(*((level, 1) for level in levels)), epsilon=0.5)
    (found,) = gauge.score([trace("One.", "Two.", "Three.")])
    assert found.metrics["informative_share"] == pytest.approx(informative)
    assert found.metrics["regressive_share"] == pytest.approx(regressive)


@pytest.mark.parametrize(
    ("levels", "position"),
    [
        ((-4.0, -3.5, -3.0, -2.0), 2 / 3),  # exactly half after two of three steps
        ((-4.0, -3.5, -3.125, -2.0), 1),
        ((-4.0, -2.0, -3.5, -2.0), 1 / 3),  # reached, lost and reached again: the first time counts
        ((-4.0, -4.0, -4.0, -3.25), 1),  # just more than epsilon in total
    ],
)
def test_half_of_the_gain_is_reached_where_it_is_equalled_for_the_first_time(levels, position):
    gauge = scripted_gauge(along(*((level, 1) for level in levels)), epsilon=0.5)
    (found,) = gauge.score([trace("One.", "Two.", "Three.")])
    assert found.metrics["half_gain_position"] == pytest.approx(position)


@pytest.mark.parametrize("last", [-3.5, -3.75, -4.0, -5.0])
def test_chain_that_gains_no_more_than_epsilon_in_total_has_no_half(last):
    (found,) = scripted_gauge(along((-4.0, 1), (-3.0, 1), (last, 1)), epsilon=0.5).score([trace("One.", "Two.")])
    assert found.missing["half_gain_position"] == "the chain gains no more than epsilon (0.5 nats) in total"
    assert math.isnan(found.metrics["half_gain_position"])


@pytest.mark.parametrize("odd", [math.nan, -math.inf, math.inf])
def test_log_likelihood_that_is_no_number_leaves_its_chain_or_its_control_unscored(odd):
    """Half-precision weights overflow to nan. Nothing compares with it, so shares of steps would come out as 0."""

    def says(steps, _):
        return (odd if steps[-1:] == ["Odd."] else len(steps) - 4.0), 2

    gauge = scripted_gauge(says, controls=["filler", "foreign"])
    other = Trace("Another question?", "Other.\nOdd.", "five")
    broken, good = gauge.score([trace("One.", "Odd.", "Two."), trace("Three.", "Four.")], foreign_from=[other])
    reason = f"the scoring LM gave a log-likelihood of {odd}"
    assert broken.log_likelihoods == []
    for name in ("infogain_nats", "informative_share", "regressive_share", "leak_share", "half_gain_position"):
        assert math.isnan(broken.metrics[name])
        assert broken.missing[name] == reason
    assert all(math.isnan(step.log_likelihood) and math.isnan(step.gain) for step in broken.steps)
    assert good.infogain_nats == 2
    assert good.metrics["gain_over_filler"] == 0
    assert good.missing["gain_over_foreign"] == f"control 'foreign': {reason}"
    assert math.isnan(good.controls["foreign"].log_likelihood)


def test_option_whose_log_likelihood_is_no_number_leaves_the_chain_unscored():
    asked = trace("One.", choices=["seven eggs", "none"])
    (found,) = scripted_gauge(lambda _, text: (math.nan if text == "none" else -1.0, 2)).score([asked])
    assert found.missing["entropy_drop_bits"] == "the scoring LM gave a log-likelihood of nan"
    assert math.isnan(found.steps[0].entropy_bits)


def test_perplexity_beyond_a_float_is_missing_per_step_too():
    (found,) = scripted_gauge(along((-3000.0, 2), (-1.0, 2), (-2000.0, 2), (-2.0, 2))).score([trace("A.", "B.", "C.")])
    assert found.missing["infogain"] == "a perplexity is too large for a float"
    assert all(math.isnan(step.ppl_gain) for step in found.steps)
    assert [step.gain for step in found.steps] == [2999, -1999, 1998]
    assert found.infogain_nats == 2998


def whole_texts(*perplexities: float):
    """Of the whole text with 0, 1, … steps, which the published code scores; 1 nat of the answer alone."""

    def says(_, text):
        if QUESTION not in text:
            return -1.0, 1
        tokens = len(text.split())
        return -tokens * math.log(perplexities[text.count("\n")]), tokens

    return says


def test_reference_variant_divides_the_drop_of_whole_texts_by_steps_and_one():
    gauge = scripted_gauge(whole_texts(9, 4, 3, 2), variant="reference")
    (found,) = gauge.score([trace("Hens lay eggs.", "She eats some.", "There are seven eggs.")])
    assert found.metrics["infogain_reference"] == pytest.approx((9 - 2) / 4)
    assert found.metrics["infogain_reference_before_answer"] == pytest.approx((9 - 3) / 3)


@pytest.mark.parametrize("where", [0, 1, 2])
def test_reference_variant_is_missing_where_one_perplexity_is_beyond_a_float(where):
    def says(steps, text):
        return (-1e9, 1) if QUESTION in text and text.count("\n") == where else whole_texts(9, 4, 3)(steps, text)

    (found,) = scripted_gauge(says, variant="reference").score([trace("Hens lay eggs.", "She eats some.")])
    assert found.missing["infogain_reference"] == "a perplexity is too large for a float"
    assert found.infogain == 0


def accepted(shares: list[dict[str, tuple[float, int]]]):
    """The probability and number of tokens of each answer after 0, 1, … steps; they hang on the last step alone."""

    def says(steps, text):
        probability, tokens = shares[len(steps)][text]
        return math.log(probability), tokens

    return says


SEVERAL = [{"7": (0.02, 1), "seven eggs": (0.06, 3)}, {"7": (0.5, 1), "seven eggs": (0.125, 3)}]


@pytest.mark.parametrize("answer", [["7", "seven eggs"], ["seven eggs", " 7", "7", "", "seven eggs\n"]])
def test_accepted_answers_are_measured_together_each_once_and_in_whatever_order(answer):
    asked = Trace(QUESTION, "Hens lay eggs.", answer)
    (found,) = scripted_gauge(accepted(SEVERAL)).score([asked])
    assert found.log_likelihoods == pytest.approx([math.log(0.08), math.log(0.625)])
    assert found.infogain_nats == pytest.approx(math.log(0.625 / 0.08))
    assert found.metrics["infogain_nats_without_final"] == pytest.approx(found.infogain_nats)
    # Per token: as many as the likeliest answer has, three before the step and one after it.
    assert found.infogain == pytest.approx(0.08 ** (-1 / 3) - 1 / 0.625)
    assert found.n_answer_tokens == 1
    assert found.metrics["infogain_nats_per_answer_token"] == pytest.approx(found.infogain_nats)
    assert found.provenance["gold_answer"] == "log-sum-exp over 2 accepted answers"


def test_controls_and_the_reference_figure_measure_all_accepted_answers_too():
    def says(steps, text):
        if QUESTION in text:  # the whole text
            return math.log(0.25 if text.endswith("7") else 0.5) * (1 + text.count("\n")), 2
        return math.log({"7": 0.25, "seven eggs": 0.5}[text]) * (1 + len(steps)), 1

    gauge = scripted_gauge(says, controls=["filler"], variant="reference")
    (found,) = gauge.score([Trace(QUESTION, "Hens lay eggs.", ["7", "seven eggs"])])
    after = math.log(0.25**2 + 0.5**2)
    assert found.controls["filler"].log_likelihood == pytest.approx(after)
    assert found.metrics["gain_over_filler"] == pytest.approx(0)
    assert found.metrics["infogain_reference"] == pytest.approx((0.75 ** (-1 / 2) - math.exp(-after / 2)) / 2)


def test_one_accepted_answer_without_a_number_leaves_the_chain_unscored():
    asked = Trace(QUESTION, "Hens lay eggs.", ["seven eggs", "7"])
    (found,) = scripted_gauge(lambda _, text: (math.nan if text == "7" else -1.0, 1)).score([asked])
    assert found.missing["infogain_nats"] == "the scoring LM gave a log-likelihood of nan"


@pytest.mark.parametrize(
    ("options", "answer", "expected"),
    [
        (["none", "seven", "eight"], ["seven", "eight"], 0.5 + 0.25),
        (["none", "seven", "eight"], ["eight", "seven"], 0.5 + 0.25),
        (["none", "seven", " seven"], "seven", 2 * 0.5 / 1.25),
    ],
)
def test_options_that_are_right_add_up(options, answer, expected):
    shares = {"none": 0.25, "seven": 0.5, "eight": 0.25}
    asked = Trace(QUESTION, "Hens lay eggs.", answer, options)
    (found,) = scripted_gauge(lambda _, text: (math.log(shares[text]), 1)).score([asked])
    assert found.metrics["gold_probability"] == pytest.approx(expected)
    assert found.steps[0].gold_probability == pytest.approx(expected)


@pytest.mark.parametrize("answer", [["seven", "G"], ["G", "seven"]])
def test_every_accepted_answer_of_a_multiple_choice_question_is_one_of_its_options(answer):
    with pytest.raises(ValueError, match="'G' is not one of the choices"):
        Trace(QUESTION, "Hens lay eggs.", answer, ["seven", "eight"])


@pytest.mark.parametrize(
    ("answer", "choices", "noted"),
    [
        ("B", None, True),
        ("(C)", None, True),
        (["B", "D"], None, True),
        ("seven", None, False),
        ("B", ["B", "C"], False),
    ],
)
def test_letter_without_options_is_measured_as_a_letter_and_a_note_says_so(answer, choices, noted):
    (found,) = scripted_gauge(along((-2.0, 1), (-1.0, 1))).score([Trace(QUESTION, "Hens lay.", answer, choices)])
    assert any("lone letter" in note for note in found.notes) == noted
    assert found.metrics["infogain_nats"] == pytest.approx(1)
