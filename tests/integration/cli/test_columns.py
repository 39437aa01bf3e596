"""The columns of every door: what options add is added in each of them, and `stepgauge metrics` lists what there is."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
from columns import NUMBER, REASONING, assert_numbers, score_table
from repo import REPO
from scoring import score, traces, write_jsonl

from stepgauge.adapters.cli import main
from stepgauge.metrics import Gauge
from stepgauge.metrics.knowledge.types import Verdict
from stepgauge.metrics.plugins import load_plugins, registry

OPTIONS: dict[str, Any] = {"variant": "reference", "controls": ["filler"]}
ADDED = {
    "infogain_reference",
    "infogain_reference_before_answer",
    "gain_over_filler",
    "gain_over_filler_before_answer",
}


def in_lm_eval(options: dict[str, Any]) -> set[str]:
    from scripted_lm import documents

    from stepgauge.adapters.lm_eval import StepTask

    config = {
        "task": "sums",
        "custom_dataset": documents([{"question": "1 + 1?", "answer": "2"}]),
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "exact_match"}],
        "stepgauge": options,
    }
    found = set(StepTask(config=config).aggregation())
    return {name for name in found if not name.endswith("_stderr")} - {"exact_match", "n_unscored"}


def in_inspect(options: dict[str, Any], tmp_path: Path) -> dict[str, float]:
    """The mean of each column."""
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    from stepgauge.adapters.inspect import reasoning

    output = ModelOutput.from_content("mockllm/model", "One more.\n1 + 1 = 2\nThe answer is 2.")
    output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)  # else a tokenizer is fetched to count
    task = Task(dataset=[Sample(input="1 + 1?", target="2")], scorer=reasoning(**options))
    (log,) = inspect_eval(
        task, model=get_model("mockllm/model", custom_outputs=[output]), log_dir=str(tmp_path), display="none"
    )
    assert log.status == "success"
    return {column.name: column.metrics["mean"].value for column in log.results.scores}


def in_table_of_runs(page: str) -> dict[str, float]:
    """The numbers of the report's first run, by what their columns are called."""
    table = page[page.index('<table class="numbers runs">') :]
    names = re.findall(r'<th scope="col" class="n">(?:<button.*?>)?([^<]+)<?', table[: table.index("</thead>")])
    row = table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))]
    cells = re.findall(rf'<td class="n"[^>]*>({NUMBER}|–).*?</td>', row)
    return {
        name: float(cell.replace("−", "-").replace(",", "")) if cell != "–" else math.nan
        for name, cell in zip(names, cells, strict=True)
    }


def test_options_add_the_same_columns_in_lm_eval_inspect_score_show_and_report(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(3))
    out = tmp_path / "out"
    assert score(source, "--out", out, "--set", "variant=reference", "--controls", "filler") == 0
    said = capsys.readouterr().out
    (row,) = score_table(said)
    assert_numbers(row, {*REASONING, *ADDED} - {"gain_over_filler", "gain_over_filler_before_answer"})
    assert re.search(r"^in\.jsonl +3 ", said, re.M), "names stay where numbers need more room than there is"
    assert said.count("infogain_reference") == 2
    assert re.search(r"^gain_over_filler +[-+]\d", said, re.M)
    assert "…" not in said

    assert main(["show", str(out)]) == 0
    shown = capsys.readouterr().out
    for name in ("infogain_reference", "gain_over_filler"):
        assert re.search(rf"^{name} [-+]?\d+\.\d+  before the answer ([-+]?\d|–)", shown, re.M), name

    assert main(["report", f"run={out}", "-o", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert_numbers(in_table_of_runs(page), ADDED)

    assert in_lm_eval(OPTIONS) == {*REASONING, *ADDED}
    inspect = in_inspect({**OPTIONS, "backend": "cheap"}, tmp_path)
    assert set(inspect) == {*REASONING, *ADDED}
    assert_numbers(inspect, inspect)


def test_without_a_scoring_lm_columns_that_need_one_are_shown_by_inspect_alone_and_are_empty(tmp_path, capsys):
    source = write_jsonl(tmp_path / "in.jsonl", traces(2))
    assert score(source, "--out", tmp_path / "out", "--set", "scorer=null", "--set", "variant=reference") == 0
    assert "infogain" not in capsys.readouterr().out
    options = {**OPTIONS, "scorer": None}
    assert in_lm_eval(options) == {"ki", "ki_coverage"}
    inspect = in_inspect(options, tmp_path)
    assert set(inspect) == {*REASONING, *ADDED}
    assert {name for name, mean in inspect.items() if math.isfinite(mean)} == {"ki", "ki_coverage"}


@pytest.mark.parametrize("width", [80, 160])
def test_metrics_lists_every_number_whole_at_any_width(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["metrics"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    listed = [match[1] for line in lines if (match := re.match(r"  (\w+)  [\w/]+, ", line))]
    gauge = Gauge(scorer=None, variant="reference", controls=["filler", "foreign", "shuffled"])
    assert set(gauge.metric_info()) <= set(listed)
    assert {"tokens", "ppl_0", "infogain_same_length"} <= set(listed)
    assert len(listed) == len(set(listed))


def test_the_docs_page_of_numbers_is_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.setattr("stepgauge.adapters.cli.metrics.registry", lambda: load_plugins(""))
    assert main(["metrics", "--markdown"]) == 0
    page = (REPO / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out, (
        "stale: STEPGAUGE_LOAD_PLUGINS= stepgauge metrics --markdown > docs/metrics.md"
    )


class EverythingHolds:
    """A judge of sentences that asks nobody."""

    name, kinds, needs_evidence = "holds", ("sentence",), False

    def judge(self, claims, evidence):
        del evidence
        return [Verdict(claim, "supported", self.name) for claim in claims]


def test_every_table_says_where_ki_rests_on_equations_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(registry().judges, "holds", lambda _: EverythingHolds())
    response = "48 / 2 = 24.\nIron is a metal, found in the crust of the earth.\n48 + 24 = 73."
    chains = [{"question": f"How many are {n}?", "response": response, "answer": "72", "id": str(n)} for n in range(8)]
    source = write_jsonl(tmp_path / "traces.jsonl", chains)
    for name, options, said in (
        ("equations", ['claims=["arithmetic"]'], 4),
        ("sentences without a judge", ['claims=["arithmetic", "sentence"]'], 4),
        ("sentences", ['claims=["arithmetic", "sentence"]', 'judges=["exact", "holds"]'], 0),
    ):
        folder, page = tmp_path / name, tmp_path / f"{name}.html"
        given = [part for option in ("scorer=null", *options) for part in ("--set", option)]
        assert main(["score", str(source), "--out", str(folder), *given]) == 0
        assert main(["show", str(folder)]) == 0
        assert main(["compare", f"a={folder}", f"b={folder}", "--resamples=999"]) == 0
        assert main(["report", str(folder), "--out", str(page)]) == 0
        printed = " ".join(capsys.readouterr().out.split())
        assert printed.count("arithmetic only") == said, printed
        assert ("arithmetic only" in page.read_text(encoding="utf-8")) == (said > 0)
