"""A hook of MkDocs: pages keep the places that they have in the repo, so that a link works here as it does on GitHub.

MkDocs by itself takes the files of one folder. The pages of this project lie where their readers are: beside the
benchmarks, beside the tasks, at the root. A notebook is kept without outputs, so that they are never stale; it is run
here, and its page shows what it prints.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor

PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/*.ipynb",
    "docs/images/*",
    "docs/assets/*",
    "benchmarks/README.md",
    "benchmarks/*/*.md",
    "tasks/lm_eval/README.md",
    "tasks/lm_eval/*/README.md",
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's files, and ours under their paths in the repo."""
    root = Path(config.config_file_path).parent
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for path in (path for pattern in PAGES for path in sorted(root.glob(pattern))):
        name = path.relative_to(root).as_posix()
        files.append(File(name, str(root), config.site_dir, config.use_directory_urls))
        if path.suffix == ".ipynb":
            page, outputs = run_notebook(path)
            files.append(File.generated(config, f"docs/{path.stem}.md", content=page))
            for output, content in outputs.items():
                files.append(File.generated(config, f"docs/{output}", content=content))
    return files


def run_notebook(path: Path) -> tuple[str, dict[str, bytes]]:
    """Run a notebook's cells: its page as Markdown, and the images that the page shows by their paths beside it.

    Raises PluginError, which ends the build, with the traceback of a cell that raises.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"  # the build fetches nothing
    notebook = nbformat.read(path, as_version=4)
    try:
        ExecutePreprocessor(timeout=600).preprocess(notebook, {"metadata": {"path": str(path.parent)}})
    except CellExecutionError as error:
        raise PluginError(f"{path.name}: a cell raises {error.ename}: {error.evalue}\n{error}") from error
    for cell in notebook.cells:  # warnings name folders of the machine that builds
        cell.outputs = [one for one in cell.get("outputs", []) if one.get("name") != "stderr"]
    names = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
    page, resources = MarkdownExporter().from_notebook_node(notebook, names)
    return page, resources["outputs"]
