"""The extractor `figures` and the judge `table`: which cell or sentence a figure of a step is held against, and how."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stepgauge import Gauge
from stepgauge.metrics.knowledge.tables.amounts import amounts, cell_amount
from stepgauge.metrics.knowledge.tables.grid import MAX_CELLS, MAX_COLUMNS, as_markdown, grids, prose
from stepgauge.metrics.knowledge.tables.layout import read_table
from stepgauge.metrics.knowledge.types import Verdict
from stepgauge.metrics.trace import Trace

ROWS = [
    ["", "2019", "2018"],
    ["Appliances", "$680", "$774"],
    ["Lighting", "1,452", "(1,146)"],
    ["Cost of appliances", "512", "498"],
    ["Gross margin", "24.7%", "35.7%"],
    ["Earnings per share", "2.97", "0.85"],
    ["Total sales", "$2,132", "$1,920"],
]
TABLE = f"Sales by product (in thousands):\n\n{as_markdown(ROWS)}\n"
HTML = (
    "<p>Sales by product (in thousands):</p><table><tr><th></th><th>2019</th><th>2018</th></tr>"
    + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in ROWS[1:])
    + "</table>"
)
CSV = "Sales by product (in thousands)\n" + "\n".join(",".join(f'"{cell}"' for cell in row) for row in ROWS)
TEXT = "The Company had 1,250 employees. The effective tax rate was 21.0% in 2019 and 24.5% in 2018."


def verdicts(step: str, *passages: Any, question: str = "") -> list[Verdict]:
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given", splitter="lines")
    given = list(passages) or [{"id": "report, page 4", "text": TABLE}, {"id": "report, page 5", "text": TEXT}]
    [score] = gauge.score([Trace(question, step, meta={"passages": given})])
    return [verdict for one in score.steps for verdict in one.verdicts]


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        ("Appliances sales were $774 thousand in 2018.", ["supported"]),
        ("Appliances sales were $747 thousand in 2018.", ["contradicted"]),
        ("Appliances sales were $774 million in 2018.", ["contradicted"]),
        ("Appliances sales were $774,000 in 2018.", ["supported"]),
        ("Appliances sales were $0.8 million in 2018.", ["supported"]),
        ("Appliances sales were about $700 thousand in 2019.", ["insufficient"]),
        ("Appliances were $680 in 2019 and $764 in 2018.", ["supported", "contradicted"]),
        ("Appliances were $680 and $774 in 2019 and 2018, respectively.", ["supported", "supported"]),
        ("The cost of appliances was 512 in 2019.", ["supported"]),
        ("The cost of appliances was 680 in 2019.", ["contradicted"]),
        ("The gross margin was 24.7% in 2019.", ["supported"]),
        ("The gross margin was 27.4% in 2019.", ["contradicted"]),
        ("Earnings per share were $2.97 in 2019.", ["supported"]),
        ("Lighting lost 1,146 in 2018.", ["supported"]),
        ("Lighting was 1,146 in 2018.", ["insufficient"]),  # the sign
        ("Net appliances were $690 thousand in 2019.", ["insufficient"]),  # "net" may be another row
        ("Appliances were $690 thousand.", ["insufficient"]),  # no period
        ("Appliances increased by $94 thousand in 2019.", ["insufficient"]),  # worked out
        ("Average appliances were $727 thousand in 2019.", ["insufficient"]),
        ("Furniture was $690 thousand in 2019.", ["insufficient"]),
        ("Appliances were $690 thousand in 2016.", ["insufficient"]),
        ("The effective tax rate was 21.0% in 2019.", ["supported"]),
        ("The effective tax rate was 25.4% in 2018.", ["contradicted"]),
        ("The company had 1,250 employees.", ["supported"]),
        ("If appliances were $700 thousand in 2019, we would see it.", []),
        ("Was the figure for appliances $700 thousand in 2019?", []),
        ("Appliances were not $700 thousand in 2019.", []),
        ("We look at 3 years and at September 30, 2019.", []),
    ],
)
def test_a_figure_is_held_against_the_cell_or_sentence_that_it_is_of(step: str, labels: list[str]) -> None:
    assert [verdict.label for verdict in verdicts(step)] == labels


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        # A change's base is of another period than the one year named.
        ("Appliances fell from $774 thousand to $680 thousand in 2019.", ["insufficient", "supported"]),
        ("In 2019 appliances were $680 thousand, compared with $774 thousand.", ["supported", "insufficient"]),
        ("Before 2019, appliances were $774 thousand.", ["insufficient"]),
        ("In the year before 2019 appliances were $774 thousand.", ["insufficient"]),
        # A part of the year that the table does not have.
        ("In the fourth quarter of 2019, appliances were $200 thousand.", ["insufficient"]),
        ("Appliances from January to June 2019 were $300 thousand.", ["insufficient"]),
        # A part of the row.
        ("Of the appliances in 2019, $300 thousand were ovens.", ["insufficient"]),
        ("Appliances in Europe were $300 thousand in 2019.", ["insufficient"]),
        ("Appliances generated by subscriptions were $300 thousand in 2019.", ["insufficient"]),
        # Bounds and ranges are held against the cell as such.
        ("Appliances were over $600 thousand in 2019.", ["insufficient"]),
        ("Appliances were at least $600 thousand in 2019.", ["insufficient"]),
        ("Appliances were over $1 million in 2019.", ["contradicted"]),
        ("Appliances were below $900 thousand in 2019.", ["insufficient"]),
        ("Appliances were between $600 thousand and $800 thousand in 2019.", ["insufficient", "insufficient"]),
        ("Appliances were $600 thousand to $800 thousand in 2019.", ["insufficient", "insufficient"]),
        # What was planned, or worked out.
        ("Appliances were originally reported as $690 thousand in 2019.", ["insufficient"]),
        ("The appliances of 2019 divided by 2 are $340 thousand.", ["insufficient"]),
        # The same change said twice, and no range.
        ("Appliances fell 12.1%, or $94 thousand, in 2019.", ["insufficient", "insufficient"]),
        ("Appliances fell 12% to $680 thousand in 2019.", ["insufficient", "supported"]),
        # A noun of its own after another figure.
        ("Appliances at $680, equity at $900 in 2019.", ["supported", "insufficient"]),
        # Another currency, by sign or word.
        ("Appliances were €680 thousand in 2019.", ["insufficient"]),
        ("Appliances were 680 thousand pounds in 2019.", ["insufficient"]),
        ("Appliances were 680 thousand dollars in 2019.", ["supported"]),
    ],
)
def test_what_may_be_another_amount_is_neither_supported_nor_contradicted_by_a_cell(
    step: str, labels: list[str]
) -> None:
    assert [verdict.label for verdict in verdicts(step)] == labels


def test_a_label_that_allows_for_a_loss_does_not_make_a_profit_of_it() -> None:
    table = "| (in millions) | 2019 | 2018 |\n|---|---|---|\n| Net income (loss) | 12.0 | (5.0) |\n"
    said = ["Net income was $5.0 million in 2018.", "Net income was -$5.0 million in 2018."]
    assert [verdicts(step, table)[0].label for step in said] == ["insufficient", "supported"]


def test_a_second_header_in_a_table_has_columns_of_its_own() -> None:
    table = (
        "| | Weight (%) | 2019 | 2018 |\n|---|---|---|---|\n| Europe | 53.6 | 70.07 | 64.49 |\n"
        "| Growth by cause | 2019 (%) | 2018 (%) | |\n| Business growth | 11.4 | 6.7 | |\n"
    )
    said = ["Business growth was 11.4% in 2019.", "Business growth was 6.7% in 2019.", "Europe was 70.07 in 2019."]
    assert [verdicts(step, table)[0].label for step in said] == ["supported", "contradicted", "supported"]


def test_columns_with_one_label_are_told_apart_by_the_row_above() -> None:
    rows = [["", "First", "Second", ""], ["", "Quarter", "Quarter", "Total"], ["Revenues", "94.8", "96.0", "190.8"]]
    said = ["Revenues were 96.0 in the second quarter.", "Revenues were 94.8 in the second quarter."]
    labels = [verdicts(step, as_markdown(rows))[0].label for step in said]
    assert labels[0] == "supported"
    assert labels[1] != "supported"


def test_a_footnote_mark_glued_to_a_label_does_not_hide_its_row() -> None:
    table = "| Tax | 2019 |\n|---|---|\n| UK: | |\n| Current year1 | 21 |\n| Overseas: | |\n| Current year | 1,098 |\n"
    said = ["Current year tax was 21 in 2019.", "Current year tax was 23 in 2019."]
    assert [verdicts(step, table)[0].label for step in said] == ["supported", "insufficient"]


def test_a_large_count_is_a_figure_and_a_small_one_is_none() -> None:
    table = "| | 2019 |\n|---|---|\n| Options granted | 452,695 |\n"
    assert [one.label for one in verdicts("Options granted were 452,695 options in 2019.", table)] == ["supported"]
    assert verdicts("Options granted are valued over 24 months.", table) == []


def test_an_empty_cell_that_is_meant_is_not_replaced_by_its_neighbour() -> None:
    table = (
        "<table><tr><th></th><th colspan=2>2019</th></tr><tr><th></th><th>Q3</th><th>Q4</th></tr>"
        "<tr><td>Europe</td><td>50.5</td><td>-</td></tr><tr><td>Asia</td><td>7.5</td><td>8.5</td></tr></table>"
    )
    said = ["Europe was 60.5 in Q4 2019.", "Europe was 60.5 in Q3 2019.", "Asia was 7.5 in Q4 2019."]
    assert [verdicts(step, table)[0].label for step in said] == ["insufficient", "contradicted", "contradicted"]


@pytest.mark.parametrize(
    ("costs", "step", "label"),
    [
        ("900,15", "Costs were 900.15 in 2019.", "supported"),
        ("900,15", "Costs were 901.15 in 2019.", "contradicted"),
        ("900,15", "Tax was 12.345 in 2019.", "insufficient"),  # the table's 12.345 is twelve thousand
        ("900,15", "Tax was 12,345 in 2019.", "supported"),
        ("900.15", "Tax was 12.345 in 2019.", "supported"),
    ],
)
def test_a_decimal_comma_is_read_where_the_table_has_no_decimal_point(costs: str, step: str, label: str) -> None:
    table = f"Item;2019;2018\nCosts;{costs};812\nTax;12.345;11.200\n"
    assert [verdict.label for verdict in verdicts(step, table)] == [label]


def test_the_evidence_names_document_table_row_and_column() -> None:
    [verdict] = verdicts("Appliances sales were $747 thousand in 2018.")
    [cell] = verdict.evidence
    assert cell.id == "report, page 4: table 1, row 'Appliances', column '2018'"
    assert cell.text == "$774 thousand"
    assert "says $774 thousand, not $747 thousand" in verdict.reason
    [verdict] = verdicts("The effective tax rate was 21.0% in 2019.")
    assert verdict.evidence[0].id == "report, page 5: sentence 2"


def test_what_is_not_covered_has_no_evidence_and_is_uncheckable() -> None:
    gauge = Gauge(scorer=None, claims=["figures"], judges=["table"], retriever="given")
    [score] = gauge.score([Trace("", "Furniture was $690 thousand in 2019.", meta={"passages": [TABLE]})])
    assert score.steps[0].verdicts[0].evidence == ()
    assert "ki" in score.missing, "nothing could be checked, which is neither right nor wrong"


@pytest.mark.parametrize("written", [TABLE, HTML, CSV, ROWS], ids=["markdown", "html", "csv", "rows"])
def test_a_table_reads_alike_however_it_is_written(written: Any) -> None:
    passage = {"id": "t", "table": written} if isinstance(written, list) else {"id": "t", "text": written}
    steps = ["Appliances were $774 in 2018.", "Appliances were $747 in 2018.", "Total sales were 2,132 in 2019."]
    found = [verdicts(step, passage)[0] for step in steps]
    assert [verdict.label for verdict in found] == ["supported", "contradicted", "supported"]
    assert found[0].evidence[0].id == "t: table 1, row 'Appliances', column '2018'"


@pytest.mark.parametrize(
    ("step", "label", "says"),
    [
        ("The change in appliances is 680 - 774 = -94.", "supported", "each number is given"),
        ("The change in appliances is (680 - 774)/774 = -12.14%.", "supported", "each number is given"),
        ("The change in appliances is (680 - 774)/774 = -13.63%.", "contradicted", "the arithmetic fails"),
        ("Appliances changed from 2018 to 2019 by (690 - 774)/774 = -10.85%.", "contradicted", "an input fails"),
        ("The change is 690 - 774 = -84.", "insufficient", "the inputs fail: 690"),
        ("Appliances fell by 774 - 680 = 94 thousand.", "supported", "each number is given"),
    ],
)
def test_of_a_calculation_inputs_and_arithmetic_are_told_apart(step: str, label: str, says: str) -> None:
    [verdict] = verdicts(step)
    assert verdict.claim.kind == "derivation"
    assert (verdict.label, says in verdict.reason) == (label, True), verdict.reason


def test_results_of_earlier_steps_and_numbers_of_the_question_are_inputs() -> None:
    step = "The change is 680 - 774 = -94.\nOf the 5,000 asked about that is -94 / 5,000 = -0.0188."
    found = verdicts(step, question="What share of 5,000 is the change?")
    [_, second] = [verdict for verdict in found if verdict.claim.kind == "derivation"]
    assert second.label == "insufficient", "no cell has a number of it, and nothing is wrong with it"
    assert "no number of it stands in the evidence" in second.reason


def test_a_label_with_alternatives_is_found_by_each_of_them() -> None:
    rows = [["$'000", "30 June 2019", "30 June 2018"], ["Net profit/(loss) after tax", "(9,819)", "6,639"]]
    passage = {"id": "t", "table": [*rows, ["Add: finance costs", "54,897", "25,803"]]}
    assert verdicts("The net loss after tax was $9,819 thousand in 2019.", passage)[0].label == "supported"
    assert verdicts("Net profit after tax was $6.6 million in 2018.", passage)[0].label == "supported"
    assert verdicts("Finance costs were $25,830 thousand in 2018.", passage)[0].label == "contradicted"


def test_the_same_label_under_two_headings_contradicts_nothing() -> None:
    rows = [["", "2019"], ["Domestic", ""], ["Current", "5,100"], ["Foreign", ""], ["Current", "7,200"]]
    passage = {"id": "t", "table": rows}
    assert verdicts("Current was 6,000 in 2019.", passage)[0].label == "insufficient"
    assert verdicts("Current foreign tax was 7,200 in 2019.", passage)[0].label == "supported"


def test_a_scale_that_only_the_text_says_is_that_of_the_table() -> None:
    passages = [{"id": "t", "table": ROWS}, "Amounts are presented in thousands."]
    assert verdicts("Appliances were $774 thousand in 2018.", *passages)[0].label == "supported"
    assert verdicts("Appliances were $774 million in 2018.", *passages)[0].label == "contradicted"


def test_years_may_be_the_rows() -> None:
    passage = {"id": "t", "table": [["", "Sales", "Profit"], ["2018", "1,200", "80"], ["2019", "1,300", "95"]]}
    assert verdicts("Sales were 1,300 in 2019.", passage)[0].label == "supported"
    assert verdicts("Sales were 1,200 in 2019.", passage)[0].label == "contradicted"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("$  1,452.4", 1452.4),
        ("(13)", -13),
        ("$ (71 )", -71),
        ("(14)%", -14),
        ("12.3 %", 12.3),
        ("1,234 (1)", 1234),
        ("-8.7", -8.7),
        ("—", None),
        ("2019", None),
        ("N/A", None),
        ("see note 5", None),
    ],
)
def test_cells_are_read_as_reports_write_them(cell: str, value: float | None) -> None:
    found = cell_amount(cell)
    assert (found and float(found.value)) == value


def test_signs_of_a_calculation_are_none_of_its_numbers() -> None:
    assert [float(one.value) for one in amounts("680 - 774 and (680-774) = -12.1%")] == [680, 774, 680, 774, -12.1]
    assert [float(one.value) for one in amounts("in 2018-19, for COVID-19 and the 10-K, by 5")] == [5]


@pytest.mark.parametrize(
    "hostile",
    [
        "<table><tr><td colspan=999999999 rowspan=999999999>1</td></tr>" * 200,
        "<table>" * 5_000 + "1",
        "<table><tr>" + "<td>1" * 300_000,
        "|" * 200_000 + "\n|---|\n",
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 50_000,
        '"' * 200_000 + "\n1,2",
        "1,2\n" * 100_000,
        "(" * 100_000 + "$" * 100_000,
        "in " * 60_000 + "thousand",
        "1 - " * 50_000,
    ],
    ids=["spans", "nested", "wide", "bars", "long", "quotes", "csv", "brackets", "words", "signs"],
)
def test_a_hostile_passage_costs_little_and_is_cut(hostile: str) -> None:
    begin = time.process_time()
    found = verdicts("Appliances were $774 in 2018, and 680 - 774 = -94.", hostile)
    assert time.process_time() - begin < 8
    assert {verdict.label for verdict in found} <= {"insufficient"}
    for grid in grids(hostile):
        assert sum(map(len, grid.rows)) <= MAX_CELLS + MAX_COLUMNS
        assert all(len(row) <= MAX_COLUMNS for row in grid.rows)


def test_thousands_of_rows_with_one_label_cost_little() -> None:
    table = as_markdown([["", "2019", "2018"], *(["Revenue", i, i] for i in range(100, 3_100))])
    begin = time.process_time()
    found = verdicts("\n".join(f"Revenue was ${i}.5 million in 2019." for i in range(8)), table)
    assert {one.label for one in found} == {"insufficient"}
    assert time.process_time() - begin < 15


def test_a_table_that_is_not_read_in_full_contradicts_nothing() -> None:
    rows = [["", "2019"], *[[f"Item {i} thing", "5"] for i in range(MAX_CELLS // 2 + 50)], ["Appliances", "680"]]
    passage = {"id": "t", "text": as_markdown(rows)}
    [grid] = grids(passage["text"])
    assert grid.problem
    assert read_table(grid).problem
    assert verdicts("Item 7 thing was 900 in 2019.", passage)[0].label == "insufficient"


def test_prose_is_what_stands_outside_of_tables() -> None:
    assert prose(TABLE).strip() == "Sales by product (in thousands):"
    assert prose(HTML) == "Sales by product (in thousands):"
    assert prose(CSV) == ""
    assert prose(TEXT) == TEXT


SPREAD = [["", "2 0 2 0", "2 0 1 9"], ["Rent expense", "$ 4,120", "$ 3,980"], ["Deferred tax", "310", "(275)"]]
AT_DATES = [
    ["(in millions)", "December 31, 1 9 9 9", "December 31, 1 9 9 8"],
    ["Inventories", "84.2", "79.5"],
    ["Goodwill", "12.0", "15.5"],
]
ON_ITS_SIDE = [["Year ending", "Operating leases"], ["2 0 2 1", "$612"], ["2 0 2 2", "587"], ["2 0 2 3", "540"]]
NO_YEARS = [["Lot", "2 0 1 8 5", "1 2 0 1 9"], ["Pieces", "612", "587"]]


@pytest.mark.parametrize(
    ("rows", "step", "label"),
    [
        (SPREAD, "Rent expense was $4,120 in 2020.", "supported"),
        (SPREAD, "Rent expense was $4,210 in 2020.", "contradicted"),
        (SPREAD, "Rent expense was $4,120 in 2019.", "contradicted"),
        (SPREAD, "Rent expense was $4,120 in 2018.", "insufficient"),
        (AT_DATES, "Inventories were $79.5 million in 1998.", "supported"),
        (AT_DATES, "Goodwill was $15.5 million in 1999.", "contradicted"),
        (ON_ITS_SIDE, "Operating leases are $587 in 2022.", "supported"),
        (ON_ITS_SIDE, "Operating leases are $578 in 2022.", "contradicted"),
        (NO_YEARS, "Pieces were 621 in 2018.", "insufficient"),
    ],
)
def test_a_year_in_wide_print_is_a_year(rows: list[list[str]], step: str, label: str) -> None:
    assert [one.label for one in verdicts(step, {"id": "p", "text": as_markdown(rows)})] == [label]
