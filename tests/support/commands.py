"""Commands as users type them: in a shell, or in this process, which has imported torch and both frameworks already."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import rich
from repo import REPO


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and body of every code block of one of our pages, those inside lists included."""
    text = (REPO / page).read_text(encoding="utf-8")
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [(language, textwrap.dedent(body)) for _, language, body in found]


def shell(folder: Path, command: str | list[str], **extra: str) -> subprocess.CompletedProcess[str]:
    """Run it in a process of its own, with this environment's commands found first; it must end well."""
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPO / "tests" / "support" / "kept_index"),
        "COLUMNS": "160",
        "NO_COLOR": "1",
        **extra,
    }
    done = subprocess.run(
        command if isinstance(command, list) else ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=800,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def in_process(program: str, *arguments: str) -> int:
    """Call what the installed script `program` calls; what it raises is shown by `sys.excepthook`, as Python does.

    The hook stays that of the program: Inspect sets its own only once.
    """
    [entry] = entry_points(group="console_scripts", name=program)
    argv = sys.argv
    sys.argv = [program, *arguments]
    rich.reconfigure()  # a program's console prints; an eval with display="none" has silenced this process's for good
    try:
        return entry.load()() or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        sys.argv = argv
