"""The judge `table` holds a figure against the cell of whom it is said of, of the same period, in the table's scale."""

from __future__ import annotations

import time

import pytest

from stepgauge import Gauge
from stepgauge.metrics.knowledge.types import Verdict
from stepgauge.metrics.trace import Trace


def verdicts(step: str, *passages: str | dict[str, str], question: str = "") -> list[Verdict]:
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given", splitter="lines")
    [score] = gauge.score([Trace(question, step, meta={"passages": list(passages)})])
    return [verdict for one in score.steps for verdict in one.verdicts]


def label(step: str, *passages: str | dict[str, str], question: str = "") -> str:
    [verdict] = verdicts(step, *passages, question=question)
    return verdict.label


BY_SEGMENT = """Revenue by segment (in millions):

| | 2019 | 2018 |
|---|---|---|
| European segment | 50 | 45 |
| North America | 70 | 61 |
| United States | 40 | 39 |
| Revenue | 160 | 145 |
"""
IN_SECTIONS = """| (in millions) | 2019 | 2018 |
|---|---|---|
| Revenue: | | |
| Europe | 50 | 45 |
| Asia | 70 | 61 |
| Operating income: | | |
| Europe | 5 | 4 |
| Asia | 7 | 6 |
| Total: | | |
| Revenue | 120 | 106 |
"""
SEGMENTS_ACROSS = """| (in millions, 2019) | Europe | Asia | Total |
|---|---|---|---|
| Revenue | 50 | 70 | 120 |
"""
WHOLE = """| (in millions) | 2019 | 2018 |
|---|---|---|
| Revenue | 120 | 106 |
"""
OF_EUROPE = (
    "Europe's revenue was {} in 2019.",
    "Europe’s 2019 revenue was {}.",
    "European revenue was {} in 2019.",
    "Revenue of Europe was {} in 2019.",
    "In Europe, revenue was {} in 2019.",
    "Revenue was {} in Europe in 2019.",
    "Revenue was {} in 2019 for Europe.",
    "The European segment's revenue was {} in 2019.",
    "Europe reported revenue of {} in 2019.",
)
OF_SOMEBODY = (
    "The segment's revenue was {} in 2019.",
    "The division's 2019 revenue was {}.",
    "Revenue of the segment was {} in 2019.",
    "Africa's revenue was {} in 2019.",
    "African revenue was {} in 2019.",
    "Revenue was {} in Africa in 2019.",
    "Subsidiaries' revenue was {} in 2019.",
    "Africa reported revenue of {} in 2019.",
)


@pytest.mark.parametrize("step", OF_EUROPE)
@pytest.mark.parametrize("table", [BY_SEGMENT, IN_SECTIONS, SEGMENTS_ACROSS], ids=["rows", "sections", "columns"])
def test_a_figure_of_a_segment_is_held_against_its_row_or_column_and_not_against_the_total(
    table: str, step: str
) -> None:
    assert label(step.format("$50 million"), table) == "supported"
    assert label(step.format("$120 million"), table) != "supported"
    assert label(step.format("$160 million"), table) != "supported"


@pytest.mark.parametrize(
    "step", [*OF_EUROPE, *OF_SOMEBODY, "Its revenue was {} in 2019.", "Their revenue was {} in 2019."]
)
def test_a_figure_of_whom_no_row_or_column_is_contradicts_nothing(step: str) -> None:
    assert label(step.format("$50 million"), WHOLE) == "insufficient"


