"""Which code blocks of the documentation tests run, and why the others are only read."""

from __future__ import annotations

import shlex

from arguments import command_lines
from commands import blocks
from repo import REPO

SHELL = ("bash", "sh")
RUN = (*SHELL, "python", "yaml", "json", "toml")
NEVER_RUN = ("text", "bibtex", "")  # what is printed, a picture, a citation

# Pages with a test of their own, which looks at what is printed; `test_pages.py` runs all others.
OWN_TEST = {
    "README.md": "test_readme.py",
    "docs/custom-tasks.md": "test_guide.py",
    "docs/domain-checker.md": "test_domain_checker.py",
    "docs/inspect.md": "test_inspect.py",
    "docs/own-documents.md": "test_own_documents.py",
    "docs/paper.md": "test_paper.py",
    "docs/recipes.md": "test_recipes.py",
}

HUB = "a model of billions of parameters and data of the hub"
# How a command, or a block of another language, begins: why it is not run. Its arguments are read all the same.
NOT_RUN = {
    "pip install": "fetches from a registry",
    "stepgauge judge-check --judges lm --on scifact": "public data of the user",
    "stepgauge --print-completion": "writes into the user's home",
    "stepgauge lm-eval run --model hf --model_args pretrained=Qwen/Qwen2.5-7B-Instruct": HUB,
    "accelerate launch --multi_gpu": "several GPUs",
    "filter_list:\n  - name: reasoning": "a version of lm-eval that finds plugins; none is released",
    "stepgauge score out --out scores --ray": "a Ray cluster, or GPUs",
    "stepgauge score out --out scores --device cuda:*": "several GPUs",
    "inspect score log.eval --scorer stepgauge/knowledge": "a paid server",
    "inspect eval stepgauge/tatqa": "data of the hub, and minutes; test_finance_tasks.py runs the task",
    "include: tatqa_cot_stepgauge.yaml": "data of the hub; test_finance_tasks.py runs the same",
    "stepgauge lm-eval run --tasks finance_local": "files of the user's own, and minutes",
    "stepgauge lm-eval run --tasks legal_local": "files of the user's own, and minutes",
    "inspect eval stepgauge/with_reasoning -T task=inspect_evals/": "a paid server and data of the hub",
    "stepgauge corpus build SOURCE DEST --dense ncbi/MedCPT-Article-Encoder": "two models of the hub",
    "import gzip, json, re, sys, time": "a measurement, of minutes",
    "stepgauge corpus build statutes.jsonl": "a source of the user's own, as test_provisions.py builds one",
    "inspect eval stepgauge/hearsay -T path=test.tsv": "LegalBench's file, minutes; see test_legal_tasks.py",
    "lm-eval run --model hf --model_args pretrained=HuggingFaceTB/SmolLM2-135M-Instruct": "sixty questions, minutes; "
    "`stepgauge demo` runs the same task",
}


def pages() -> list[str]:
    """The pages for users that hold a block of a language that can be run."""
    found = [path for place in ("README.md", "docs/*.md", "tasks/**/README.md") for path in sorted(REPO.glob(place))]
    names = [path.relative_to(REPO).as_posix() for path in found]
    return [name for name in names if any(language not in NEVER_RUN for language, _ in blocks(name))]


def why_not(text: str) -> str | None:
    """The beginning in `NOT_RUN` that a command or a block has; None: it is run."""
    return next((start for start in NOT_RUN if text.startswith(start)), None)


def to_run(body: str) -> str:
    """A shell block without the commands that are not run."""
    left_out = [words for words in command_lines(body) if why_not(shlex.join(words))]
    lines = body.replace("\\\n", " ").splitlines(keepends=True)
    return "".join(line for line in lines if shlex.split(line, comments=True) not in left_out)
