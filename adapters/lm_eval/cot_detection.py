"""Decides from a task's YAML whether it asks for a chain of thought, by rules instead of a list of tasks.

A chain is usable if the model writes text (`output_type: generate_until`), nothing cuts the text short, there is a gold
answer to measure, and at least one sign suggests that reasoning precedes the answer. Prompts and extraction that are
Python functions are read as source text; nothing is imported or run.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

# A limit below this leaves no room for reasoning.
_LEAST_TOKENS = 64
# With this much room and an extraction step, the answer probably comes at the end of a chain.
_ROOM = 1000
# Minimum number of words in the answer of a worked example.
_WORKED = 12
_ENDS_EARLY = ("\n", ".", ",", ";")

_NAMED = re.compile(r"(?:^|[_-])cot(?:[_-]|$)", re.IGNORECASE)
_ASKED = re.compile(
    r"step[ -]by[ -]step|chain[ -]of[ -]thought|let['’]?s think|\bthink (?:through|carefully|about)|thoughts?\W{0,4}:"
    r"|\breason (?:and|through|about)|show your work|explain your|\\boxed",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(r"####|answer is|\bboxed|\\\\?boxed|final answer", re.IGNORECASE)
_EXTRACTS = re.compile(r"regex|extract", re.IGNORECASE)
_DEPTH = 3


def output_type(config: Mapping[str, Any]) -> str:
    """The task's output type; lm-eval's default if the YAML names none."""
    return config.get("output_type") or "generate_until"


def obstacle(config: Mapping[str, Any]) -> str | None:
    """Why chains of this task cannot be scored; None if they can."""
    if output_type(config) != "generate_until":
        return f"output type {output_type(config)}"
    if "class" in config and not config.get("dataset_path"):
        return "configured in Python"
    if config.get("unsafe_code"):
        return "the answer is a program"
    if any(config.get(key) for key in ("doc_to_image", "doc_to_audio")):
        return "the question is not text alone"
    generation = config.get("generation_kwargs") or {}
    until = generation.get("until")
    if any(stop in _ENDS_EARLY for stop in ([until] if isinstance(until, str) else until or [])):
        return "generation stops at the first line or sentence"
    room = _room(config)
    if room is not None and room < _LEAST_TOKENS:
        return f"at most {room} tokens"
    if gold_source(config) is None:
        return "no gold answer"
    return None


def gold_source(config: Mapping[str, Any]) -> str | None:
    """What `doc_to_target` reads: a field, a template, or `module.function()`; None if it reads no document."""
    target = config.get("doc_to_target")
    if not isinstance(target, str) or not target.strip() or target.strip().isdigit():
        return None
    found = _function(target)
    return f"{found[0].stem}.{found[1]}()" if found else target.strip()


def sign(config: Mapping[str, Any]) -> str | None:
    """Why a chain of thought is expected; None if nothing suggests one."""
    if _NAMED.search(str(config.get("task", ""))) or "chain_of_thought" in _as_list(config.get("tag")):
        return "its name or tag"
    prompts = (config.get("doc_to_text"), config.get("description"), config.get("gen_prefix"))
    if _ASKED.search(" ".join(_text(part) for part in prompts)):
        return "its prompt"
    if any(len(target.split()) >= _WORKED for target in _few_shot_targets(config)):
        return "worked examples"
    extraction = [str(config.get("filter_list") or ""), _text(config.get("process_results"))]
    extraction = " ".join(extraction)
    if _ANNOUNCED.search(extraction):
        return "how its answer is extracted"
    if (_room(config) or 0) >= _ROOM and _EXTRACTS.search(extraction):
        return "room for a chain, and an extraction step"
    return None


def _room(config: Mapping[str, Any]) -> int | None:
    generation = config.get("generation_kwargs") or {}
    found = [generation.get(key) for key in ("max_gen_toks", "max_new_tokens", "max_tokens")]
    return next((value for value in found if isinstance(value, int)), None)


def _few_shot_targets(config: Mapping[str, Any]) -> Iterable[str]:
    samples = (config.get("fewshot_config") or {}).get("samples")
    for sample in samples if isinstance(samples, list) else []:
        yield from (value for key, value in sample.items() if key in ("target", "answer") and isinstance(value, str))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _text(part: Any) -> str:
    """A template unchanged; for an unresolved `!function` its source, with what it uses from its own module."""
    if not isinstance(part, str):
        return ""
    found = _function(part)
    return _source(*found) if found else part


def _function(part: str) -> tuple[Path, str] | None:
    """File and name of a function: lm-eval's index leaves `!function utils.f` as "<folder>/utils.f"."""
    if not part.startswith("/") or "\n" in part:
        return None
    module, _, name = part.rpartition(".")
    path = Path(f"{module}.py")
    return (path, name) if name.isidentifier() and path.is_file() else None


@functools.cache
def _definitions(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """For each top-level name of a module its source and the names it uses."""
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError):
        return {}
    out: dict[str, tuple[str, frozenset[str]]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        else:
            continue
        used = frozenset(found.id for found in ast.walk(node) if isinstance(found, ast.Name))
        for name in names:
            out[name] = (ast.unparse(_without_docstrings(node)), used)  # comments are gone, too
    return out


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@functools.cache
def _source(path: Path, name: str) -> str:
    known = _definitions(path)
    seen: dict[str, None] = {}
    layer = [name]
    for _ in range(_DEPTH):
        layer = [one for one in layer if one in known and one not in seen]
        seen.update(dict.fromkeys(layer))
        layer = sorted({used for one in layer for used in known[one][1]})
    return "\n".join(known[one][0] for one in seen)
