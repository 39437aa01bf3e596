"""Takes the documentation's pictures of a report: its overview, a question's chains, on a phone and in the dark.

    python -m benchmarks.comparison.screenshots RUN… --out docs/images [--filter contradicted]

RUN is as in `stepgauge report`, the base first. The page is opened from disk in headless Chromium (the system's, or the
one installed by `python -m playwright install chromium`) with the network off. The question is the first in the table
under `--filter` ("all", "loss", "empty", "lost", "contradicted", "leak", "missing"); where that leaves none, of all.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from stepgauge.adapters.report import write_report
from stepgauge.adapters.runs import load_runs
from stepgauge.metrics.comparison import compare_runs

LARGEST = 300_000  # maximum bytes of a picture in the repository
WIDE = {"viewport": {"width": 1280, "height": 1100}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
# Each picture's name, what it is taken with, and whether it shows a question's chains.
PICTURES = (
    ("overview", WIDE, False),
    ("chain", WIDE, True),
    ("phone", PHONE, False),
    ("dark", {**WIDE, "color_scheme": "dark"}, True),
)


def find_chromium() -> str | None:
    """A Chromium on this machine: the system's, or the one that Playwright installed."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        own = sorted((Path.home() / ".cache" / "ms-playwright").glob("chromium*/chrome-linux*/*"))
        found = next((str(path) for path in own if path.name in ("chrome", "headless_shell")), None)
    return found


def take(report: Path, out: Path, chosen: str) -> list[Path]:
    """Write the pictures of a report into `out`."""
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        for name, options, of_chain in PICTURES:
            context = browser.new_context(**{"offline": True, "color_scheme": "light", **options})  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(report.resolve().as_uri() + (f"#table&filter={chosen}" if of_chain else ""))
            page.wait_for_selector("html[data-ready]")
            if of_chain:
                if not page.locator("#rows a").count():
                    page.locator("#filter").select_option("all")
                page.locator("#rows a").first.click()
                page.locator("#chain .side").first.wait_for()
                page.evaluate("() => document.activeElement.blur()")
            page.wait_for_timeout(500)  # plots are drawn after the page is ready
            path = out / f"{name}.png"
            page.screenshot(path=path)
            taken.append(path)
            context.close()
        browser.close()
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--filter", default="contradicted")
    args = parser.parse_args()
    runs = load_runs(args.runs)
    comparisons = [compare_runs(runs[0], tuned) for tuned in runs[1:]]
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        write_report(runs, comparisons, report)
        taken = take(report, args.out, args.filter)
    too_large = False
    for path in taken:
        size = path.stat().st_size
        too_large |= size > LARGEST
        print(f"{path}: {size:,} bytes" + (f", more than {LARGEST:,}" if size > LARGEST else ""))
    return int(too_large)


if __name__ == "__main__":
    sys.exit(main())
