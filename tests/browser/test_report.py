"""The report in a real browser, opened from disk with no network: what is drawn, what is inert, what can be done."""

from __future__ import annotations

import csv
import itertools
import math
import os
import random
import re
from dataclasses import replace
from urllib.parse import quote

import pytest
from benchmark_modules import benchmark
from report_runs import EVIL, chain, comparison, hostile, record, recorded

from stepgauge.adapters.report import write_report
from stepgauge.metrics.columns import METRICS
from stepgauge.metrics.comparison import Run
from stepgauge.metrics.knowledge.types import Claim, Verdict

READY = "html[data-ready]"
WATCH = """() => {
  window.violations = [];
  document.addEventListener('securitypolicyviolation', (event) => window.violations.push(event.violatedDirective));
}"""
# The lowest contrast of visible text against the nearest background behind it, and its words.
CONTRAST = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const color = channels(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  let worst = { contrast: 99, text: '' };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.matches('script, style, option')) continue;
    const style = getComputedStyle(node);
    if (node.closest('button:disabled')) continue;
    const color = channels(node.closest('svg') ? style.fill : style.color);
    const [light, dark] = [luminance(color), luminance(ground(node))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < worst.contrast) worst = { contrast, text: walker.currentNode.data.slice(0, 60) };
  }
  return worst;
}"""


@pytest.fixture(scope="module")
def browser():
    chromium = benchmark("comparison.screenshots").find_chromium()
    if chromium is None:
        reason = "no Chromium on this machine: apt-get install chromium, or python -m playwright install chromium"
        # `.ci/run` installs it where it can; what cannot be had is no failure of the page.
        wanted = os.environ.get("CI") and not os.environ.get("STEPGAUGE_NO_CHROMIUM")
        (pytest.fail if wanted else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory, shared_data) -> str:
    """Address of a page about 120 questions and two models."""
    out = tmp_path_factory.mktemp("pair") / "report.html"
    runs = recorded(shared_data, 120, passage=True)
    write_report(runs, [comparison(*runs)], out)
    return out.as_uri()


@pytest.fixture(scope="module")
def single(tmp_path_factory, shared_data) -> str:
    out = tmp_path_factory.mktemp("single") / "report.html"
    write_report(recorded(shared_data, 20)[:1], [], out)
    return out.as_uri()


@pytest.fixture(scope="module")
def evil(tmp_path_factory) -> str:
    out = tmp_path_factory.mktemp("evil") / "report.html"
    runs, comparisons = hostile()
    write_report(runs, comparisons, out, title=f"{EVIL[1]} {EVIL[3]}")
    return out.as_uri()


@pytest.fixture
def opened(browser):
    """Opens a page that may ask for nothing but itself; afterwards it must have been quiet."""
    contexts, troubles = [], []

    def open_page(address: str, hash_: str = "", **options):
        context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()

        def told(request):
            if request.url.split("#")[0] != address and not request.url.startswith("data:"):
                troubles.append(f"request: {request.url[:200]}")

        page.on("request", told)
        page.on("console", lambda message: troubles.append(f"console: {message.type} {message.text[:300]}"))
        page.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.add_init_script(f"({WATCH})()")
        page.goto(address + hash_)
        page.wait_for_selector(READY)
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            if found := page.evaluate("window.violations"):
                troubles.append(f"policy: {found}")
        context.close()
    assert troubles == []


def status(page) -> str:
    return page.locator("#status").text_content()


def column(page, key: str) -> list[str]:
    """The cells of a column, by its heading's key."""
    keys = page.locator("#head [data-sort]").evaluate_all("all => all.map((one) => one.dataset.sort)")
    return page.locator(f"#rows td:nth-child({keys.index(key) + 1})").all_text_contents()


def number(cell: str) -> float:
    return float(cell.replace("−", "-").replace(",", "").replace("%", "").strip())


def find(page, words: str, expected: str) -> None:
    page.get_by_label("Search in questions").fill(words)
    page.wait_for_function("said => document.getElementById('status').textContent.includes(said)", arg=expected)


