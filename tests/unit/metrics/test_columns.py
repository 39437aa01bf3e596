"""Every number says what it is, and tables show only numbers that there are."""

from __future__ import annotations

import pytest

from stepgauge.metrics.columns import METRICS, shown_in
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
    assert shown_in("infogain_before_answer") == ["lm-eval", "Inspect", "show", "report"]
    assert shown_in("regressive_share") == []
