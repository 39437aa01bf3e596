"""Measures the report page: its size, the time to write it, and what a reader waits for in the browser.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.report_speed [--questions 500 5000 10000]

The chains are two models' on all subjects of MMLU-Pro; likelihoods and verdicts are made up, since only their number
matters here. Headless Chromium opens the page from disk.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stepgauge.adapters.report import write_report

from .screenshots import find_chromium

SUPPORT = Path(__file__).parents[2] / "tests" / "support"
_SORT = """async () => {
  const start = performance.now();
  document.querySelector('[data-sort="change"]').click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - start;
}"""
_SEARCH = """async () => {
  const [field, status] = ['search', 'status'].map((id) => document.getElementById(id));
  const before = status.textContent;
  const start = performance.now();
  field.value = 'because';
  field.dispatchEvent(new Event('input'));
  while (status.textContent === before) await new Promise((done) => setTimeout(done, 5));
  return performance.now() - start;
}"""


def measure(questions: int, *, passage: bool, folder: Path) -> list[str]:
    """One row of the table."""
    from playwright.sync_api import sync_playwright
    from report_runs import comparison, recorded  # type: ignore[import-not-found]

    runs = recorded(Path(os.environ["STEPGAUGE_SHARED"]) / "data", questions, passage=passage)
    out = folder / "report.html"
    start = time.perf_counter()
    write_report(runs, [comparison(*runs)], out)
    written = time.perf_counter() - start
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        start = time.perf_counter()
        page.goto(out.as_uri())
        page.wait_for_selector("html[data-ready]")
        opened = time.perf_counter() - start
        sort, search = page.evaluate(_SORT), page.evaluate(_SEARCH)
        with_texts = page.evaluate("() => document.querySelector('#browser > .notice')?.textContent ?? ''")
        browser.close()
    texts = with_texts.split("The texts of ")[1].split()[0] if with_texts else f"{questions:,}"
    name = f"{questions:,} × 2" + (", with passages" if passage else "")
    size = f"{out.stat().st_size / 1e6:.2f} MB"
    return [name, size, f"{written:.1f} s", f"{opened:.1f} s", f"{sort:.0f} ms", f"{search:.0f} ms", texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, nargs="+", default=[500, 5000, 10_000])
    args = parser.parse_args()
    sys.path.insert(0, str(SUPPORT))
    table = Table("questions × runs", "file", "written in", "opened in", "sorted in", "first search", "with texts")
    with tempfile.TemporaryDirectory() as folder:
        measure(20, passage=False, folder=Path(folder))  # warm-up: reads the chains and builds the script bundle
        for questions in args.questions:
            for passage in (False, True):
                table.add_row(*measure(questions, passage=passage, folder=Path(folder)))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
