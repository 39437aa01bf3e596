"""The report as a file: what stands in it without JavaScript, what hostile text does to it, its size, its plots."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_runs import BASE, EVIL, PROVENANCE, TUNED, chain, comparison, hostile, record, recorded

from stepgauge.adapters.report import ReportError, figures, write_figures, write_report
from stepgauge.metrics.columns import METRICS
from stepgauge.metrics.comparison import Row, Run
from stepgauge.metrics.score import ChainScore, StepScore

CHARTS = ("likelihood", "step_gains", "accuracy_infogain", "ki")


class Parsed(HTMLParser):
    """Elements, attributes and text of a page, as a browser that runs no script sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self.code: list[str] = []
        self._inside: tuple[str, str | None] | None = None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("script", "style"):
            self._inside = (tag, dict(attrs).get("id"))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data):
        if self._inside is None:
            self.text += data
        elif self._inside[1]:
            self.scripts[self._inside[1]] = data
        else:
            self.code.append(data)


def page_of(tmp_path: Path, runs, comparisons=(), **options) -> Parsed:
    out = tmp_path / "report.html"
    write_report(runs, comparisons, out, **options)
    return Parsed(out.read_text(encoding="utf-8"))


def texts_in(page: Parsed) -> dict[int, dict]:
    lines = gzip.decompress(base64.b64decode(page.scripts["details-data"])).decode().splitlines()
    return {question["k"]: question for question in map(json.loads, lines)}


def rows_in(page: Parsed) -> list[dict]:
    return json.loads(gzip.decompress(base64.b64decode(page.scripts["table-data"])))["rows"]


def made(name: str = "base", n: int = 6, seed: int = 0, **fields) -> Run:
    rng = random.Random(seed)
    chains = [chain([f"Step {i}.", "1 + 1 = 2", "The answer is 2."], rng) for i in range(n)]
    defaults = {"accuracy": {"correct": 1.0}, "answer": ["2"], "subject": "math"}
    return Run(name, [record(f"Question {i}?", one, **{**defaults, **fields}) for i, one in enumerate(chains)])


def test_the_verdict_and_its_numbers_stand_in_the_page_without_javascript(tmp_path):
    base, tuned = made(), made("tuned", seed=1)
    page = page_of(tmp_path, [base, tuned], [comparison(base, tuned, ["easy", "hard"])])
    words = " ".join(page.text.replace("\xa0", " ").split())
    assert "⚠ trap" in words
    assert (
        "Accuracy rose by 6.3 points (Holm p 0.012) while “Gain of the whole chain” fell by 0.49 (Holm p 0.0008)."
        in words
    )
    assert "Chains got longer." in words
    assert "About 2,300 questions would be needed." in words
    assert "3 questions unpaired." in words
    assert "“Gain of the whole chain” does not decide." in words
    for line in (
        "accuracy (correct) 500 480 44.1 % 50.4 % ▲ +6.3 pp +14.3 % +2.0 to +11.0 pp 0.004 0.012",
        "Gain as published PPL 498 478 1,523 12 −1,511 −99.2 % −9,000 to +4 0.610 1.000",
        "Gain of the whole chain nats 498 478 1.31 0.82 ▼ −0.49 −37.4 % −0.70 to −0.28 < 0.001 < 0.001",
        "Surprise at the answer before any step PPL 498 478 12.30 12.30 0.00 0.0 % 0.00 to 0.00 – –",
    ):
        assert line in words
    outcomes, confounders = words.index("Deciding, tested"), words.index("confounders, not tested")
    assert outcomes < words.index("Gain of the whole chain nats 498") < confounders
    assert confounders < words.index("Surprise at the answer before any step PPL 498")
    assert "Gain as published: 2 questions, no gold answer" in words


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (Row("m", "m", "share", n=1, n_clusters=1, base=0.5, tuned=0.49996, difference=-0.00004), "0.0 pp"),
        (Row("m", "m", "nats", n=1, n_clusters=1, base=1e9, tuned=0.0, difference=-1e9), "−1.00 × 10⁹"),
        (Row("m", "m", "nats", n=1, n_clusters=1, base=0.012, tuned=0.5, difference=0.488), "+0.488"),
        (Row("m", "m", "nats", n=1, n_clusters=1, base=0.0, tuned=1.0, relative=float("nan")), "1.00"),
        (Row("m", "m", "nats", n=1, n_clusters=1, base=0.01, tuned=9.0, relative=899.0), "> 9,999 %"),
    ],
)
def test_numbers_keep_their_sign_and_size_readable(tmp_path, row, shown):
    runs = [made(), made("tuned")]
    made_up = comparison(*runs)
    part = made_up.tasks[0].__class__(**{**made_up.tasks[0].__dict__, "rows": [row]})
    page = page_of(tmp_path, runs, [made_up.__class__(**{**made_up.__dict__, "tasks": [part]})])
    assert shown in page.text.replace("\xa0", " ")