@pytest.mark.parametrize("step", OF_SOMEBODY)
@pytest.mark.parametrize("table", [IN_SECTIONS, SEGMENTS_ACROSS, WHOLE], ids=["sections", "columns", "whole"])
def test_the_total_is_no_support_for_a_figure_of_a_part_that_is_not_there(table: str, step: str) -> None:
    assert label(step.format("$120 million"), table) == "insufficient"
    assert label(step.format("$50 million"), table) == "insufficient"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("North America's revenue was $70 million in 2019.", "supported"),
        ("North American revenue was $70 million in 2019.", "supported"),
        ("U.S. revenue was $40 million in 2019.", "supported"),
        ("Revenue in the US was $40 million in 2019.", "supported"),
        ("Europe's revenue was $55 million in 2019.", "contradicted"),
        ("The company's revenue was $160 million in 2019.", "supported"),
        ("The company's revenue was $165 million in 2019.", "contradicted"),
        ("Revenue was $165 million in 2019.", "contradicted"),
    ],
)
def test_a_segment_is_found_as_people_name_it(step: str, expected: str) -> None:
    table = BY_SEGMENT.replace("Revenue by segment", "By segment")
    found = label(step, table)
    assert found == expected or (expected == "contradicted" and "Europe" in step and found == "insufficient")


def test_two_owners_in_a_sentence_have_a_figure_each() -> None:
    step = "Europe's revenue of $50 million was below North America's revenue of $70 million in 2019."
    assert [one.label for one in verdicts(step, BY_SEGMENT)] == ["supported", "supported"]
    swapped = "Europe's revenue of $70 million was above North America's revenue of $50 million in 2019."
    assert "supported" not in [one.label for one in verdicts(swapped, BY_SEGMENT)]


def test_an_owner_with_a_short_name_is_found_and_a_statement_is_none() -> None:
    for written in ("Asia's revenue", "Asia’s revenue", "Asian revenue", "The Asia segment's revenue"):
        assert label(f"{written} was $70 million in 2019.", IN_SECTIONS) == "supported"
        assert label(f"{written} was $75 million in 2019.", IN_SECTIONS) == "contradicted"
        assert label(f"{written} was $120 million in 2019.", IN_SECTIONS) != "supported"
    step = "From the Consolidated Statements of Operations, revenue was $120 million in 2019."
    assert label(step, WHOLE) == "supported"


def test_a_company_is_known_by_title_text_or_question() -> None:
    titled = {"id": "p", "title": "Oracle, annual report", "text": WHOLE}
    assert label("Oracle's revenue was $120 million in 2019.", titled) == "supported"
    assert label("Oracle's revenue was $130 million in 2019.", titled) == "contradicted"
    incorporated = f"Oracle Corporation sells databases.\n\n{WHOLE}"
    assert label("Oracle's revenue was $130 million in 2019.", incorporated) == "contradicted"
    asked = "What was Oracle's revenue in 2019?"
    assert label("Oracle's revenue was $120 million in 2019.", WHOLE, question=asked) == "supported"
    assert label("Oracle's revenue was $130 million in 2019.", WHOLE, question=asked) == "insufficient"
    assert label("Oracle's revenue was $120 million in 2019.", WHOLE) == "insufficient"


def test_a_column_that_the_step_does_not_name_supports_nothing_beside_a_total() -> None:
    assert label("Revenue was $50 million in 2019.", SEGMENTS_ACROSS) == "contradicted"
    assert label("Revenue was $120 million in 2019.", SEGMENTS_ACROSS) == "supported"


def test_a_sentence_of_the_whole_says_nothing_of_a_part() -> None:
    text = "Net cash generated by operations was $50 million in 2019."
    assert label("Net cash generated by operations was $60 million in 2019.", text) == "contradicted"
    assert label("Africa's net cash generated by operations was $60 million in 2019.", text) == "insufficient"
    assert label("Africa's net cash generated by operations was $50 million in 2019.", text) == "insufficient"


# --- periods ---------------------------------------------------------------------------------------------------------