def test_all_plots_are_drawn_with_marks(opened, pair):
    page = opened(pair)
    page.wait_for_function("() => document.querySelectorAll('.chart svg').length === 4")
    for key, marks in (("likelihood", 40), ("step_gains", 2), ("accuracy_infogain", 20), ("ki", 10)):
        drawn = page.locator(f"[data-plot={key}] svg .mark-symbol path, [data-plot={key}] svg .mark-line path, "
                             f"[data-plot={key}] svg .mark-area path")  # fmt: skip
        assert drawn.count() >= marks, key
        boxes = drawn.evaluate_all("all => all.map((one) => one.getBBox()).filter((box) => box.width + box.height > 0)")
        assert len(boxes) >= marks, key
        assert len(page.locator(f"#plot-{key} [role=img]").get_attribute("aria-label") or "") > 40
        assert page.locator(f"#plot-{key} details table tbody tr").count() > 1


def test_hostile_text_stays_text_wherever_it_is_shown(opened, evil):
    page = opened(evil)
    page.wait_for_function("() => document.querySelectorAll('.chart svg').length === 4")
    for details in page.locator("details").all():
        details.evaluate("node => node.open = true")
    assert page.title() == f"{EVIL[1]} {EVIL[3]}"
    for i, text in enumerate(EVIL[:8]):
        page.goto(f"{evil}#chain={i + 1}")
        page.wait_for_function(
            "i => document.getElementById('chain-title')?.textContent === `Question ${i}`", arg=i + 1
        )
        assert page.locator("#chain .asked .text").first.text_content() == f"{i} {text}"
        assert page.locator("#chain .step:not(.zero) .text").first.text_content() == text
    for hash_ in (
        *EVIL[:8],
        "chain=1e9",
        "chain=-1",
        "chain=__proto__",
        "filter=constructor",
        "sort=__proto__",
        "%E0%A4%A",
    ):
        page.evaluate("hash => { location.hash = hash; }", hash_ if hash_.startswith("%") else quote(hash_, safe="=&"))
        page.evaluate("hash => { location.hash = hash; }", f"q={quote(hash_)}&filter={quote(hash_)}")
    assert (
        page.locator(
            "img, iframe, object, embed, main script, article svg, main form:not(#controls, .vega-bindings)"
        ).count()
        == 0
    )
    assert page.locator("a:not([href^='#'])").count() == 0


@pytest.mark.slow
def test_controls_for_direction_and_unpaired_surrogates_are_made_visible(opened, evil):
    page = opened(evil, "#chain=9")
    assert page.locator("#chain .step:not(.zero) .text").first.text_content() == "a\ufffdb\ufffdc\ufffdd\ufffde"
    page.goto(f"{evil}#chain=10")
    page.get_by_role("heading", name="Question 10").wait_for()
    assert (
        page.locator("#chain .step:not(.zero) .text").first.text_content()
        == "nul\ufffd esc\ufffd[31m lone \ufffd \ufffd"
    )


@pytest.mark.slow
def test_a_heading_sorts_down_then_up_and_missing_numbers_come_last(opened, pair):
    page = opened(pair)
    for key in ("gain-base", "change", "ki-tuned", "steps-tuned", "right-base", "before-tuned"):
        button = page.locator(f"[data-sort={key}]")
        seen = set()
        for expected, reverse in (("descending", True), ("ascending", False)):
            button.click()
            assert page.locator(f"th:has([data-sort={key}])").get_attribute("aria-sort") == expected
            cells = [cell.replace("✓ right", "1").replace("✗ wrong", "0") for cell in column(page, key)]
            there = [number(cell) for cell in cells if cell != "–"]
            assert there == sorted(there, reverse=reverse), key
            assert "–" not in cells, key
            seen |= {there[0], there[-1]}
        assert len(seen) > 1, key
        assert page.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    page.locator("[data-sort=ki-tuned]").click()
    for number_of_page in (2, 3):
        page.get_by_role("button", name="Next ›").click()
        assert page.locator("#page-number").text_content() == f"page {number_of_page} of 3"
    assert column(page, "ki-tuned")[-1] == "–"
    assert page.get_by_role("button", name="Next ›").is_disabled()


@pytest.mark.slow
def test_search_reads_questions_answers_and_steps_and_says_how_many_it_found(opened, pair, shared_data):
    page = opened(pair)
    assert status(page) == "120 questions"
    runs = recorded(shared_data, 120, passage=True)
    tuned = runs[1].records
    wanted = next(
        step.text.strip()[:60]
        for i, one in enumerate(tuned)
        for step in one.score.steps
        if len(step.text) > 80 and all(step.text.strip()[:60] not in other.question for other in tuned) and i > 60
    )
    found = sum(
        wanted.lower() in "\n".join(step.text for run in runs for step in run.records[i].score.steps).lower()
        for i in range(120)
    )
    find(page, wanted, f"{found} of 120 questions")
    assert page.locator("#rows tr").count() == found
    find(page, "no such words anywhere", "0 of 120 questions")
    assert page.locator("#status").get_attribute("aria-live") == "polite"


