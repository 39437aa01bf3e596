"""The domain checker of the documentation, on the facts that it was written for."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import blocks, shell
from repo import REPO

from benchmarks.knowledge.diversity import PLUGIN, load_plugin, measure, read_rows
from stepgauge.metrics import Gauge, Trace


def test_every_step_made_from_the_published_facts_is_decided_rightly(shared_data: Path) -> None:
    counts = measure(read_rows(shared_data)[:40])
    assert {(right, label) for _, right, label in counts} == {(True, "supported"), (False, "contradicted")}
    assert sum(counts.values()) == 40 * 6 * 2


@pytest.mark.parametrize(
    ("step", "label", "says"),
    [
        ("Ann's claims against Cy are $50,000 + $26,000 = $76,000, which exceeds $75,000.", "supported", "$76,000"),
        ("Ann's claims against Cy total $75,000.", "contradicted", "Ann v. Cy: $76,000"),
        ("$76,000 is not more than $75,000.", "contradicted", "$76,000 > $75,000"),
        ("Ann is a citizen of Ohio.", "supported", "Ohio"),
        ("There is complete diversity.", "contradicted", "on both sides: Ohio"),
        ("The amount in controversy requirement is met.", "supported", "$76,000"),
    ],
)
def test_sums_and_parties_are_read_off_the_question(step: str, label: str, says: str) -> None:
    facts = "Ann is from Ohio. Bo is from Iowa. Cy is from Ohio. "
    facts += "Ann and Bo both sue Cy for theft for $50,000 and fraud for $26,000."
    plugin = load_plugin()
    extractor = plugin.ClaimExtractor(plugin.KIND, plugin.extract)
    with Gauge(None, claims=[extractor], judges=[plugin.DiversityJudge()], splitter="lines") as gauge:
        (score,) = gauge.score([Trace(facts, f"{step}\nNothing of the kind is said here.")])
    (verdict,) = [one for of_step in score.steps for one in of_step.verdicts]
    assert verdict.label == label
    assert says in verdict.reason


def test_the_page_shows_the_checker_as_it_is() -> None:
    assert PLUGIN.read_text(encoding="utf-8") in (REPO / "docs" / "domain-checker.md").read_text(encoding="utf-8")
    assert len(PLUGIN.read_text(encoding="utf-8").splitlines()) < 80


def test_the_commands_of_the_page_show_what_it_says(tmp_path: Path) -> None:
    shown = blocks("docs/domain-checker.md")
    (chains,) = (body for language, body in shown if language == "json")
    (printed,) = (body for language, body in shown if language == "text")
    commands = [line for language, body in shown if language == "bash" for line in body.splitlines()]
    installed = tmp_path / "installed"
    about = installed / "stepgauge_diversity-0.1.dist-info"
    about.mkdir(parents=True)
    (installed / "stepgauge_diversity.py").write_text(PLUGIN.read_text(encoding="utf-8"), encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: stepgauge-diversity\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text("[stepgauge]\ndiversity = stepgauge_diversity\n")
    (tmp_path / "chains.jsonl").write_text(chains, encoding="utf-8")
    out = [shell(tmp_path, command, PYTHONPATH=str(installed), COLUMNS="160").stdout for command in commands]
    assert "stepgauge-diversity 0.1" in out[0]
    assert printed.strip() in out[1]
    assert out[2].count("→ supported") == 2
    assert "Ann v. Cy: $80,000" in out[2]
    assert "on both sides: Ohio" in out[2]