QUARTER_AND_YEAR = """| (in millions) | Q4 2019 | 2019 | 2018 |
|---|---|---|---|
| Revenue | 120 | 430 | 400 |
"""
QUARTERS = """| (in millions) | Q1 2019 | Q2 2019 | Q3 2019 | Q4 2019 |
|---|---|---|---|---|
| Revenue | 100 | 105 | 105 | 120 |
"""
QUARTER_ROWS = """Revenue of 2019 (in millions):

| Quarter | Revenue | Costs |
|---|---|---|
| First quarter | 100 | 50 |
| Q2 | 105 | 51 |
| Third quarter | 105 | 52 |
| Q4 | 120 | 53 |
| Total | 430 | 206 |
"""
MONTHS = (
    "<table><tr><th></th><th colspan=2>Three months ended June 30,</th>"
    "<th colspan=2>Six months ended June 30,</th></tr>"
    "<tr><th>(in millions)</th><th>2019</th><th>2018</th><th>2019</th><th>2018</th></tr>"
    "<tr><td>Revenue</td><td>120</td><td>110</td><td>230</td><td>215</td></tr></table>"
)
NINE_MONTHS = """For the nine months ended September 30 (in millions):

| | 2019 | 2018 |
|---|---|---|
| Revenue | 310 | 290 |
"""
TWO_YEARS = """| (in millions) | FY2019 | CY2019 |
|---|---|---|
| Revenue | 430 | 445 |
"""
JUNE_YEAR = """| | Year ended June 30, 2019 |
|---|---|
| Revenue ($ millions) | 430 |
"""
HALVES = """| (in millions) | H1 2019 | H2 2019 | FY 2019 |
|---|---|---|---|
| Revenue | 200 | 230 | 430 |
"""
MIXED = """| (in thousands) | Three months ended March 31, 2019 | Year ended December 31, 2018 |
|---|---|---|
| Revenue | 500 | 2,100 |
"""
IN_WORDS = "Revenue in the fourth quarter of 2019 was $120 million. Costs of 2019 were $80 million."


