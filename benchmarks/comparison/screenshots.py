"""Takes the documentation's pictures of a report: its overview, a question with both chains, and its look on a phone.

    python -m benchmarks.comparison.screenshots RUN… --out docs/images [--filter loss] [--dark]

RUN is as in `stepgauge report`, the base first. The page is opened from disk in headless Chromium (the system's, or the
one installed by `python -m playwright install chromium`) with the network off. The question is the first in the table
under `--filter` ("all", "loss", "empty", "lost", "contradicted", "leak", "missing").
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
WIDE = {"viewport": {"width": 1280, "height": 1500}}
CHAIN = {"viewport": {"width": 1280, "height": 1100}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


def find_chromium() -> str | None:
    """A Chromium on this machine: the system's, or the one that Playwright installed."""
    names = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        own = sorted((Path.home() / ".cache" / "ms-playwright").glob("chromium*/chrome-linux*/*"))
        found = next((str(path) for path in own if path.name in ("chrome", "headless_shell")), None)
    return found


def take(report: Path, out: Path, *, chosen: str, scheme: str) -> list[Path]:
    """Write overview.png, chain.png and phone.png into `out`."""
    from playwright.sync_api import sync_playwright

    address = report.resolve().as_uri()
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])

        def picture(name: str, hash_: str, options: dict, *, open_first: bool = False) -> None:
            context = browser.new_context(offline=True, color_scheme=scheme, **options)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(address + hash_)
            page.wait_for_selector("html[data-ready]")
            if open_first:
                page.locator("#rows a").first.click()
                page.locator(".step").first.wait_for()
                page.evaluate("() => document.activeElement.blur()")
            page.wait_for_timeout(500)  # plots are drawn after the page is ready
            path = out / f"{name}.png"
            page.screenshot(path=path)
            taken.append(path)
            context.close()

        picture("overview", "", WIDE)
        picture("chain", f"#table&filter={chosen}", CHAIN, open_first=True)
        picture("phone", "", PHONE)
        browser.close()
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--filter", default="lost")
    parser.add_argument("--dark", action="store_true")
    args = parser.parse_args()
    runs = load_runs(args.runs)
    comparisons = [compare_runs(runs[0], tuned) for tuned in runs[1:]]
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        write_report(runs, comparisons, report)
        chosen = args.filter if len(runs) > 1 or args.filter not in ("loss", "lost") else "all"
        taken = take(report, args.out, chosen=chosen, scheme="dark" if args.dark else "light")
    too_large = False
    for path in taken:
        size = path.stat().st_size
        too_large |= size > LARGEST
        print(f"{path}: {size:,} bytes" + (f", more than {LARGEST:,}" if size > LARGEST else ""))
    return int(too_large)


if __name__ == "__main__":
    sys.exit(main())