@pytest.mark.slow
def test_each_filter_shows_what_it_says(opened, pair):
    page = opened(pair)
    shown = {}
    for key in ("loss", "empty", "lost", "contradicted", "leak", "missing", "all"):
        page.get_by_label("Show").select_option(key)
        shown[key] = int(status(page).split()[0])
        cells = [number(cell) for cell in column(page, "change")]
        if key == "loss":
            assert all(cell < 0.005 for cell in cells)
            assert cells == sorted(cells)
        if key in ("empty", "lost"):
            assert all("✓" in cell for cell in column(page, "right-tuned"))
        if key == "empty":
            assert all(number(cell) <= 0 for cell in column(page, "before-tuned"))
        if flag := {"contradicted": "✗ contradicted", "leak": "⚑ states the answer"}.get(key):
            assert all(flag in cell for cell in column(page, "flags"))
    assert shown.pop("missing") == 0
    assert shown.pop("all") == 120
    assert all(0 < n < 120 for n in shown.values()), shown


@pytest.mark.slow
def test_the_address_keeps_filter_search_order_and_page(opened, pair):
    page = opened(pair)
    page.get_by_label("Show").select_option("loss")
    page.locator("[data-sort=steps-base]").click()
    before = status(page)
    page.get_by_label("Search in questions").fill("energy")
    page.wait_for_function("was => document.getElementById('status').textContent !== was", arg=before)
    rows = page.locator("#rows tr").all_text_contents()
    again = opened(pair, page.url[len(pair) :])
    assert again.get_by_label("Show").input_value() == "loss"
    assert again.locator("#rows tr").all_text_contents() == rows


@pytest.mark.slow
def test_a_question_opens_with_both_runs_side_by_side_and_the_way_back_keeps_the_table(opened, pair):
    page = opened(pair)
    page.get_by_label("Show").select_option("contradicted")
    before = page.locator("#rows tr").all_text_contents()
    link = page.locator("#rows a").nth(1)
    index = link.get_attribute("data-chain")
    link.click()
    page.get_by_role("heading", name=f"Question {int(index) + 1}", exact=True).wait_for()
    assert not page.locator("#overview").is_visible()
    left, right = (page.locator(".side").nth(i).bounding_box() for i in (0, 1))
    assert abs(left["y"] - right["y"]) < 2
    assert left["x"] + left["width"] <= right["x"]
    assert page.evaluate("document.activeElement.id") == "chain-title"
    assert page.locator(".label.contradicted").count() > 0
    assert page.locator("#chain .passage").first.is_visible() is False
    page.locator("#chain summary", has_text="Evidence").first.click()
    assert page.locator("#chain .passage").first.is_visible()
    page.get_by_role("link", name="Next ›").first.click()
    page.wait_for_function("index => !location.hash.includes(`chain=${index}&`)", arg=int(index) + 1)
    page.go_back()
    page.go_back()
    page.locator("#rows").wait_for(state="visible")
    assert page.locator("#rows tr").all_text_contents() == before
    page.wait_for_function("() => document.activeElement.dataset.chain !== undefined")  # the focus comes after the rows
    page.goto(f"{pair}#chain=3")
    page.get_by_role("link", name="Back to the table").first.click()
    page.locator("#rows").wait_for(state="visible")


@pytest.mark.slow
def test_bars_say_their_number_and_differ_by_side_and_pattern(opened, pair):
    page = opened(pair, "#chain=5")
    page.locator(".step").first.wait_for()
    for bar in page.locator(".bar:has(.zero)").all()[:20]:
        value = bar.locator("xpath=following-sibling::span[1]").text_content()
        fill = bar.locator(".plus, .minus")
        if fill.count() == 0:
            assert value in ("0.00", "–")
            continue
        kind = fill.get_attribute("class")
        assert {"plus": "+", "minus": "−"}[kind] == value[0] or value == "0.00"
        pattern = fill.evaluate("node => getComputedStyle(node).backgroundImage")
        assert ("gradient" in pattern) == (kind == "minus")


