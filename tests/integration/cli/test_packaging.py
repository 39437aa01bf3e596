"""The wheel: what it installs, and that it works where only it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import metadata
from pathlib import Path

import pytest
from repo import REPO

ROOT = REPO
FOLDERS = ("metrics", "adapters", "tasks")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: setuptools writes build folders beside the source."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--wheel-dir", target]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def clean_environment(wheel, tmp_path_factory) -> Path:
    """A new virtual environment that holds the wheel and nothing else; returns its python."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*pip, wheel], check=True)
    return python


def run_clean(python: Path, code: str) -> str:
    # The dependencies come from this environment's folder; its editable stepgauge does not, since PYTHONPATH
    # entries are not searched for .pth files.
    env = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib"), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([python, "-c", code], env=env, cwd="/", check=True, capture_output=True, text=True).stdout


def test_no_top_level_name_but_stepgauge_appears(clean_environment):
    site = next((clean_environment.parent.parent / "lib").glob("python*/site-packages"))
    names = {path.name for path in site.iterdir()}
    ours = {
        name for name in names if not re.match(r"(pip|setuptools|wheel|pkg_resources|_distutils_hack|distutils-)", name)
    }
    assert {name for name in ours if not name.endswith(".dist-info")} - {"__pycache__"} == {"stepgauge"}
    assert {path.name for path in (site / "stepgauge").iterdir()} - {"__pycache__"} == set(FOLDERS)


def test_every_module_and_data_file_of_the_repo_is_in_the_wheel(wheel):
    kept = {".py", ".yaml", ".jsonl", ".md", ".txt", ".typed"}
    expected = {
        f"stepgauge/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix in kept or path.name == "LICENSE") and "__pycache__" not in path.parts
    }
    missing = expected - set(zipfile.ZipFile(wheel).namelist())
    assert not missing


def test_installed_wheel_scores_and_its_command_runs(clean_environment):
    code = (
        "import stepgauge.metrics as m; from stepgauge.metrics import Gauge, Trace\n"
        "print(m.__file__)\n"
        "s = Gauge(scorer=None).score([Trace('q', '48 / 2 = 24\\n24 + 1 = 26', '25')])[0]\n"
        "print(s.n_steps, s.ki)"
    )
    where, numbers = run_clean(clean_environment, code).splitlines()
    assert str(clean_environment.parent.parent) in where
    assert numbers == "2 0.5"
    code = "import sys; from stepgauge.adapters.cli import main; sys.exit(main(['plugins']))"
    assert "infogain_nats" in run_clean(clean_environment, code)


def test_importing_the_core_imports_neither_framework_nor_torch():
    code = "import sys, stepgauge.metrics; print([n for n in ('lm_eval', 'inspect_ai', 'torch') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_core_mentions_no_framework_and_no_absolute_import_of_itself():
    for path in (ROOT / "metrics").rglob("*.py"):
        imports = re.findall(r"^\s*(?:from|import) +([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name in imports if name.split(".")[0] in ("lm_eval", "inspect_ai", "stepgauge")], path


def test_extras_are_those_the_readme_names():
    assert set(metadata("stepgauge").get_all("Provides-Extra") or ()) == {
        "lm-eval",
        "inspect",
        "fit",
        "openai",
        "retrieval",
        "generation",
        "report",
        "all",
        "dev",
    }
