"""Figures and lists in the documentation that the code, the data or lm-eval say: the text has to agree with them.

Figures that were measured stand in the pages with their command, version and date.
"""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterable

import pytest
import yaml
from repo import REPO

pytest.importorskip("lm_eval")
pytest.importorskip("inspect_ai")

from stepgauge.adapters.formats import rows as file_rows
from stepgauge.adapters.formats.detect import FORMATS
from stepgauge.adapters.formats.entries import Entry, Where
from stepgauge.adapters.formats.windows import WINDOW
from stepgauge.adapters.inspect.options import Options
from stepgauge.adapters.lm_eval.options import _OWN as OF_LM_EVAL
from stepgauge.adapters.offline.run import _ALL_FAILED, row
from stepgauge.adapters.report import page, page_data
from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.calibration import resampling
from stepgauge.metrics.calibration.table import FEWEST
from stepgauge.metrics.comparison import Settings
from stepgauge.metrics.comparison.measures import CONFOUNDERS, OUTCOMES, OVER_CONTROLS
from stepgauge.metrics.controls.copy_model import COPY_SHARE, VOCABULARY
from stepgauge.metrics.controls.texts import FILLER_LINES
from stepgauge.metrics.fitting.settings import AUGMENTATIONS, FitSettings
from stepgauge.metrics.format_version import FORMAT
from stepgauge.metrics.knowledge.arithmetic.extractor import MAX_SIGNS
from stepgauge.metrics.knowledge.chat.server_options import ServerOptions
from stepgauge.metrics.knowledge.claims.llm import MAX_STEP_CHARACTERS
from stepgauge.metrics.knowledge.claims.llm_reply import MAX_CLAIM, MAX_QUERY
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.reliance.corruption import MOST_MOVED
from stepgauge.metrics.reliance.requests import MOST_CHARACTERS
from stepgauge.metrics.retrieval import build, floors, known_items, words
from stepgauge.metrics.score import ChainScore
from stepgauge.metrics.servers.batch import _GIVE_UP_AFTER

SAMPLES = REPO / "tasks" / "samples"
GAUGE = [name for name in inspect.signature(Gauge).parameters if name != "progress"]
FIT, SERVER, COMPARED = FitSettings(), ServerOptions(), Settings()


def text_of(name: str) -> str:
    """A page's text in one line."""
    return " ".join((REPO / name).read_text(encoding="utf-8").split())


def sample(name: str) -> list[dict]:
    return [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]


