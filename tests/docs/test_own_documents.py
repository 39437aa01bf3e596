"""Runs docs/own-documents.md as it stands there: real PDF, Word and HTML files to a KI with its judge's measure."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from commands import blocks, shell
from pdf_files import pdf
from repo import REPO
from scoring import rows

from stepgauge.metrics.models.cache import cache_dir

docx = pytest.importorskip("docx")

PAGE = "docs/own-documents.md"
FILES = {
    "anticoagulants.pdf": ("Warfarin", "Heparin", "Aspirin"),
    "diabetes.pdf": ("Insulin", "Metformin", "Sulfonylureas", "Glucagon"),
    "antibiotics.docx": ("Penicillins", "Vancomycin", "Aminoglycosides", "Fluoroquinolones"),
    "vitamins.html": ("Vitamin C and scurvy", "Thiamine deficiency", "Folate", "Vitamin D"),
}
SAID = {"right": 1.0, "wrong": 0.0}
WRONG = "Heparin is given by mouth"  # in the chains of the page


def guidelines(folder: Path) -> None:
    """The folder of the page, from the reference texts that come with stepgauge."""
    source = (REPO / "tasks" / "samples" / "corpus" / "medical.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {row["title"]: row["text"] for row in map(json.loads, source)}
    folder.mkdir()
    for name, titles in FILES.items():
        path = folder / name
        if name.endswith(".pdf"):
            path.write_bytes(pdf(*(texts[title] for title in titles)))
        elif name.endswith(".docx"):
            document = docx.Document()
            for title in titles:
                document.add_heading(title, 1)
                document.add_paragraph(texts[title])
            document.save(str(path))
        else:
            sections = "".join(f"<h2>{title}</h2><p>{texts[title]}</p>" for title in titles)
            path.write_text(f"<title>Vitamins</title>{sections}", encoding="utf-8")


def label(path: Path) -> dict[str, float]:
    """Fill in the column `human`; returns {claim: what was said}."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    for row in table:
        row["human"] = "wrong" if WRONG in row["claim"] else "right"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    return {row["claim"]: SAID[row["human"]] for row in table}


@pytest.fixture(scope="module")
def run(tmp_path_factory, smollm2) -> tuple[Path, list[tuple[str, str]], dict[str, float]]:
    """A user's folder, each command with what it printed, and what the person said of each claim."""
    smollm2.preflight()
    folder = tmp_path_factory.mktemp("user")
    guidelines(folder / "guidelines")
    cache = folder / "cache"  # without measures of other runs
    cache.mkdir()
    (cache / "models").symlink_to(cache_dir() / "models")
    printed, said = [], {}
    for language, body in blocks(PAGE):
        if language == "json":
            (folder / ("claims.jsonl" if '"label"' in body else "chains.jsonl")).write_text(body, encoding="utf-8")
        if language != "sh":
            continue
        if "--labels" in body:
            said = label(folder / "labels.csv")
        done = shell(folder, body, STEPGAUGE_CACHE=str(cache), COLUMNS="120")
        printed.append((body, done.stdout))
    return folder, printed, said


def of(run, start: str) -> list[str]:
    found = [text for body, text in run[1] if body.startswith(f"stepgauge {start}")]
    assert found
    return found


@pytest.mark.slow
def test_every_page_and_section_of_the_folder_is_a_passage_that_is_found(run):
    (printed,) = of(run, "corpus build")
    pieces = sum(map(len, FILES.values()))
    assert f"corpus: {pieces} documents, {pieces} chunks" in printed
    assert "corpus: every file is as it was built" in printed
    assert re.search(r"\d+ sentences of its own .*\n.* for 100\.0%", printed)


@pytest.mark.slow
def test_ki_and_the_three_answers_are_what_the_verdicts_say(run):
    folder, _, _ = run
    (printed,) = of(run, "score")
    shares = dict.fromkeys(("ki", "claims_supported", "claims_contradicted", "claims_not_covered"), 0.0)
    scored = rows(folder / "scores")
    for row in scored:
        labels = [verdict["label"] for step in row["score"]["steps"] for verdict in step["verdicts"]]
        assert len(labels) == 2  # the last step announces the answer
        found = {
            "ki": labels.count("supported") / 2,
            "claims_supported": labels.count("supported") / 2,
            "claims_contradicted": labels.count("contradicted") / 2,
            "claims_not_covered": labels.count("insufficient") / 2,
        }
        assert {name: row["score"]["metrics"][name] for name in found} == pytest.approx(found)
        shares = {name: value + found[name] / len(scored) for name, value in shares.items()}
    lines = printed.splitlines()
    top = next(i for i, line in enumerate(lines) if "ki_coverage" in line)
    names = lines[top].removeprefix("input, task, model").replace("before answer", "before_answer").split()
    (values,) = (line.split()[1:] for line in lines[top : top + 3] if line.startswith("chains.jsonl"))
    assert float(dict(zip(names, values, strict=True))["ki"]) == pytest.approx(shares["ki"], abs=5e-4)
    assert "ki: policy default" in printed
    assert "judge lm:smollm2:plain: not measured on your domain (stepgauge judge-check)" in printed


@pytest.mark.slow
def test_a_verdict_names_the_page_of_the_pdf_that_it_rests_on(run):
    folder, _, _ = run
    by_id = {row["id"]: row for row in rows(folder / "scores")}
    pages = {
        number: {
            verdict["evidence"][0]["id"] for step in by_id[number]["score"]["steps"] for verdict in step["verdicts"]
        }
        for number in by_id
    }
    assert pages == {
        "1": {"anticoagulants.pdf#page=1"},
        "2": {"anticoagulants.pdf#page=2"},
        "3": {"diabetes.pdf#page=3", "diabetes.pdf#page=2"},
    }
    assert "anticoagulants.pdf#page=2)" in of(run, "show")[0]


@pytest.mark.slow
def test_the_measure_stands_under_the_ki_once_the_judge_was_checked(run):
    before, after = of(run, "show")
    (checked,) = of(run, "judge-check")
    (auroc,) = re.findall(r"^AUROC +(\S+ \[\S+ \S+\])", checked, re.MULTILINE)
    assert "judge lm:smollm2:plain: not measured on your domain" in before
    assert f"judge lm:smollm2:plain: AUROC {auroc} on claims.jsonl, 6 claims" in after


@pytest.mark.slow
def test_ki_corrected_by_labels_of_every_step_is_what_the_person_said(run):
    _, _, said = run
    assert len(said) == 6
    (printed,) = (text for body, text in run[1] if "--labels" in body)
    (corrected,) = re.findall(r"^KI +\S+ \[.*?\] +(\.\d+|1\.00) \[", printed, re.MULTILINE)
    assert float(corrected) == pytest.approx(sum(said.values()) / 6, abs=0.005)