@pytest.mark.parametrize(
    ("table", "step", "expected"),
    [
        (QUARTER_AND_YEAR, "Revenue in 2019 was $120 million.", "contradicted"),
        (QUARTER_AND_YEAR, "Revenue in 2019 was $430 million.", "supported"),
        (QUARTER_AND_YEAR, "Annual revenue was $120 million in 2019.", "contradicted"),
        (QUARTER_AND_YEAR, "Revenue in the fourth quarter of 2019 was $120 million.", "supported"),
        (QUARTER_AND_YEAR, "Revenue in Q4 2019 was $430 million.", "contradicted"),
        (QUARTER_AND_YEAR, "Revenue in Q3 2019 was $120 million.", "insufficient"),
        (QUARTERS, "Revenue in 2019 was $120 million.", "insufficient"),
        (QUARTERS, "Full-year 2019 revenue was $120 million.", "insufficient"),
        (QUARTERS, "Revenue for the year was $120 million.", "insufficient"),
        (QUARTERS, "4Q19 revenue was $120 million.", "supported"),
        (QUARTERS, "In the quarter ended December 31, 2019 revenue was $120 million.", "supported"),
        (QUARTERS, "Revenue in the first half of 2019 was $105 million.", "insufficient"),
        (QUARTERS, "Revenue in December 2019 was $120 million.", "insufficient"),
        (QUARTER_ROWS, "Revenue in 2019 was $120 million.", "contradicted"),
        (QUARTER_ROWS, "Revenue in 2019 was $430 million.", "supported"),
        (QUARTER_ROWS, "Revenue in the fourth quarter of 2019 was $120 million.", "supported"),
        (MONTHS, "Revenue in 2019 was $120 million.", "insufficient"),
        (MONTHS, "Revenue in the three months ended June 30, 2019 was $120 million.", "supported"),
        (MONTHS, "Revenue in the second quarter of 2019 was $120 million.", "supported"),
        (MONTHS, "Revenue in the six months ended June 30, 2019 was $120 million.", "contradicted"),
        (MONTHS, "Revenue in H1 2019 was $230 million.", "supported"),
        (MONTHS, "Revenue in the first half of 2019 was $120 million.", "contradicted"),
        (
            MONTHS,
            "Revenue in the second quarter of 2019 was $230 million.",
            "insufficient",
        ),  # a fiscal one may end elsewhere
        (MONTHS, "Revenue in the nine months ended September 30, 2019 was $230 million.", "insufficient"),
        (NINE_MONTHS, "Revenue in 2019 was $310 million.", "insufficient"),
        (NINE_MONTHS, "Revenue for the first nine months of 2019 was $310 million.", "supported"),
        (NINE_MONTHS, "Revenue in the nine months ended September 30, 2019 was $315 million.", "contradicted"),
        (NINE_MONTHS, "Revenue in Q3 2019 was $310 million.", "insufficient"),
        (TWO_YEARS, "Revenue in fiscal 2019 was $430 million.", "supported"),
        (TWO_YEARS, "Revenue in FY19 was $445 million.", "contradicted"),
        (TWO_YEARS, "Revenue in calendar year 2019 was $430 million.", "contradicted"),
        (TWO_YEARS, "Revenue in calendar year 2019 was $445 million.", "supported"),
        (TWO_YEARS, "Revenue in 2019 was $445 million.", "insufficient"),
        (JUNE_YEAR, "Revenue in calendar year 2019 was $430 million.", "insufficient"),
        (JUNE_YEAR, "Revenue in fiscal 2019 was $430 million.", "supported"),
        (JUNE_YEAR, "Revenue in 2019 was $430 million.", "supported"),
        (JUNE_YEAR, "Q4 FY2019 revenue was $430 million.", "insufficient"),
        (JUNE_YEAR, "Monthly revenue was $430 million in 2019.", "insufficient"),
        (JUNE_YEAR, "The quarterly revenue was $430 million.", "insufficient"),
        (HALVES, "Revenue in 2019 was $200 million.", "contradicted"),
        (HALVES, "Revenue in the first half of 2019 was $200 million.", "supported"),
        (HALVES, "Revenue in the first half of 2019 was $230 million.", "contradicted"),
        (HALVES, "Half-year revenue was $430 million in 2019.", "insufficient"),
        (MIXED, "Revenue in 2019 was $500 thousand.", "insufficient"),
        (MIXED, "Revenue in the 13 weeks ended March 31, 2019 was $500 thousand.", "supported"),
        (MIXED, "Revenue in 2018 was $2,100 thousand.", "supported"),
        (IN_WORDS, "Revenue in 2019 was $120 million.", "insufficient"),
        (IN_WORDS, "Revenue in Q4 2019 was $120 million.", "supported"),
        (IN_WORDS, "Costs in Q4 2019 were $80 million.", "insufficient"),
    ],
)
def test_a_year_is_none_of_its_parts_and_each_period_is_found_as_it_is_written(
    table: str, step: str, expected: str
) -> None:
    assert label(step, table) == expected


@pytest.mark.parametrize(
    ("table", "step", "expected"),
    [
        (QUARTER_AND_YEAR, "Revenue was $120 million in Q4 2019 and $430 million in 2019.", ["supported"] * 2),
        (QUARTERS, "In 2019, revenue was $100 million in Q1 and $105 million in Q2.", ["supported"] * 2),
        (QUARTERS, "In 2019, revenue was $105 million in Q1 and $100 million in Q2.", ["contradicted"] * 2),
        (QUARTERS, "Q1 and Q4 2019 revenue was $100 million and $120 million, respectively.", ["supported"] * 2),
        (MONTHS, "In the three months ended June 30, 2019 and 2018, revenue was $120 million and $110 million,"
         " respectively.", ["supported"] * 2),
        (QUARTER_AND_YEAR, "Annual revenue was $430 million in 2019 and $400 million in 2018.", ["supported"] * 2),
    ],
)  # fmt: skip
def test_of_several_periods_each_figure_has_its_own(table: str, step: str, expected: list[str]) -> None:
    assert [one.label for one in verdicts(step, table)] == expected


