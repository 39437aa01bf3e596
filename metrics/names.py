"""Looks things up by name, with one wording for "no such name": what was given, the nearest name, all valid ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from .addresses import without_login

Thing = TypeVar("Thing")


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """`unknown splitter 'lnes'; did you mean 'lines'? Known: auto, lines, …`"""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown {kind} {without_login(name)!r}{hint} Known: {', '.join(names)}"


def lookup(kind: str, things: Mapping[str, Thing], name: str) -> Thing:
    """`things[name]`, or a ValueError that names what was asked for and the nearest valid name."""
    if name not in things:
        raise ValueError(unknown_name(kind, name, things))
    return things[name]
