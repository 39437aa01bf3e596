"""What a build needs beyond pyproject.toml: README.md as PyPI shows it, and for `pip install -e .` a folder on the path
that holds `stepgauge` as a package.

The folders metrics/, adapters/ and tasks/ are mapped onto `stepgauge.metrics` and so on. For a mapping setuptools
installs an import hook, which type checkers and editors cannot follow: `stepgauge` stays unresolved in every script.
Its mode `strict` links file by file, so that new modules are missing until the next install; its mode `compat` cannot
map. One link per folder has neither fault: setuptools then takes `.editable/` for an ordinary source folder, and puts
it on the path.
"""

import os
import re
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.editable_wheel import editable_wheel

LINKS = Path(".editable")
BUILD = Path("build")


class EditableByLinks(editable_wheel):
    def finalize_options(self) -> None:
        try:
            for package, folder in self.distribution.package_dir.items():
                link = LINKS.joinpath(*package.split("."))
                if package == "stepgauge":  # the links of the others lie in it: its files are linked, not their folder
                    for file in Path(folder).glob("*.py"):
                        _link(link / file.name, file)
                else:
                    _link(link, Path(folder))
        except OSError as error:  # Windows allows links only to some: the import hook works there, type checkers do not
            self.warn(f"no links in {LINKS} ({error}): type checkers will not find stepgauge")
        else:
            self.distribution.package_dir = {"": str(LINKS)}
        super().finalize_options()


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(target, link.parent), target_is_directory=target.is_dir())


def pypi_readme(readme: str, repository: str, version: str) -> str:
    """README.md for a page that lies nowhere near the repository's files.

    Args:
        repository: its address on GitHub; links and images lead to the files of the version's tag there. "" while it
            has none: links become their text, and images are left out.
    """

    def linked(match: re.Match[str]) -> str:
        is_image, text, path = match["image"], match["text"], match["path"]
        if not repository:
            return "" if is_image else text
        return f"{is_image}[{text}]({repository}/{'raw' if is_image else 'blob'}/v{version}/{path})"

    # A link's target that is a path: neither an address nor a place on the page.
    return re.sub(r"(?P<image>!?)\[(?P<text>[^\[\]]*)\]\((?P<path>(?![a-z]+:|#)[^()\s]+)\)", linked, readme)


def _pypi_readme() -> str:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project.get("urls", {}).get("Repository", "")
    return pypi_readme(Path("README.md").read_text(encoding="utf-8"), repository, project["version"])


if __name__ == "__main__":
    # Not in this folder: where it is on the path (`python -m pytest`), the distribution found first would be the one
    # there, which does not say that it is an editable install, and Inspect would not find `stepgauge/reasoning`.
    BUILD.mkdir(exist_ok=True)
    setup(
        cmdclass={"editable_wheel": EditableByLinks},
        options={"egg_info": {"egg_base": str(BUILD)}},
        long_description=_pypi_readme(),
        long_description_content_type="text/markdown",
    )