# --- scale, percent and sign -----------------------------------------------------------------------------------------

RESULTS = """Results (in thousands, except per share data):

| | 2019 | 2018 |
|---|---|---|
| Revenue | $774,000 | $680,000 |
| Gross margin | 24.7% | 22.1% |
| Net income (loss) | (5,000) | 4,200 |
| Net income per share: | | |
| Basic | 2.97 | 2.10 |
| Dividends paid | 120 | 110 |
"""


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("Revenue was $774,000 in 2019.", "insufficient"),
        ("Revenue was 774,000 dollars in 2019.", "insufficient"),
        ("Revenue was $774,000 thousand in 2019.", "supported"),
        ("Revenue (in thousands) was $774,000 in 2019.", "supported"),
        ("Revenue was $774,000,000 in 2019.", "supported"),
        ("Revenue was $774 million in 2019.", "supported"),
        ("Revenue was $774 thousand in 2019.", "contradicted"),
        ("Revenue was $774 billion in 2019.", "contradicted"),
        ("Revenue was $774 in 2019.", "insufficient"),
        # "except per share data" is for the rows that are of a share, and for no row below them.
        ("Basic net income per share was $2.97 in 2019.", "supported"),
        ("Basic net income per share was $2.97 thousand in 2019.", "insufficient"),
        ("Dividends paid were $120 thousand in 2019.", "supported"),
        ("Dividends paid were $120 million in 2019.", "contradicted"),
        # An amount is no percentage.
        ("Gross margin was 24.7% in 2019.", "supported"),
        ("Gross margin was $24.7 million in 2019.", "insufficient"),
        ("Gross margin was $24.7 in 2019.", "insufficient"),
        ("Revenue was 774,000% in 2019.", "insufficient"),
        # A loss in brackets.
        ("Net loss was $5,000 thousand in 2019.", "supported"),
        ("Net income was $(5,000) thousand in 2019.", "supported"),
        ("Net income was -$5.0 million in 2019.", "supported"),
        ("Net income was $5,000 thousand in 2019.", "insufficient"),
        ("Net loss was $4,200 thousand in 2018.", "insufficient"),
    ],
)
def test_amounts_are_compared_in_the_scale_that_the_table_states(step: str, expected: str) -> None:
    assert label(step, RESULTS) == expected


def test_a_scale_said_before_is_that_of_the_figure() -> None:
    step = "All amounts are in thousands.\nRevenue was $774,000 in 2019."
    assert [one.label for one in verdicts(step, RESULTS)] == ["supported"]
    asked = "What was revenue in 2019, in thousands?"
    assert label("Revenue was $774,000 in 2019.", RESULTS, question=asked) == "supported"
    assert label("Revenue was $774,000 in 2019.", RESULTS, question="In millions?") == "insufficient"


@pytest.mark.parametrize(
    "hostile",
    [
        "A" * 200_000,
        "A." * 100_000 + " Inc",
        "Aa Bb " * 30_000,
        "<table><tr><td>" + "Q1 " * 60_000 + "<td>2019</tr><tr><td>Revenue<td>5</tr></table>",
        "<table><tr><td><td>" + "three months ended June " * 8_000 + "</tr><tr><td>Revenue<td>5</tr></table>",
        "Q4 and " * 25_000 + "\n\n| | 2019 |\n|---|---|\n| Revenue | 120 |\n",
        "Inc. " * 40_000,
    ],
    ids=["letters", "points", "names", "label", "header", "caption", "forms"],
)
def test_names_and_periods_of_a_hostile_passage_cost_little(hostile: str) -> None:
    begin = time.process_time()
    verdicts(f"{'A' * 300} {'Bb ' * 100}'s revenue in {'Q1 ' * 90} 2019 was $5 million.", hostile)
    assert time.process_time() - begin < 8
