"""What a user can mend is one family of errors, which the command line prints as one line with exit code 2."""

from __future__ import annotations

import sys

import pytest

from stepgauge.adapters.cli import main, show
from stepgauge.metrics import OutOfMemory, StepgaugeError


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["score", "no.jsonl", "--dry-run"], "no.jsonl: no such file"),  # OptionError
        (
            ["score", "no.jsonl", "--limit", "-1", "--dry-run"],
            "--limit -1: expected a number, or 0 for all",
        ),  # UserError
        (["fit", "--traces", "no.jsonl", "--out", "x", "--limit", "-1"], "--limit -1: expected"),
        (["show", "no.jsonl", "--limit", "-1"], "--limit -1: expected"),
        (["compare", "no.jsonl", "other"], "no.jsonl: no such file"),
        (["report", "no.jsonl"], "no.jsonl: no such file"),
        (["corpus", "check", "nowhere"], "corpus 'nowhere': no such folder"),  # CorpusError
        (["fit", "--traces", "no.jsonl", "--out", "x", "--held-out", "7"], "held_out 7.0: expected"),  # FitError
        (["fit", "--traces", "no.jsonl", "--out", "x", "--scorer", "null"], "--scorer null: no scoring LM"),
        (["estimate", "no.jsonl", "--scorer", "null"], "--scorer null: nothing would be computed"),
        (["model", "nowhere.gguf"], "nowhere.gguf"),  # ScorerError
        (["show", "no.jsonl"], "no.jsonl: no such file"),
    ],
)
def test_each_commands_error_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    line = capsys.readouterr().err
    assert line.startswith("stepgauge: ")
    assert said in line
    assert line.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_running_out_of_memory_is_one_line_too(monkeypatch, capsys):
    def show_chains(*_: object, **__: object) -> None:
        raise OutOfMemory("a pass of 512 tokens does not fit")

    monkeypatch.setattr(show, "show_chains", show_chains)
    assert main(["show", "x"]) == 2
    assert capsys.readouterr().err == "stepgauge: a pass of 512 tokens does not fit\n"


def test_inspects_one_line_errors_are_of_the_family_and_no_value_errors():
    inspect_ai = pytest.importorskip("inspect_ai._util.error")
    from stepgauge.adapters.inspect.options import OptionError

    error = OptionError("an option [red] that is wrong")
    assert isinstance(error, StepgaugeError)
    assert isinstance(error, inspect_ai.PrerequisiteError)
    assert not isinstance(error, ValueError)
    assert str(error) == "an option [red] that is wrong"


@pytest.mark.parametrize(
    ("module", "arguments", "said"),
    [
        ("lm_eval", ["tasks"], "`stepgauge tasks` needs lm-eval: pip install 'stepgauge[lm-eval]'"),
        ("inspect_ai", ["show", "x.eval"], "needs inspect-ai: pip install 'stepgauge[inspect]'"),
        ("altair", ["report", "x"], "a report needs altair: pip install 'stepgauge[report]'"),
    ],
)
def test_a_missing_package_is_told_with_the_extra_that_brings_it(
    tmp_path, monkeypatch, capsys, module, arguments, said
):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "x.eval").write_bytes(b"")
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_bare_command_prints_help_and_a_mistyped_one_names_the_nearest(capsys):
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out
    assert main(["comprae", "a", "b"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("stepgauge: unknown command 'comprae'; did you mean 'compare'?")
    assert error.count("\n") == 1
    assert main(["--"]) == 2  # no command either
