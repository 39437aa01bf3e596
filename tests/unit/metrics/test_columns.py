"""Every number says what it is, and tables show only numbers that there are."""

from __future__ import annotations

import math

import pytest
from regrowing import Rule

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.columns import METRICS, WITH_OPTION, needs_of, shown_in
from stepgauge.metrics.comparison.measures import CONFOUNDERS, OUTCOMES


@pytest.mark.parametrize("about", [*METRICS.values(), *OUTCOMES, *CONFOUNDERS], ids=lambda about: type(about).__name__)
def test_a_number_has_a_unit_and_one_sentence(about):
    assert about.unit
    assert about.description.endswith(".")
    assert ". " not in about.description


def test_a_number_of_the_core_has_one_unit_and_one_direction_in_core_and_comparison():
    for measure in (*OUTCOMES, *CONFOUNDERS):
        if measure.key in METRICS:
            about = METRICS[measure.key]
            assert (measure.unit, measure.higher_is_better) == (about.unit, about.higher_is_better)


def test_what_a_plugin_or_an_option_adds_is_shown_everywhere():
    everywhere = ["lm-eval", "Inspect", "score", "show", "report"]
    for name in ("infogain_reference", "gain_over_filler_before_answer", "hedging_share"):
        assert shown_in(name) == everywhere
    assert shown_in("infogain_nats_before_answer") == everywhere
    assert shown_in("leak_share") == ["show"]
    assert shown_in("regressive_share") == []


def test_a_number_needs_what_it_says_it_needs(tiny_scorer):
    """Each number is there for a chain that has everything, and is missing where something that it needs is not."""
    asked = {"question": "What is 2 + 3 + 1?", "response": "2 + 3 = 5.\n5 + 1 = 6.\nThe answer is 6."}
    open_ended = {**asked, "response": "2 + 3 = 5.\n5 + 1 = 6 at last."}
    gold, options = {"answer": "6"}, {"choices": ("5", "6", "7")}

    def there(scorer, asked=asked, **given):
        gauge = Gauge(
            scorer=scorer, variant="reference" if scorer else "paper", reliance=True, regrow="all", progress=False
        )
        itself = Rule(lambda *_: "The answer is 6.")
        (score,) = gauge.score([Trace(**asked, **given)], continuations=itself)
        return {name for name, value in score.metrics.items() if not math.isnan(value)}

    without = {
        "scoring LM": there(None, **gold, **options),
        "gold answer": there(tiny_scorer, **options),
        "answer options": there(tiny_scorer, **gold),
    }
    controlled = {metric.name for option, of in WITH_OPTION.items() if "controls" in option for metric in of}
    without_own = there(tiny_scorer, open_ended, **gold)
    reliant = {metric.name for metric in WITH_OPTION["reliance"]}
    for name in reliant:
        assert needs_of(name) == "scoring LM, own answer"
        assert name not in without["scoring LM"] | without_own
        assert f"{name.removesuffix('_before_answer')}_before_answer" in reliant
    assert {"early_answer_area", "necessary_share_before_answer", "corruption_nats"} <= without["gold answer"]
    assert "infogain" in without_own
    regrown = {metric.name for metric in WITH_OPTION["regrow"]}
    for name in regrown:
        assert needs_of(name) == "model under test, own answer"
        assert name in without["scoring LM"]
        assert name not in without_own
    evidence = {metric.name for metric in WITH_OPTION["judges that need evidence"]}
    for name in evidence:
        assert needs_of(name) == "claims, judges that need evidence"
        assert all(name not in found for found in without.values())  # equations need none
    for name in METRICS.keys() - controlled - reliant - regrown - evidence:
        needed = [what for what, found in without.items() if name not in found]
        if needs_of(name) != "claims, judges":
            assert needs_of(name) == ", ".join(needed), name
    gaining = {"leak_share", "half_gain_position"}  # missing where a chain gains nothing, as for a model of noise
    gaining |= {name for name in reliant if name.startswith(("critical_step", "corruption_horizon", "decided_step"))}
    assert METRICS.keys() - controlled - gaining - evidence <= there(tiny_scorer, **gold, **options)
