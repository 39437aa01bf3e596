"""Finds agents' labels ("Action:", "Observation:") and fences with a program's output, as marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from .marks import Mark

_LABEL = re.compile(
    r"^[ \t>*#_]{0,8}(?P<label>Thought|Action Input|Action|Act|Code|Observation|Obs|Final Answer)"
    r"(?:[ \t]\d{1,3})?(?:\*\*|__)?"
    r"[ \t]?[:：](?P<finish>[ \t*]*(?:Finish|Submit|Answer|Final Answer)\b)?",
    re.IGNORECASE | re.MULTILINE,
)
# Lines with which ollama's command sets thinking apart.
_OLLAMA = re.compile(r"\A\s{0,8}Thinking\.\.\.[ \t]*$|^(?P<done>\.\.\.done thinking\.)[ \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^[ \t]{0,8}(?:```|~~~)[ \t]*(?P<info>[A-Za-z_]{0,20})[^\n`]{0,80}$", re.MULTILINE)
_CALLS = frozenset({"tool_code", "tool_call"})
_OUTPUT = frozenset({"output", "outputs", "stdout", "result", "results", "response", "observation"})


def find_labels(text: str) -> Iterator[Mark]:
    """What sets an agent's actions and observations, and a program's output, apart from its thoughts.

    One of the labels alone may head anything ("Observation: the patient is pale"); two of them are an agent's.
    """
    labels = list(_LABEL.finditer(text))
    names = {match["label"].lower()[:3] for match in labels}
    if len(names & {"tho", "act", "obs"}) > 1:
        for match, after in zip_longest(labels, labels[1:]):
            name = match["label"].lower()
            if name.startswith("obs"):
                yield Mark(match.start(), match.end(), "label", word="tool_result")
            elif name.startswith(("act", "code")) and not match["finish"]:
                yield Mark(match.start(), match.end(), "label", word="tool_call")
                blank = text.find("\n\n", match.end(), after.start() if after else len(text))
                if blank >= 0:  # the result stands in a message of its own
                    yield Mark(blank, blank, "label", word="text")
            else:  # the label belongs to the step
                yield Mark(match.start(), match.start(), "label", word="text" if name == "thought" else "answer")
    for match in _OLLAMA.finditer(text):
        yield Mark(match.start(), match.end(), "thinking", closing=match["done"] is not None, name="thinking...")
    opening = None
    for match in _FENCE.finditer(text):
        if opening is None:
            opening = match
        else:
            info = opening["info"].lower()
            returned = info.rpartition("_")[2] in _OUTPUT
            if returned or info in _CALLS:
                kind = "tool_result" if returned else "tool_call"
                yield Mark(opening.start(), opening.end(), kind, name="fence")
                yield Mark(match.start(), match.end(), kind, closing=True, name="fence")
            opening = None