def section(page: str, title: str) -> str:
    return (REPO / page).read_text(encoding="utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]


ARITHMETIC, MEDICAL, CORPUS = (sample(f"{name}.jsonl") for name in ("arithmetic", "medical", "corpus/medical"))
BY_LETTER = Counter(one["answer"] for one in MEDICAL)

SENTENCES = {
    "tasks/samples/README.md": (
        f"{len(ARITHMETIC) + len(MEDICAL)} questions are too few",
        f"| `arithmetic.jsonl` | {len(ARITHMETIC)} |",
        f"| `medical.jsonl` | {len(MEDICAL)} | multiple-choice questions on textbook facts, five for each letter A–D |",
        f"| `corpus/medical.jsonl` | {len(CORPUS)} |",
    ),
    "tasks/lm_eval/README.md": (f"the {len(ARITHMETIC)} word problems", f"the {len(MEDICAL)} four-option questions"),
    "docs/finished-runs.md": (
        f"together ({WINDOW})",
        f"`format`, a whole number; it is {FORMAT} now",
        f"every chain of a window of {_ALL_FAILED} or more fails",
    ),
    "docs/robustness.md": (
        f"the first {MAX_SIGNS:,} equals signs are judged",
        f"nested over {file_rows.DEEPEST} levels, or longer than {file_rows.LONGEST >> 20} MiB",
    ),
    "docs/reliance.md": (
        f"come to more than {MOST_CHARACTERS:,} characters",
        f"moved by 1 to {MOST_MOVED}, up or down",
    ),
    "docs/controls.md": (
        f"Filler is English: {len(FILLER_LINES)} lines",
        f"p(token | context) = {COPY_SHARE} · count / n + {1 - COPY_SHARE:.1f} / {VOCABULARY:,}",
        f"those of the window (`--window`, {WINDOW})",
    ),
    "docs/report.md": (
        f"kept below {page.MAX_BYTES / 1e6:.0f} MB",
        f"steps after {page_data.STEP:,} characters, questions after {page_data.QUESTION:,}, passages after "
        f"{page_data.PASSAGE:,}. The limits are {page_data.STEPS} steps per chain, {page_data.CLAIMS} claims per step "
        f"and {page_data.PASSAGES} passages per claim.",
    ),
    "docs/calibration.md": (
        f"the percentiles of up to {resampling.MOST:,} resamples",
        f"fewer than {resampling._DEFINED:.0%} of them".replace("%", " %"),
        f"| ECE | fewer than {FEWEST} responses |",
    ),
    "docs/corpora.md": (
        f"`--words` {build.WORDS} words that overlap by `--overlap` {build.OVERLAP}",
        f"at most {floors.KEPT:.0%} of the others reach it".replace("%", " %"),
        f"sentence of {known_items.ITEMS} passages",
        f"Lucene's {len(words._STOP_LIST.split())} English stop words",
    ),
    "docs/fitting.md": (
        f"`--epochs {FIT.epochs}`, `--patience {FIT.patience}`",
        f"`--batch {FIT.batch}`, `--rows {FIT.rows}`",
        f"(`--augment {' '.join(AUGMENTATIONS)}`, `--altered {FIT.altered}` copies per chain)",
        f"({FIT.peak_lr:.0e}; `--lora` {FitSettings(lora=True).peak_lr:.0e})".replace("e-0", "e-"),
    ),
    "docs/judges.md": (
        f"| `temperature`, `max_tokens` | {SERVER.temperature:g}, {SERVER.max_tokens} |",
        f"| `timeout` | {SERVER.timeout:g} |",
        f"| `max_retries`, `backoff` | {SERVER.max_retries}, {SERVER.backoff} |",
        f"| `concurrency` | {SERVER.concurrency} |",
        f"| {_GIVE_UP_AFTER} calls in a row failed |",
    ),
    "docs/claims.md": (
        f"a claim of {MAX_CLAIM} characters or a query of {MAX_QUERY} and more",
        f"a step of more than {MAX_STEP_CHARACTERS:,} characters",
    ),
    "docs/compare.md": (
        f"`--alpha` ({COMPARED.alpha})",
        f"{COMPARED.smallest_share} in accuracy or another share (`--smallest-share`), or {COMPARED.smallest_gain} "
        "standard deviations",
        f"a probability of {COMPARED.power} (`--power`)",
        f"`--resamples {COMPARED.resamples}` and `--seed {COMPARED.seed}`",
    ),
}


@pytest.mark.parametrize(("name", "sentence"), [(page, one) for page, some in SENTENCES.items() for one in some])
def test_a_figure_in_a_page_is_that_of_the_code(name, sentence):
    assert sentence in text_of(name)


def test_five_medical_questions_have_each_letter():
    assert set(BY_LETTER.values()) == {5}
    assert set(BY_LETTER) == set("ABCD")


def assert_all_named(names: Iterable[str], text: str) -> None:
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_option_of_a_task_stands_in_the_table_of_lm_evals_options():
    assert_all_named(["base", *OF_LM_EVAL, *GAUGE], section("tasks/lm_eval/README.md", "Options (`stepgauge:`)"))


@pytest.mark.parametrize("name", ["math", "leaderboard", "medical"])
def test_a_groups_page_names_what_its_row_holds_under_plain_lm_eval(name):
    group = yaml.safe_load((REPO / f"tasks/lm_eval/{name}/stepgauge_{name}.yaml").read_text().replace("!function ", ""))
    listed = [f"`{one['metric']}`" for one in group["aggregate_metric_list"]]
    held = f"{', '.join(listed[:-1])} and {listed[-1]}"
    assert re.search(
        rf"row (?:then weights by documents and )?holds {held}", text_of(f"tasks/lm_eval/{name}/README.md")
    )


def test_every_option_of_inspects_scorers_stands_in_their_table():
    assert_all_named(Options.__annotations__, section("docs/inspect.md", "Options"))


def test_every_format_of_finished_runs_stands_in_their_table():
    assert_all_named(FORMATS, section("docs/finished-runs.md", "What it reads"))


def test_every_field_of_a_scored_row_stands_on_the_page():
    trace = Trace("1 + 1?", "It is 2.", "2")
    score = ChainScore("a", trace.hash, [], [], None, {})
    written = row(Entry(Where("a.jsonl", 1), trace), score, None)
    assert_all_named(written, section("docs/finished-runs.md", "What it writes"))


@pytest.mark.parametrize(
    ("page", "kind"),
    [("docs/judges.md", "judges"), ("docs/claims.md", "extractors"), ("docs/corpora.md", "retrievers")],
)
def test_every_part_that_is_built_in_and_each_of_its_options_stand_on_its_page(page, kind):
    text = (REPO / page).read_text(encoding="utf-8")
    ours = {name: part for name, part in getattr(registry(), kind).items() if not registry().whose(kind, name)}
    for name, factory in ours.items():
        arguments = inspect.signature(factory).parameters.values()
        options = [one.name for one in arguments if one.kind is inspect.Parameter.KEYWORD_ONLY]
        assert_all_named([name, *options], text)


def test_every_row_of_a_comparison_stands_on_its_page():
    text = text_of("docs/compare.md")
    usual = [one for one in (*OUTCOMES, *CONFOUNDERS) if one not in OVER_CONTROLS.values()]  # those need an option
    labels = [one.label for one in usual]
    assert [label for label in labels if label not in text] == []