def test_a_page_asks_for_nothing_from_elsewhere_and_its_policy_allows_its_own_scripts_alone(tmp_path):
    page = page_of(tmp_path, [made()])
    links = [
        value for _, name, value in page.attributes if name in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert links
    assert all(link.startswith("#") or link == "data:," for link in links)
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and "default-src" in value)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 3  # the library, our script, our style
    assert not [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]


def test_hostile_text_adds_no_element_no_attribute_and_no_script(tmp_path):
    runs, comparisons = hostile()
    out = tmp_path / "page.html"
    write_report(runs, comparisons, out, title=EVIL[1])
    page = Parsed(out.read_text(encoding="utf-8"))
    plain = page_of(tmp_path, [made(), made("tuned")], [comparison(made(), made("tuned"), ["a", "b"])])
    assert set(page.tags) <= set(plain.tags) | {"ul", "li", "bdi"}
    assert page.tags.count("script") == 5
    assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in plain.attributes}
    assert page.code[1:] == plain.code[1:]  # the style stands first; the scripts hold no data
    assert not [value for _, name, value in page.attributes if name == "href" and "javascript" in value]
    raw = out.read_text(encoding="utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", raw.replace(page.code[1], ""))
    assert "x" * 10_000 not in raw
    assert len(raw) < 2_000_000
    steps = texts_in(page)[11]["r"][0]["s"]
    assert steps[0]["t"].endswith("… [996,000 more characters left out]")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", id="Persian"),
        pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", id="family"),
        pytest.param("Donau\u00addampf\u00adschiff", id="soft hyphen"),
    ],
)
def test_words_of_every_script_stay_whole(tmp_path, text):
    run = Run(text, [record(text, chain([text], random.Random(0)))])
    page = page_of(tmp_path, [run])
    assert text in page.text
    assert rows_in(page)[0]["q"] == texts_in(page)[0]["q"] == texts_in(page)[0]["r"][0]["s"][0]["t"] == text


