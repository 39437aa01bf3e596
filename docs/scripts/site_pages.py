"""A hook of MkDocs: pages keep the places that they have in the repo, so that a link works here as it does on GitHub.

MkDocs by itself takes the files of one folder. The pages of this project lie where their readers are: beside the
benchmarks, beside the tasks, at the root.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
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
    return files
