"""`stepgauge judge-check`: a user's own labelled claims and public sets, what is printed and kept, and wrong input."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import ChatServer, claim_of, verdict
from ctrl_c import pressing_ctrl_c
from scoring import write_jsonl
from tiny_classifiers import make_classifier
from tiny_verifiers import Oracle, token_classifier

from stepgauge.adapters.cli import main

SUMS = [("2 + 2 = 4", "right"), ("3 * 5 = 15", "right"), ("7 - 9 = 2", "wrong"), ("10 / 4 = 2.5", "supported")]
SUMS += [("1 + 1 = 3", "contradicted"), ("6 * 7 = 41", "wrong"), ("9 - 4 = 5", "right"), ("2^3 = 8", "right")]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STEPGAUGE_DATA", raising=False)


def sums(folder: Path) -> Path:
    rows = [{"claim": text, "label": label, "kind": "equation", "id": f"s{i}"} for i, (text, label) in enumerate(SUMS)]
    return write_jsonl(folder / "sums.jsonl", rows)


def check(*arguments: object) -> int:
    return main(["judge-check", *map(str, arguments)])


def test_a_users_own_claims_measure_a_judge_in_every_format(tmp_path, capsys):
    path = sums(tmp_path)
    assert check("--judges", "exact", "--on", path, "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["judges"]
    assert found["auroc"]["value"] == 1
    assert found["as_set"]["recall_wrong"]["value"] == 1
    assert found["said"] == {
        "contradicted": {"contradicted": 1},
        "right": {"supported": 4},
        "supported": {"supported": 1},
        "wrong": {"contradicted": 2},
    }
    assert check("--judges", "exact", "--on", path) == 0
    assert "judges on sums.jsonl" in capsys.readouterr().out
    assert check("--judges", "exact", "--on", path, "--format", "markdown") == 0
    assert "| AUROC | 1.00" in capsys.readouterr().out
    assert check("--judges", "exact", "--on", path, "--format", "csv") == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["judge"], row["claims"], row["auroc.value"]) == ("exact", "8", "1.0")


def test_csv_and_jsonl_say_the_same(tmp_path, capsys):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["claim", "label", "kind"])
    writer.writerows([f"'{claim}" if claim.startswith("-") else claim, label, "equation"] for claim, label in SUMS)
    (tmp_path / "sums.csv").write_text("\ufeff" + text.getvalue(), encoding="utf-8")
    numbers = []
    for path in (sums(tmp_path), tmp_path / "sums.csv"):
        assert check("--judges", "exact", "--on", path, "--format", "json") == 0
        (found,) = json.loads(capsys.readouterr().out)["judges"]
        numbers.append([found[name] for name in ("claims", "right", "auroc", "brier", "fitted", "as_set", "said")])
    assert numbers[0] == numbers[1]


def test_a_claim_that_stands_in_many_rows_is_evidence_once(tmp_path, capsys):
    # Ten copies of two sums, of which the judge gets one right each.
    claims = [{"claim": f"2 + 2 = {n}", "label": "right", "kind": "equation"} for n in (4, 5)] * 10
    path = write_jsonl(tmp_path / "copies.jsonl", claims)
    assert check("--judges", "exact", "--on", path, "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)["judges"]
    assert found["documents"] == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"claim": "x", "label": "maybe"}', "row 1, field 'label': got 'maybe'"),
        ("a.jsonl", '{"claim": "x", "label": "right"}\n{"label": "right"}', "row 2, field 'claim': expected text"),
        ("a.jsonl", '{"claim": "x", "label": "right", "passages": 3}', "field 'passages': expected a text or a list"),
        ("a.jsonl", '{"claim": "x", "label": "right", "passages": [3]}', "field 'passages', number 1"),
        ("a.jsonl", '{"claim": "x", "label": "right", "kind": "y"}', "field 'kind': got 'y'"),
        ("a.jsonl", "{", "row 1: not JSON"),
        ("a.jsonl", "", "no labelled claim in it"),
        ("a.csv", "claim,verdict\nx,right", "row 1: no column 'label'"),
        ("a.csv", "claim,label\nx", "row 2: 1 cells, expected 2"),
        ("a.csv", 'claim,label\n"x', "not CSV"),
        ("a.csv", "claim,label,label\nx,right,wrong", "row 1: the column 'label' is there twice"),
        ("a.csv", b"claim,label\n\xff,right", "not UTF-8"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_row_and_field(name, content, said, tmp_path, capsys):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert check("--judges", "exact", "--on", path) == 2
    error = capsys.readouterr().err
    assert said in error
    assert str(path) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--judges", "exact", "--on", "scifact"], "--data DIR (or STEPGAUGE_DATA) is needed"),
        (["--judges", "exact", "--on", "scifact", "--data", "."], "no scifact-rte/dev.tsv in ."),
        (["--judges", "exact", "--on", "scifat"], "did you mean 'scifact'?"),
        (["--judges", "exactt", "--on", "SUMS"], "did you mean 'exact'?"),
        (["--judges", "{", "--on", "SUMS"], "not JSON"),
        (["--judges", '{"name": "lm", "treshold": 1}', "--on", "SUMS"], "did you mean 'threshold'?"),
        (["--judges", "exact", "--on", "SUMS", "--move", "-1"], "--move -1"),
        (["--judges", "exact", "--on", "nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments, said, tmp_path, capsys):
    path = sums(tmp_path)
    assert check(*(path if one == "SUMS" else one for one in arguments)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_damaged_public_set_says_which_file(tmp_path, capsys):
    (tmp_path / "mrben").mkdir()
    (tmp_path / "mrben" / "medicine.json").write_text('{"q": [{"Question": 3}]}', encoding="utf-8")
    assert check("--judges", "exact", "--on", "mrben", "--data", tmp_path) == 2
    assert "medicine.json: not mrben as" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scifact", "medec", "contractnli", "mrben", "prmbench"])
def test_every_public_set_is_read_with_its_labels(name, shared_data):
    from stepgauge.adapters.labelled.sets import SETS, read_set

    items = read_set(name, shared_data)
    right = [one for item in items for one in item.right]
    counts = {"scifact": (138, 71), "medec": (319, 319), "contractnli": (519, 518), "mrben": (1160, 570)}
    assert (right.count(True), right.count(False)) == counts.get(name, (1155, 254))
    for item in items:
        assert len(item.steps) == len(item.right) == len(item.labels)
    if not SETS[name].claims:
        assert sum(not item.trace.meta["passages"] for item in items) <= len(items) / 100
    if name == "contractnli":
        truth = [label for item in items for label in item.labels]
        assert {label: truth.count(label) for label in set(truth)} == {
            "supported": 519,
            "not covered": 423,
            "contradicted": 95,
        }
        assert len({item.group for item in items}) == 61


def test_a_step_verifier_is_measured_on_whole_steps_beside_a_judge_of_equations(tmp_path, capsys, shared_data):
    from sklearn.metrics import roc_auc_score

    from stepgauge.adapters.labelled.sets import read_set
    from stepgauge.metrics.judge_check.items import drawn

    items = drawn(read_set("prmbench", shared_data), 4)
    folder = token_classifier(tmp_path / "tiny", "llama", [step.text for item in items for step in item.steps])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}), encoding="utf-8")
    judge = json.dumps({"name": "prm", "model": str(folder), "device": "cpu"})
    data = ["--on", "prmbench", "--data", shared_data, "--limit", 4]
    assert check("--judges", "exact", judge, *data, "--format", "json") == 0
    exact, found = json.loads(capsys.readouterr().out)["judges"]
    right = [one for item in items for one in item.right]
    assert exact["claims"] == found["claims"] == found["cost"]["claims"] == len(right)
    assert found["unscored"] == 0 < exact["unscored"], found["missing"]
    oracle = Oracle(folder, "token-classification")
    own = [p for item in items for p in oracle.right(item.trace.question, [step.text for step in item.steps])]
    assert found["auroc"]["value"] == pytest.approx(roc_auc_score(right, own), abs=1e-3)


def test_what_was_measured_stands_under_the_ki_of_later_scores_and_of_compare(tmp_path, capsys):
    pytest.importorskip("openai")
    facts = [("Insulin lowers glucose.", "right"), ("Insulin raises glucose.", "wrong"), ("Iron is a metal.", "right")]
    facts += [("Iron is a gas.", "wrong"), ("Water is wet.", "right"), ("Water is dry.", "wrong")]
    rows = [
        {"claim": claim, "label": label, "passages": [claim.split()[0]], "document": claim.split()[0]}
        for claim, label in facts
    ]
    path = write_jsonl(tmp_path / "facts.jsonl", rows)
    right = {claim for claim, label in facts if label == "right"}

    def answer(request):
        told = claim_of(request)
        return verdict("supported", 0.9) if told in right else verdict("contradicted", 0.2)

    chains = write_jsonl(
        tmp_path / "chains.jsonl",
        [{"question": f"q{i}?", "response": claim, "answer": "x", "meta": {"passages": ["p"]}} for i, (claim, _) in
         enumerate(facts)],
    )  # fmt: skip
    with ChatServer(answer) as server:
        judge = json.dumps({"name": "openai", "model": "m", "base_url": server.base_url, "cache": "off"})

        def score(out: str) -> str:
            sets = ["--set", 'claims=["sentence"]', "--set", f"judges=[{judge}]", "--set", "retriever=given"]
            assert main(["score", str(chains), "--scorer", "null", "--out", str(tmp_path / out), *sets]) == 0
            return capsys.readouterr().out

        assert "judge openai:m: not measured on your domain" in score("before")
        assert check("--judges", judge, "--on", path, "--move", 2) == 0
        printed = capsys.readouterr().out
        assert "tokens" in printed
        # Six chains; six claims, and two of them in four other forms, of which some are one once orders are taken out.
        assert 12 < len(server.requests) <= 12 + 2 * 4
        line = "judge openai:m: AUROC 1.00 on facts.jsonl, 6 claims"
        assert line in score("after")
    summary = json.loads((tmp_path / "after" / "summary.json").read_text(encoding="utf-8"))
    assert summary["groups"][0]["judges"] == [line]
    assert main(["show", str(tmp_path / "after")]) == 0
    assert line in capsys.readouterr().out
    assert main(["compare", f"a={tmp_path / 'before'}", f"b={tmp_path / 'after'}", "--width", "200"]) == 0
    assert line in capsys.readouterr().out


def test_a_judge_that_scored_no_claim_leaves_the_earlier_measure(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STEPGAUGE_CACHE", str(tmp_path / "cache"))
    path = sums(tmp_path)
    assert check("--judges", "exact", "--on", path) == 0
    (kept,) = (tmp_path / "cache" / "judge-measures").rglob("*.json")
    before = kept.read_bytes()
    # No equation in it: `exact` takes none of these claims.
    write_jsonl(path, [{"claim": "Iron is a metal.", "label": "right"}, {"claim": "Iron is a gas.", "label": "wrong"}])
    assert check("--judges", "exact", "--on", path) == 0
    assert "no claim has a score" in " ".join(capsys.readouterr().out.split())
    assert kept.read_bytes() == before


def test_of_two_measures_on_the_same_claims_the_one_on_more_is_kept(tmp_path, caplog):
    path = sums(tmp_path)
    assert check("--judges", "exact", "--on", path) == 0
    (kept,) = (tmp_path / "cache" / "judge-measures").rglob("*.json")
    before = kept.read_bytes()
    assert check("--judges", "exact", "--on", path, "--limit", 5) == 0
    assert kept.read_bytes() == before
    assert "judge exact on sums.jsonl: kept is the earlier measure on 8 scored claims (" in caplog.text
    assert "not this one on 5" in caplog.text
    caplog.clear()
    # Other claims under the same name: what was measured before says nothing of them.
    write_jsonl(path, [{"claim": text, "label": label, "kind": "equation"} for text, label in SUMS[:6]])
    assert check("--judges", "exact", "--on", path, "--limit", 4) == 0
    assert json.loads(kept.read_text(encoding="utf-8"))["claims"] == 4
    assert check("--judges", "exact", "--on", path) == 0
    assert json.loads(kept.read_text(encoding="utf-8"))["claims"] == 6
    assert "kept is" not in caplog.text


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
@pytest.mark.parametrize(
    ("labels", "clash"),
    [
        (["right", "wrong"], True),
        (["supported", "contradicted"], True),
        (["contradicted", "not covered"], True),
        (["right", "right"], False),
        (["supported", "right"], False),
        (["wrong", "contradicted", "wrong"], False),
        (["not covered", "wrong"], False),
    ],
)
def test_a_claim_labelled_both_ways_is_one_error_that_names_both_rows(labels, clash, suffix, tmp_path, capsys):
    rows = [{"claim": "Iron is a metal.", "passages": "Iron rusts.", "label": label} for label in labels]
    rows.insert(1, {"claim": "Iron is a metal.", "passages": "Gold shines.", "label": "wrong"})  # other passages
    path = tmp_path / f"claims.{suffix}"
    if suffix == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
    else:
        write_jsonl(path, rows)
    first = 1 if suffix == "jsonl" else 2
    assert check("--judges", "exact", "--on", path, "--no-keep") == (2 if clash else 0)
    error = capsys.readouterr().err
    said = f"{path}, row {first + 2}, field 'label': {labels[1]!r}, but row {first} has the same claim"
    assert (said in error) == clash
    if clash:
        assert f"as {labels[0]!r}" in error
        assert error.count("\n") == 1


def test_two_judges_are_measured_side_by_side_with_their_agreement(tmp_path, capsys, shared_data):
    folders = [make_classifier(tmp_path / name, "bert", ["a claim and its passage"]) for name in ("one", "two")]
    judges = [json.dumps({"name": "nli", "model": str(folder)}) for folder in folders]
    limits = ["--data", shared_data, "--limit", 8, "--move", 3]
    assert check("--judges", *judges, "--on", "scifact", *limits, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["judge"] for one in found["judges"]] == ["nli:one", "nli:two"]
    for one in found["judges"]:
        assert one["documents"] == 8
        assert one["moved"]["reworded"]["value"] is not None
        assert one["cost"]["seconds"] > 0
    (pair,) = found["agreement"]
    assert pair["judges"] == ["nli:one", "nli:two"]


def test_an_interrupted_check_asks_a_paid_judge_for_the_rest_alone(tmp_path, capsys):
    pytest.importorskip("openai")
    facts = [f"Fact {i} holds." for i in range(80)]  # three batches of claims
    rows = [
        {"claim": claim, "label": ("right", "wrong")[i % 2], "passages": [f"Passage {i}."], "document": str(i)}
        for i, claim in enumerate(facts)
    ]
    path = write_jsonl(tmp_path / "facts.jsonl", rows)
    well = threading.Event()

    def answer(request):
        claim = claim_of(request)
        number = int(claim.split()[1])
        if number >= 50 and not well.is_set():
            return replace(verdict("supported", 0.9), delay=600)
        return verdict("supported", 0.9) if number % 2 == 0 else verdict("contradicted", 0.2)

    with ChatServer(answer) as server:
        judge = json.dumps({"name": "openai", "model": "m", "base_url": server.base_url, "concurrency": 4})
        given = ("--judges", judge, "--on", path, "--move", 0, "--format", "json")

        def answered() -> bool:
            return len(server.requests) == 50 + 4  # all that may be in flight at once hang, the others have their reply

        begun = time.monotonic()
        with pressing_ctrl_c(answered):
            assert check(*given) == 130
        assert time.monotonic() - begun < 60
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stepgauge: ")]
        assert "judge openai:m, after " in line
        assert line.endswith("its replies are kept, and the same command asks for the others alone")
        assert not list((tmp_path / "cache").glob("judge-measures/**/*.json"))
        well.set()
        before = len(server.requests)
        assert check(*given) == 0
        (found,) = json.loads(capsys.readouterr().out)["judges"]
        again = [claim_of(request) for request in server.requests[before:]]
        assert sorted(again) == sorted(facts[50:])  # each once, and none of those that were paid for
        assert (found["claims"], found["unscored"], found["auroc"]["value"]) == (80, 0, 1.0)
        # What a claim costs is that of those that were asked for; the time of the others is not known.
        assert (found["cost"]["calls"], found["cost"]["tokens"]) == (1, 110)
        assert "seconds" not in found["cost"]
        assert found["missing"] == {"cost in seconds": "50 of 80 claims took no call of their own (cache)"}
        assert check(*given) == 0
        assert len(server.requests) == before + 30
        (found,) = json.loads(capsys.readouterr().out)["judges"]
        assert found["cost"] == {"claims": 80}
