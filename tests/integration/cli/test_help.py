"""What `--help` ends with, the list of options, and completion: each from the code, and each tried."""

from __future__ import annotations

import argparse
import inspect
import re
import shlex
import subprocess
import sys

import pytest
from repo import REPO

from stepgauge.adapters.cli import main
from stepgauge.adapters.cli.commands import build_parser
from stepgauge.metrics import Gauge
from stepgauge.metrics.plugins import load_plugins


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command's parser, those of subcommands, too, by what is typed."""
    found: dict[str, argparse.ArgumentParser] = {}
    waiting = [build_parser()]
    while waiting:
        parser = waiting.pop()
        found[parser.prog] = parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                waiting += action.choices.values()
    return found


COMMANDS = sorted(parsers())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse_and_a_page_that_is_there(command):
    printed = parsers()[command].format_help()
    examples = re.findall(r"^  (stepgauge .*?)(?:  .*)?$", printed[printed.index("example") :], re.MULTILINE)
    assert examples
    for example in examples:
        assert example.startswith(command)
        arguments = shlex.split(example)[1:]
        build_parser().parse_args(arguments)  # ends the process where an option is not known
    (pages,) = re.findall(r"^(?:more|Every command and option): (.*)$", printed, re.MULTILINE)
    for page in re.findall(r"[\w/-]+\.md", pages):
        assert (REPO / page).is_file(), page


def test_help_of_lm_evals_run_shows_our_option_above_lm_evals_own(capsys):
    pytest.importorskip("lm_eval")
    with pytest.raises(SystemExit) as ended:
        main(["lm-eval", "run", "--help"])
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert printed.index("--stepgauge KEY=VALUE") < printed.index("--model_args")


def test_options_lists_every_option_of_the_gauge_with_its_default_and_where_it_is_given(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 60 + len("stepgauge")
    listed = re.findall(r"^  (\w+)  default: (.*)$", printed, re.MULTILINE)
    parameters = inspect.signature(Gauge).parameters
    assert [name for name, _ in listed][: len(parameters)] == list(parameters)
    defaults = dict(listed)
    assert defaults["splitter"] == "auto"
    assert defaults["epsilon"] == "0.05"
    assert defaults["quantization"] == "null"
    entries = dict(
        zip(re.findall(r"^  (\w+)  default", printed, re.MULTILINE), printed.split("  default: ")[1:], strict=True)
    )
    assert "numbered" in entries["splitter"]
    assert "Given in: Gauge(…)" in entries["progress"]


def test_options_are_given_where_the_list_says(capsys):
    inspect_options = pytest.importorskip("stepgauge.adapters.inspect.options")
    from stepgauge.adapters.formats.options import OptionError, read_settings

    assert main(["options", "--markdown"]) == 0
    rows = re.findall(r"^\| `(\w+)` \| (?:.*) \| ([^|]*) \| [^|]* \|$", capsys.readouterr().out, re.MULTILINE)
    assert len(rows) > 25
    for name, doors in rows:
        assert ("`-S`" in doors) == (name in inspect_options.Options.__annotations__), name
        try:
            read_settings([f"{name}=x"])
            known = True
        except OptionError as error:
            known = "unknown option" not in str(error)
        assert ("`--set`" in doors) == known, name
        assert ("Gauge" in doors) == (name in inspect.signature(Gauge).parameters), name


def test_the_docs_page_of_options_is_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.setattr("stepgauge.adapters.cli.options.registry", lambda: load_plugins(""))
    assert main(["options", "--markdown"]) == 0
    page = (REPO / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out, (
        "stale: STEPGAUGE_LOAD_PLUGINS= stepgauge options --markdown > docs/options.md"
    )


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("stepgauge comp", "compare"),
        ("stepgauge show --contra", "--contradicted"),
        ("stepgauge compare --format ma", "markdown"),
        ("stepgauge score ques", "questions.jsonl"),
        ("stepgauge compare ques", "questions.jsonl"),
        ("stepgauge score out --out fol", "folder"),
    ],
)
def test_bash_completes_commands_options_and_files(typed, completed, tmp_path, capsys):
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    (tmp_path / "completion").write_text(script, encoding="utf-8")
    (tmp_path / "questions.jsonl").touch()
    (tmp_path / "folder").mkdir()
    words = typed.split()
    ask = (
        f"source completion; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}\n"
        "asked=$(complete -p stepgauge | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        f'$asked stepgauge {words[-1]} {words[-2]}; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [completed], done.stderr


def test_completion_without_shtab_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 2
    assert "needs shtab: pip install 'stepgauge[completion]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("score x --scoer smollm2", "stepgauge: score: unknown option '--scoer'; did you mean '--scorer'?"),
        ("show x --wrongg", "stepgauge: show: unknown option '--wrongg'; did you mean '--wrong'?"),
        ("--verison", "stepgauge: unknown option '--verison'; did you mean '--version'?"),
        ("metrics infogain", "stepgauge: metrics: unexpected argument 'infogain'"),
    ],
)
def test_a_mistyped_option_is_one_line_with_the_nearest_one(line, said, capsys):
    assert main(line.split()) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(said)
