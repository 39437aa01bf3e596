"""Takes a picture of what a command prints on a terminal of 80 columns.

    python -m benchmarks.comparison.terminal_picture docs/images/demo.png --lines 24 -- stepgauge demo --compare

The command runs on a pseudo-terminal, as for a user; rich draws its colours, and headless Chromium the picture.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import struct
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.comparison.screenshots import find_chromium

COLUMNS = 80


def on_terminal(command: list[str]) -> str:
    """What the command writes to a terminal. Raises RuntimeError where it fails."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
        os.execvpe(command[0], command, {**kept, "TERM": "xterm-256color"})
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the terminal is closed
            break
        said += piece
        if not piece:
            break
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise RuntimeError(f"{command[0]} ended with exit code {code}: {said[-500:].decode(errors='replace')}")
    return said.decode().replace("\r\n", "\n")


def picture(text: str, title: str, path: Path) -> None:
    """Draw text with its colours, as a terminal's window."""
    from playwright.sync_api import sync_playwright

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title=title)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(device_scale_factor=1.25, viewport={"width": 1040, "height": 600}, offline=True)
        # The drawing names a font of the web; the machine's own is as wide.
        page.set_content(f"<style>body {{margin: 0}}</style>{svg.replace('Fira Code', 'monospace')}")
        page.locator("svg").screenshot(path=path)
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--lines", type=int, help="only so many from the beginning")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    text = on_terminal(args.command)
    picture("\n".join(text.splitlines()[: args.lines]), " ".join(args.command), args.out)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