@pytest.mark.slow
def test_one_run_has_its_own_columns_and_no_comparing_filters(opened, single):
    page = opened(single)
    assert status(page) == "20 questions"
    keys = page.locator("#head [data-sort]").evaluate_all("all => all.map((one) => one.dataset.sort)")
    assert keys == ["number", "question", "right", "gain", "before", "ki", "steps", "flags"]
    filters = page.locator("#filter option").evaluate_all("all => all.map((one) => one.value)")
    assert filters == ["all", "empty", "contradicted", "leak", "missing"]
    page.locator("#rows a").first.click()
    page.locator(".side").wait_for()
    assert page.locator(".side").count() == 1


@pytest.mark.slow
def test_of_three_runs_the_reader_chooses_the_pair(opened, tmp_path, shared_data):
    base, tuned = recorded(shared_data, 8)
    third = Run("third model", tuned.records[:5])
    write_report([base, tuned, third], [comparison(base, tuned), comparison(base, third)], tmp_path / "three.html")
    page = opened((tmp_path / "three.html").as_uri())
    page.get_by_label("Compare").select_option(label=f"third model against {base.name}")
    page.get_by_label("Show").select_option("missing")
    assert status(page) == "3 of 8 questions"
    page.locator("#rows a").first.click()
    page.get_by_text("This run has no chain for the question.").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["pair", "evil"])
