"""The wheel: what it installs, and that it works where only it is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import metadata, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import yaml
from repo import REPO

ROOT = REPO
FOLDERS = ("metrics", "adapters", "tasks")
ROOT_FILES = ("__init__.py", "__main__.py")  # of `stepgauge` itself, from adapters/root


def copy_of_source(target: Path) -> Path:
    """What a build reads; builds write folders beside the source."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    return target


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    source, target = copy_of_source(tmp_path_factory.mktemp("source")), tmp_path_factory.mktemp("wheel")
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


@pytest.mark.slow
def test_no_top_level_name_but_stepgauge_appears(clean_environment):
    site = next((clean_environment.parent.parent / "lib").glob("python*/site-packages"))
    names = {path.name for path in site.iterdir()}
    ours = {
        name for name in names if not re.match(r"(pip|setuptools|wheel|pkg_resources|_distutils_hack|distutils-)", name)
    }
    assert {name for name in ours if not name.endswith(".dist-info")} - {"__pycache__"} == {"stepgauge"}
    assert {path.name for path in (site / "stepgauge").iterdir()} - {"__pycache__"} == {*FOLDERS, *ROOT_FILES}


def test_every_module_and_data_file_of_the_repo_is_in_the_wheel(wheel):
    kept = {".py", ".yaml", ".jsonl", ".md", ".txt", ".typed"}
    expected = {
        f"stepgauge/{path.relative_to(ROOT).as_posix().removeprefix('adapters/root/')}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix in kept or path.name == "LICENSE") and "__pycache__" not in path.parts
    }
    missing = expected - set(zipfile.ZipFile(wheel).namelist())
    assert not missing


@pytest.mark.slow
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


ROOT_OF_A_USER = (
    "import sys, stepgauge; from stepgauge import Gauge, Trace; from stepgauge.metrics import Gauge as same\n"
    "print(stepgauge.__version__, Gauge is same, Trace('q', 'a').question)"
)


@pytest.mark.slow
def test_installed_wheel_has_a_front_door_at_its_root(clean_environment):
    assert run_clean(clean_environment, ROOT_OF_A_USER).split() == [version("stepgauge"), "True", "q"]
    code = (
        "import sys, runpy; sys.argv = ['stepgauge', '--version']; runpy.run_module('stepgauge', run_name='__main__')"
    )
    assert run_clean(clean_environment, code).split() == ["stepgauge", version("stepgauge")]


def editable(source: Path, target: Path) -> Path:
    """A folder that holds what `pip install -e` would put into site-packages."""
    build = "import sys; from setuptools.build_meta import build_editable; build_editable(sys.argv[1])"
    target.mkdir()
    subprocess.run([sys.executable, "-c", build, target], cwd=source, check=True, capture_output=True)
    zipfile.ZipFile(next(target.glob("*.whl"))).extractall(target)
    return target


def module_written_later(source: Path, site: Path) -> str:
    """Write a module into the source of an editable install and import it as a user does."""
    (source / "tasks" / "written_later.py").write_text("FOUND = __name__, __file__\n")
    code = "import sys, site; site.addsitedir(sys.argv[1]); import stepgauge.tasks.written_later as m; print(*m.FOUND)"
    command = [sys.executable, "-I", "-S", "-c", code, site]
    return subprocess.run(command, cwd="/", check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_editable_install_is_a_folder_on_the_path_in_which_new_modules_appear(tmp_path):
    source = copy_of_source(tmp_path / "source")
    site = editable(source, tmp_path / "site")
    # A path, not code: type checkers read .pth files and follow no import hook.
    folder = Path(next(site.glob("*.pth")).read_text().strip())
    assert {path.name for path in folder.iterdir()} == {"stepgauge"}
    assert {path.name: path.resolve() for path in (folder / "stepgauge").iterdir()} == {
        **{name: (source / name).resolve() for name in FOLDERS},
        **{name: (source / "adapters" / "root" / name).resolve() for name in ROOT_FILES},
    }
    link = folder / "stepgauge" / "tasks" / "written_later.py"
    assert module_written_later(source, site) == f"stepgauge.tasks.written_later {link}"


@pytest.mark.slow
def test_editable_install_works_where_no_links_can_be_made(tmp_path):
    source = copy_of_source(tmp_path / "source")
    (source / ".editable").write_text("a file stands in the way")
    site = editable(source, tmp_path / "site")
    assert module_written_later(source, site).startswith("stepgauge.tasks.written_later ")


@pytest.mark.parametrize("module", ["stepgauge.metrics", "stepgauge.adapters.cli.commands"])
def test_importing_the_core_or_all_commands_imports_nothing_that_takes_seconds(module):
    heavy = ("lm_eval", "inspect_ai", "torch", "transformers", "scipy", "pandas", "matplotlib")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_core_mentions_no_framework_and_no_absolute_import_of_itself():
    for path in (ROOT / "metrics").rglob("*.py"):
        imports = re.findall(r"^\s*(?:from|import) +([\w.]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert not [name for name in imports if name.split(".")[0] in ("lm_eval", "inspect_ai", "stepgauge")], path


def test_the_wheel_holds_the_package_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"stepgauge"}
    assert not [name for name in names if re.search(r"(^|/)(tests?|conftest)\b|benchmarks", name)]


@pytest.fixture(scope="module")
def told(wheel) -> Message:
    """What the wheel tells PyPI."""
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(archive.read(name))


def test_pypi_gets_a_licence_an_author_and_the_readme_without_links_that_lead_nowhere(told):
    assert told["License-Expression"] == "Apache-2.0 AND CC-BY-4.0"
    assert told.get_all("License-File") == ["LICENSE", "tasks/samples/LICENSE"]
    assert told["Author"] == "The stepgauge maintainers"
    assert told["Description-Content-Type"] == "text/markdown"
    body = told.get_payload(decode=True).decode("utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert body.startswith(readme.splitlines()[0])
    targets = re.findall(r"\]\(([^)\s]+)\)", body)
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


@pytest.mark.parametrize(
    ("readme", "without", "with_it"),
    [
        ("[a](docs/a.md#b)", "a", "[a](https://h/r/blob/v1/docs/a.md#b)"),
        ("![p: 4 %](docs/p.png)", "", "![p: 4 %](https://h/r/raw/v1/docs/p.png)"),
        ("[b](https://x.org/a) [c](#limits)", *["[b](https://x.org/a) [c](#limits)"] * 2),
    ],
)
def test_links_of_the_readme_lead_to_the_tags_files(readme, without, with_it):
    spec = spec_from_file_location("stepgauge_setup", ROOT / "setup.py")
    setup = module_from_spec(spec)
    spec.loader.exec_module(setup)
    assert setup.pypi_readme(readme, "", "1") == without
    assert setup.pypi_readme(readme, "https://h/r", "1") == with_it


def test_the_citation_names_the_version_that_is_built():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == project["version"]
    assert " AND ".join(citation["license"]) == project["license"]


def test_extras_are_those_the_readme_names():
    assert set(metadata("stepgauge").get_all("Provides-Extra") or ()) == {
        "lm-eval",
        "inspect",
        "scout",
        "fit",
        "openai",
        "retrieval",
        "generation",
        "completion",
        "ray",
        "report",
        "train",
        "documents",
        "law",
        "all",
        "dev",
    }