@pytest.mark.slow
def test_the_same_runs_make_the_same_bytes(tmp_path):
    for name in ("one.html", "two.html"):
        write_report([made(), made("tuned", seed=1)], [comparison(made(), made("tuned"))], tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.html", "two.html"}


@pytest.mark.parametrize(
    ("runs", "comparisons", "said"),
    [
        ([], [], "at least one run"),
        ([Run("a", [], "out/a")], [], "out/a: the run 'a' holds no scored chain"),
        ([made("a")], [comparison(made("a"), made("b"))], "names the run 'b'; the report has 'a'"),
    ],
)
def test_what_cannot_be_reported_is_one_clear_error_and_leaves_no_file(tmp_path, runs, comparisons, said):
    with pytest.raises(ReportError, match=re.escape(said)):
        write_report(runs, comparisons, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_missing_extra_names_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    for call in (lambda: write_report([made()], [], tmp_path / "r.html"), lambda: figures([made()])):
        with pytest.raises(ReportError, match=re.escape("vl-convert-python: pip install 'stepgauge[report]'")):
            call()


@pytest.mark.slow
def test_a_thousand_real_chains_with_passages_stay_under_five_megabytes(tmp_path, shared_data):
    runs = recorded(shared_data, 500, passage=True)
    page = page_of(tmp_path, runs, [comparison(*runs)])
    assert (tmp_path / "report.html").stat().st_size < 2_500_000
    assert len(texts_in(page)) == len(rows_in(page)) == 500
    assert "The texts of" not in page.text


@pytest.mark.slow
def test_of_too_many_chains_the_page_holds_all_rows_and_the_texts_that_matter_most(tmp_path):
    letters = random.Random(1)
    n, worst = 700, 650

    def text() -> str:
        return "".join(letters.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=1500))

    def run(name: str, loss: float) -> Run:
        chains = [chain([text() for _ in range(4)], random.Random(i)) for i in range(n)]
        levels = {"infogain_nats": 1 - loss}
        chains[worst] = ChainScore(**{**chains[worst].__dict__, "metrics": {**chains[worst].metrics, **levels}})
        return Run(name, [record(f"Question {i}", one, accuracy={"correct": 1.0}) for i, one in enumerate(chains)])

    page = page_of(tmp_path, [run("base", 0), run("tuned", 50)])
    texts = texts_in(page)
    assert (tmp_path / "report.html").stat().st_size <= 5_000_000
    assert len(rows_in(page)) == n
    assert 300 < len(texts) < n
    assert worst in texts
    assert f"The texts of {len(texts):,} of them are on this page" in page.text


def test_repeats_of_a_question_are_rows_of_their_own_and_pair_in_order(tmp_path):
    rng = random.Random(0)

    def run(name: str, times: int) -> Run:
        return Run(name, [record("Same?", chain([f"{name} {i}"], rng)) for i in range(times)])

    texts = texts_in(page_of(tmp_path, [run("a", 2), run("b", 3)]))
    said = [[side and side["s"][0]["t"] for side in texts[i]["r"]] for i in range(3)]
    assert said == [["a 0", "b 0"], ["a 1", "b 1"], [None, "b 2"]]


@pytest.mark.parametrize(
    ("base", "tuned", "pairs"),
    [
        ([("1", "Q"), ("2", "Q")], [("2", "Q"), ("1", "Q")], [("1", "1"), ("2", "2")]),  # id and text
        ([("1", "Q"), ("2", "R")], [("8", "R"), ("9", "Q")], [("1", "9"), ("2", "8")]),  # text alone
        ([("1", "Q")], [("1", "another text")], [("1", None), (None, "1")]),
        ([("1", "")], [("1", "")], [("1", "1")]),
    ],
)
def test_chains_stand_side_by_side_as_a_comparison_pairs_them(tmp_path, base, tuned, pairs):
    rng = random.Random(0)

    def run(name: str, questions: list[tuple[str, str]]) -> Run:
        return Run(name, [record(text, chain([number], rng), doc_id=number) for number, text in questions])

    texts = texts_in(page_of(tmp_path, [run("a", base), run("b", tuned)]))
    said = [tuple(side and side["s"][0]["t"] for side in texts[i]["r"]) for i in range(len(texts))]
    assert said == pairs


def test_plots_without_data_say_so_and_are_no_figures(tmp_path):
    empty = ChainScore(
        "c", "h", [StepScore("A step.", 0, 7)], [], None, {}, {"infogain": "no gold answer"}, [], PROVENANCE
    )
    run = Run("bare", [record("Question?", empty)])
    page = page_of(tmp_path, [run])
    for said in (
        "No chain has log-likelihoods",
        "No step has a gain",
        "The runs have no accuracy",
        "No chain has a Know",
    ):
        assert said in page.text
    assert figures([run]) == {}
    assert json.loads(page.scripts["specs"]) == {}


def values_of(chart, layer: int) -> list[dict]:
    spec = chart.to_dict()
    return spec["layer"][layer].get("data", spec.get("data"))["values"]  # data that all layers share stand above them


def run_of(levels: list[list[float]], n_answer: int = 2, **fields) -> Run:
    records = []
    for i, ls in enumerate(levels):
        steps = [StepScore(f"{k}", 0, 1, log_likelihood=ls[k], gain=ls[k] - ls[k - 1]) for k in range(1, len(ls))]
        metrics = {"infogain_nats": ls[-1] - ls[0], "ki": 0.5 if i % 2 else 1.0, "ki_coverage": 0.25}
        score = ChainScore("c", "h", steps, ls, n_answer, metrics, {}, [], PROVENANCE)
        records.append(record(f"Question {i}", score, accuracy={"acc": float(i % 2)}, **fields))
    return Run("run", records)


def test_the_curve_is_the_mean_over_questions_at_relative_positions():
    points = values_of(figures([run_of([[-4.0, -2.0], [-8.0, -8.0, -2.0]])])["likelihood"], 0)
    by_position = {round(point["position"], 2): point["mean"] for point in points}
    assert by_position[0] == pytest.approx((-2 + -4) / 2)
    assert by_position[0.5] == pytest.approx((-1.5 + -4) / 2)
    assert by_position[1] == pytest.approx(-1)


def test_gains_beyond_the_axis_are_counted_in_the_outermost_bins_and_said():
    run = run_of([[0.0, *[0.01 * i for i in range(300)], 1e6]])
    chart = figures([run])["step_gains"]
    points = values_of(chart, 0)
    assert sum(point["share"] for point in points) == pytest.approx(1)
    assert max(point["high"] for point in points) < 1


def test_only_questions_of_all_runs_enter_a_comparison_of_subjects():
    base = run_of([[-4.0, -2.0], [-4.0, -1.0], [-4.0, -4.0]], subject="law")
    tuned = Run("tuned", [*base.records[:2]])
    points = values_of(figures([base, tuned])["accuracy_infogain"], 1)
    assert [(point["group"], point["n"], point["gain"], point["accuracy"]) for point in points] == [
        ("law", 2, 2.5, 0.5),
        ("law", 2, 2.5, 0.5),
    ]


@pytest.mark.slow
def test_figures_are_written_as_pictures_that_are_not_blank(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    runs = [made("a <b> & c"), made("tuned", seed=3)]
    paths = write_figures(runs, [], tmp_path / "new" / "figures")
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in CHARTS for kind in ("png", "svg")]
    for path in paths:
        if path.suffix == ".png":
            picture = image.open(BytesIO(path.read_bytes())).convert("L")
            low, high = picture.getextrema()
            assert picture.width > 1000
            assert high - low > 100
        else:
            svg = ElementTree.fromstring(path.read_text(encoding="utf-8"))
            assert len([node for node in svg.iter() if node.tag.endswith(("path", "line"))]) > 5
            assert "a <b> & c" in "".join(svg.itertext())


def test_an_unknown_figure_format_names_the_known_ones(tmp_path):
    with pytest.raises(ReportError, match="'gif': expected one of png, svg, pdf, json"):
        write_figures([made()], [], tmp_path, ["gif"])  # type: ignore[list-item]


def test_real_runs_of_two_models_are_named_in_title_and_tables(tmp_path, shared_data):
    runs = recorded(shared_data, 20)
    page = page_of(tmp_path, runs)
    assert f"{TUNED} against {BASE}" in page.text
    assert page_of(tmp_path, runs, title="My title & more").text.count("My title & more") == 2


def test_verdict_and_conclusion_stand_before_every_table(tmp_path):
    base, tuned = made(), made("tuned", seed=1)
    out = tmp_path / "report.html"
    write_report([base, tuned], [comparison(base, tuned)], out)
    page = out.read_text(encoding="utf-8")
    for said in ("More answers are right, but the reasoning before them got worse.", "44.1\u00a0% → 50.4\u00a0%"):
        assert 0 < page.index(said) < page.index("<table")
    assert page.index("100% right. Before the answer is stated") < page.index("<table")


def test_numbers_of_ends_written_anew_say_what_they_may_be_taken_for(tmp_path):
    (first, *others), about = made().records, {"regrown": {"steps": 3, "claim": "causal for this model"}}
    anew = replace(first, score=replace(first.score, provenance={**first.score.provenance, **about}))
    page = page_of(tmp_path, [Run("base", [anew, *others])])
    assert "ends written anew: causal for this model" in page.text


def test_a_gain_is_never_said_to_be_leaked_beyond_all_of_it(tmp_path):
    runs = [made(), made("tuned")]
    for run in runs:
        for one in run.records:
            one.score.metrics["leak_share"] = 1.11  # type: ignore[index]
    leaked = Row("leak_share", "leaked gain", "share", "confounder", None, 6, 6, 1.11, 1.11, 0.0, 0.0, 0.0, 0.0)
    made_up = comparison(*runs)
    part = made_up.tasks[0].__class__(**{**made_up.tasks[0].__dict__, "rows": [leaked]})
    page = page_of(tmp_path, runs, [made_up.__class__(**{**made_up.__dict__, "tasks": [part]})])
    assert not re.search(r"\b11\d(\.\d)?\s%", page.text)
    assert "leak_share" not in json.dumps(texts_in(page))


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["base", "Qwen/Qwen2.5-7B"], ["base", "Qwen2.5-7B"]),
        (["/tmp/tmpx3/out/my-model/", "b"], ["my-model", "b"]),
        (["/data/hub/models--Qwen--Qwen2.5-7B/snapshots/0a1b2c"], ["Qwen2.5-7B"]),
        (["us/model", "them/model"], ["us/model", "them/model"]),
        (["before and/or after"], ["before and/or after"]),
    ],
)
def test_models_go_by_their_short_names_where_those_tell_them_apart(tmp_path, names, shown):
    page = page_of(tmp_path, [made(name) for name in names])
    assert (" against ".join(reversed(shown)) if len(shown) > 1 else f"Reasoning scores: {shown[0]}") in page.text


