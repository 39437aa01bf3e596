"""ContractNLI as a benchmark: what a perfect judge can do with what was found, and what a table of verdicts says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.knowledge import contractnli
from benchmarks.support.contracts import read_contracts


@pytest.mark.usefixtures("shared_data")
def test_a_perfect_judge_loses_only_what_was_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert contractnli.main(["--no-dense", "--limit", "2", "--judge-limit", "0"]) == 0
    rows = [[cell.strip() for cell in line.split("|")] for line in capsys.readouterr().out.splitlines()]
    perfect = [row for row in rows if "perfect" in row]
    assert [(row[1], row[3]) for row in perfect] == [
        ("all passages", "34"),
        ("given, k 5", "34"),
        ("given, k 10", "34"),
    ]
    of_all, of_five, of_ten = (float(row[4]) for row in perfect)
    assert of_all == 1
    assert 0 < of_five <= of_ten < 1


def test_all_of_its_contracts_and_labels_are_read(shared_data: Path) -> None:
    contracts = read_contracts(shared_data)
    labels = Counter(claim.label for contract in contracts for claim in contract.claims)
    assert (len(contracts), labels) == (61, {"supported": 519, "insufficient": 423, "contradicted": 95})


def test_figures_are_those_of_the_confusion() -> None:
    counts = Counter(
        {("supported", "supported"): 3, ("contradicted", "supported"): 1, ("insufficient", "insufficient"): 4}
    )
    counts["insufficient", contractnli.FAILED] = 2
    # Accuracy 7 of 10; F1 2·3 / (3 + 4), 0, 2·4 / (6 + 4).
    assert contractnli.figures(counts) == ["0.700", "0.857", "0.000", "0.800", "0.552"]