def test_a_phone_scrolls_in_one_direction_only(opened, request, which):
    address = request.getfixturevalue(which)
    page = opened(address, viewport={"width": 360, "height": 740}, is_mobile=True)
    for hash_ in ("", "#chains", "#chain=2"):
        page.goto(address + hash_)
        page.wait_for_timeout(200)
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360], hash_
    top, below = (page.locator(".side").nth(i).bounding_box() for i in (0, 1))
    assert below["y"] >= top["y"] + top["height"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_enough_in_both_schemes(opened, pair, scheme):
    page = opened(pair, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    for hash_ in ("", "#chain=2"):
        page.goto(pair + hash_)
        page.wait_for_timeout(300)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        worst = page.evaluate(CONTRAST)
        assert worst["contrast"] >= 4.5, (hash_, worst)


@pytest.mark.slow
def test_everything_can_be_reached_and_worked_by_keyboard(opened, pair):
    page = opened(pair)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("Search in questions").focus()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.sort ?? document.activeElement.className"))
    assert reached[:4] == ["scroll", "number", "question", "right-base"]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    key = page.evaluate("document.activeElement.dataset.sort")
    page.keyboard.press("Enter")
    assert page.locator(f"th:has([data-sort={key}])").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.dataset.sort") == key
    page.locator("#rows a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=re.compile(r"^Question \d+$")).wait_for()


@pytest.mark.slow
def test_headings_landmarks_and_tables_are_announced(opened, pair):
    page = opened(pair)
    for role in ("banner", "main", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    for hash_ in ("", "#chain=2"):
        page.goto(pair + hash_)
        page.wait_for_timeout(200)
        levels = page.locator("h1, h2, h3, h4").evaluate_all(
            "all => all.filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))"
        )
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    bare = page.evaluate("""() => [...document.querySelectorAll('table')].filter((table) =>
        !table.caption?.textContent.trim() || table.querySelector('th:not([scope])')).length""")
    assert bare == 0
    unnamed = page.evaluate("""() => [...document.querySelectorAll('select, input, button')].filter((one) =>
        !one.labels?.length && !one.textContent.trim()).length""")
    assert unnamed == 0


@pytest.mark.slow
def test_a_print_shows_tables_and_plots_in_black_on_white_and_no_controls(opened, pair):
    page = opened(pair, color_scheme="dark")
    page.wait_for_function("() => document.querySelectorAll('.chart svg').length === 4")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('.numbers td')).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.querySelector('.chart svg text')).fill") == "rgb(0, 0, 0)"
    for hidden in ("#nav", "#controls", ".pager", ".chains"):
        assert not page.locator(hidden).first.is_visible()
    assert page.locator(".part table").first.is_visible()
    assert page.locator(".chart svg").first.is_visible()


@pytest.mark.slow
def test_plots_keep_their_width_when_the_window_changed_behind_a_chain(opened, pair):
    page = opened(pair)
    page.wait_for_function("() => document.querySelectorAll('.chart svg').length === 4")
    page.locator("#rows a").first.click()
    page.locator(".side").first.wait_for()
    page.set_viewport_size({"width": 900, "height": 900})
    page.wait_for_timeout(150)
    page.go_back()
    page.wait_for_function("() => document.querySelector('.chart svg')?.getBoundingClientRect().width > 200")


@pytest.mark.slow
def test_without_javascript_the_headline_stands(browser, pair):
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(pair)
    assert page.get_by_text("Accuracy rose by 6.3 points").is_visible()
    assert page.locator(".part table").first.is_visible()
    assert not page.locator("#browser").is_visible()
    assert "needs JavaScript" in page.locator("noscript").text_content()
    context.close()


# What is wider than its place: the page, a table's region, a text cut off by its element, a plot's label at its edge or
# shortened. Words for screen readers alone are cut off on purpose, and so are bars.
TOO_WIDE = """() => {
  const seen = [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility());
  const name = (one) => `${one.tagName} ${one.className?.baseVal ?? one.className} ${one.textContent.slice(0, 40)}`;
  const page = document.documentElement.scrollWidth > innerWidth ? ['the page'] : [];
  const cut = seen.filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth
    && getComputedStyle(one).overflowX !== 'visible' && !one.matches('.hidden-text, .bar, svg, svg *, select'));
  const labels = seen.filter((one) => one.matches('.chart svg text')).filter((one) => {
    const [label, svg] = [one, one.ownerSVGElement].map((each) => each.getBoundingClientRect());
    return one.textContent.endsWith('…') || label.width > 0 && (label.left < svg.left - 1 || label.right > svg.right + 1
      || label.top < svg.top - 1 || label.bottom > svg.bottom + 1);
  });
  return [...page, ...[...cut, ...labels].map(name)];
}"""


@pytest.fixture(scope="module")
def unchecked(tmp_path_factory, shared_data) -> str:
    """Address of a page about one run, without a Knowledge Index, whose names are long."""
    records = [
        replace(
            one,
            task="a_task_with_a_long_name_of_several_words_in_a_row",
            score=replace(
                one.score,
                metrics={**one.score.metrics, "ki": math.nan},
                steps=[replace(step, verdicts=()) for step in one.score.steps],
            ),
        )
        for one in recorded(shared_data, 20)[0].records
    ]
    out = tmp_path_factory.mktemp("unchecked") / "report.html"
    write_report([Run("/data/checkpoints/Meta-Llama-3.1-8B-Instruct-finetuned", records)], [], out)
    return out.as_uri()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("which", ["pair", "single", "unchecked"])
def test_nothing_is_wider_than_its_place_and_no_label_is_clipped(opened, request, which, width):
    address = request.getfixturevalue(which)
    page = opened(address, viewport={"width": width, "height": 900})
    page.wait_for_function("() => document.querySelectorAll('.chart svg').length >= 2")
    for hash_ in ("#chains", "#chain=2"):
        page.goto(address + hash_)
        page.wait_for_function(
            "told => !document.getElementById(told).hidden", arg="chain" if "=" in hash_ else "overview"
        )
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.wait_for_timeout(200)
        assert page.evaluate(TOO_WIDE) == [], hash_


LABELS = ["contradicted", "supported", "contradicted", "supported", "contradicted"]


def formulas() -> Run:
    """Two questions whose steps a spreadsheet would take for formulas, or for several cells."""
    texts = ['=HYPERLINK("http://evil")', '+1 = 1, "so"\nthe next', "@sum = 1", "-2 = 1", "plain = text"]
    records = []
    for i in range(2):
        score = chain(texts, random.Random(i))
        steps = [
            replace(step, verdicts=[Verdict(Claim(step.text, at, 0, 1, "equation"), label, "=judge", 0.5)])
            for at, (step, label) in enumerate(zip(score.steps, LABELS, strict=True))
        ]
        records.append(record(f"Question {i}?", replace(score, steps=steps), doc_id=f"-id{i}"))
    return Run("=run", records)


def downloaded(page, tmp_path) -> list[dict[str, str]]:
    with page.expect_download() as started:
        page.get_by_role("button", name="Export the marks as CSV").first.click()
    started.value.save_as(tmp_path / "marks.csv")
    with (tmp_path / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_marks_are_counted_kept_with_the_page_and_exported_without_formulas(opened, tmp_path):
    run = formulas()
    write_report([run], [], tmp_path / "marked.html")
    write_report([Run("=run", run.records[:1])], [], tmp_path / "other.html")
    page = opened((tmp_path / "marked.html").as_uri(), "#chain=2")
    agree, disagree = (page.get_by_role("button", name=name) for name in ("✓ agree", "✗ disagree"))
    for at in range(4):
        agree.nth(at).click()
    disagree.nth(4).click()
    disagree.nth(0).click()  # thought better of
    agree.nth(3).click()  # taken back
    said = "You agree with 2 of 4 marked verdicts (50 %): supported 1 of 1, contradicted 1 of 3."
    page.locator("#chain [data-marked]", has_text=said).wait_for()
    assert agree.nth(1).get_attribute("aria-pressed") == "true"

    page.reload()
    page.locator("#chain [data-marked]", has_text=said).wait_for()
    assert disagree.nth(4).get_attribute("aria-pressed") == "true"
    rows = downloaded(page, tmp_path)
    steps = run.records[1].score.steps
    assert [(row["step_number"], row["verdict"], row["mark"]) for row in rows] == [
        (str(at + 1), LABELS[at], mark) for at, mark in ((0, "disagree"), (1, "agree"), (2, "agree"), (4, "disagree"))
    ]
    for row, at in zip(rows, (0, 1, 2, 4), strict=True):
        assert row["step_text"].removeprefix("'") == steps[at].text
        assert (row["run"], row["question_id"], row["question_number"]) == ("'=run", "'-id1", "2")
    assert not [cell for row in rows for cell in row.values() if cell[0] in "=+-@"]

    other = page.context.new_page()
    other.goto((tmp_path / "other.html").as_uri())
    other.wait_for_selector(READY)
    assert not other.locator("[data-marked]").first.is_visible()


@pytest.mark.slow
def test_where_the_browser_keeps_nothing_marks_last_as_long_as_the_page_which_says_so(opened, tmp_path):
    write_report([formulas()], [], tmp_path / "report.html")
    page = opened((tmp_path / "report.html").as_uri())
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page.goto((tmp_path / "report.html").as_uri() + "#chain=1")
    page.reload()
    page.get_by_role("button", name="✓ agree").first.click()
    page.locator("#chain [data-marked]", has_text="This browser does not keep them").wait_for()
    assert len(downloaded(page, tmp_path)) == 1


@pytest.mark.slow
def test_a_term_is_explained_on_hover_focus_and_click_and_the_glossary_is_printed(opened, pair):
    page = opened(pair)
    box, meaning = page.locator("#tooltip"), METRICS["infogain_nats"].description
    heading = page.locator(".runs").get_by_role("button", name="Gain of the whole chain")
    for show, hide in (
        (heading.hover, lambda: page.mouse.move(0, 0)),
        (heading.focus, lambda: page.keyboard.press("Escape")),
        (heading.click, lambda: page.locator("h1").click()),
    ):
        show()
        assert box.text_content() == meaning
        assert box.is_visible()
        hide()
        assert not box.is_visible()
    described = heading.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").text_content() == meaning
    page.emulate_media(media="print")
    assert page.locator(f"#{described}").is_visible()


@pytest.mark.slow
def test_contradicted_steps_come_first_in_the_table_and_are_led_to_in_a_chain(opened, pair):
    page = opened(pair)
    flags = ["contradicted" in cell for cell in column(page, "flags")]
    assert flags == sorted(flags, reverse=True)
    assert flags[0]
    said = page.locator(".said p").first.text_content()
    page.get_by_role("link", name="See that step").first.click()
    quoted = re.search(r"“(.+?)…?”\.", said)[1]
    page.locator(".step.contradicted .text", has_text=quoted).first.wait_for()
    page.go_back()
    page.get_by_role("link", name="Check the contradicted steps").click()
    page.wait_for_function("() => document.getElementById('filter').value === 'contradicted'")
    page.locator("#rows a").first.click()
    way = page.locator(".first button").first
    way.click()
    step = page.evaluate("document.activeElement.querySelector('.number').lastChild.data")
    assert way.text_content() == f"✗ step {step}"
    assert page.evaluate("document.activeElement.querySelectorAll('.label.contradicted').length") > 0