def test_answers_stand_with_the_text_of_the_option_that_they_name(tmp_path):
    options = {"choices": ["3", "4"], "answer": ["4"], "read_answers": {"correct": "A"}, "model_answer": "B"}
    (question, *_) = texts_in(page_of(tmp_path, [made(**options)])).values()
    assert (question["a"], question["r"][0]["m"]) == (["B. 4"], "A. 3")  # as the metric that counts has read it
    (question, *_) = texts_in(page_of(tmp_path, [made(answer=["4"], model_answer="four")])).values()
    assert (question["a"], question["r"][0]["m"]) == (["4"], "four")


def test_every_term_of_the_page_is_in_its_glossary_with_the_meaning_that_the_core_gives(tmp_path):
    base, tuned = made(), made("tuned", seed=1)
    page = page_of(tmp_path, [base, tuned], [comparison(base, tuned)])
    asked = {value for _, name, value in page.attributes if name == "data-term"}
    told = {value for _, name, value in page.attributes if name == "id" and value.startswith("term-")}
    assert {"ki", "infogain_nats", "infogain_nats_before_answer", "accuracy", "holm"} <= asked
    assert {f"term-{name}" for name in asked} <= told
    for name in ("ki", "infogain_nats", "n_steps"):
        assert METRICS[name].description in page.text
    assert "“Gain of the whole chain”, up to the first step that states the gold answer." in page.text
    assert "Holm p" not in page_of(tmp_path, [base]).text


def test_where_nothing_was_checked_the_page_says_how_to_have_it_checked(tmp_path):
    said = "There is no Knowledge Index, since no step could be checked."
    checked, unchecked = made(), made("tuned", seed=2)
    for one in unchecked.records:
        one.score.metrics["ki"] = float("nan")  # type: ignore[index]
    assert said not in page_of(tmp_path, [checked]).text
    assert f"tuned: {said}" in page_of(tmp_path, [checked, unchecked]).text
    assert "stepgauge score RUN --out DIR --set" in page_of(tmp_path, [unchecked]).text
