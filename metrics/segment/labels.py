"""Finds agents' labels ("Action:", "Observation:") and fences with a program's output, as marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .marks import Mark

_LABEL = re.compile(
    r"^[ \t>*#_]{0,8}(?P<label>Thought|Action Input|Action|Observation|Final Answer)(?:[ \t]\d{1,3})?(?:\*\*|__)?"
    r"[ \t]?[:：](?P<finish>[ \t*]*(?:Finish|Submit|Answer|Final Answer)\b)?",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)[ \t]*(?P<info>[A-Za-z_]{0,20})[^\n`]{0,80}$", re.MULTILINE)
_OUTPUT = frozenset({"output", "outputs", "stdout", "result", "execution_result", "tool_output", "observation"})


def find_labels(text: str) -> Iterator[Mark]:
    """What sets an agent's actions and observations, and a program's output, apart from its thoughts.

    "Observation:" alone may head a finding; beside "Action:" or "Thought:" it is what a tool returned.
    """
    labels = list(_LABEL.finditer(text))
    names = {match["label"].lower() for match in labels}
    if "observation" in names and names & {"action", "thought"}:
        for match in labels:
            name = match["label"].lower()
            if name == "observation":
                yield Mark(*match.span(), "label", word="tool_result")
            elif name.startswith("action") and not match["finish"]:
                yield Mark(*match.span(), "label", word="tool_call")
            else:  # the label belongs to the step
                word = "text" if name == "thought" else "answer"
                yield Mark(match.start(), match.start(), "label", word=word)
    opening = None
    for match in _FENCE.finditer(text):
        if opening is None:
            opening = match
        else:
            if opening["info"].lower() in _OUTPUT:
                yield Mark(*opening.span(), "tool_result", name="fence")
                yield Mark(*match.span(), "tool_result", closing=True, name="fence")
            opening = None
