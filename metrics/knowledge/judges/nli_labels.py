"""Which verdict each label of an NLI checkpoint stands for: read from its name, or given by the user."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...names import unknown_name
from ..types import Label

_VERDICTS: tuple[Label, ...] = ("supported", "contradicted", "insufficient")
# Names in published checkpoints, without case, spaces and punctuation.
_KNOWN: dict[str, Label] = {
    "entailment": "supported",
    "entailed": "supported",
    "entails": "supported",
    "entail": "supported",
    "support": "supported",
    "supports": "supported",
    "supported": "supported",
    "contradiction": "contradicted",
    "contradicts": "contradicted",
    "contradicted": "contradicted",
    "contradict": "contradicted",
    "refute": "contradicted",
    "refutes": "contradicted",
    "refuted": "contradicted",
    "neutral": "insufficient",
    "notenoughinfo": "insufficient",
    "notenoughinformation": "insufficient",
    "nei": "insufficient",
    "insufficient": "insufficient",
    # Two-label checkpoints: "not entailed" is both "contradicted" and "says nothing of it", so it decides nothing.
    "notentailment": "insufficient",
    "notentailed": "insufficient",
    "nonentailment": "insufficient",
    "notsupported": "insufficient",
    "unsupported": "insufficient",
}


def read_labels(model: str, id2label: Mapping[int, str], labels: Mapping[str, str] | None) -> list[Label]:
    """The verdict that each of a checkpoint's outputs stands for, in the order of the outputs.

    `labels` maps the checkpoint's names to verdicts and must name every one. Without it, all names must be
    recognisable; an output's index is never taken for its meaning.

    Raises:
        ValueError: names that say nothing, a mapping that leaves one out or names one that does not exist, or no
            output that means "supported".
    """
    names = [str(id2label[i]) for i in sorted(id2label)]
    if len(names) < 2:
        raise _wrong(model, names, "a checkpoint with one output gives a score, not a verdict; two or more are needed")
    found = _recognised(model, names) if labels is None else _mapped(model, names, labels)
    if "supported" not in found:
        raise _wrong(model, names, f"none of them means 'supported' in {dict(zip(names, found, strict=True))}")
    return found


def _recognised(model: str, names: list[str]) -> list[Label]:
    found: list[Label | None] = [_KNOWN.get(re.sub(r"[\W_]", "", name.casefold())) for name in names]
    unclear = [name for name, label in zip(names, found, strict=True) if label is None]
    if unclear:
        example = ", ".join(f"{name!r}: …" for name in names)
        raise _wrong(
            model,
            names,
            f"what {unclear[0]!r} means cannot be told from its name; look it up in the checkpoint's documentation and "
            f"give labels={{{example}}} with {', '.join(_VERDICTS)}",
        )
    return [label for label in found if label is not None]


def _mapped(model: str, names: list[str], labels: object) -> list[Label]:
    if not isinstance(labels, Mapping):
        raise _wrong(model, names, f"labels {labels!r:.80}: expected a mapping from these names to verdicts")
    # YAML reads the keys of {0: insufficient, 1: supported} as numbers.
    given = {str(name): verdict for name, verdict in labels.items()}
    for name, verdict in given.items():
        if name not in names:
            raise _wrong(model, names, f"labels: {unknown_name('label', name, names)}")
        if verdict not in _VERDICTS:
            raise _wrong(model, names, f"labels, {name!r}: {unknown_name('verdict', verdict, _VERDICTS)}")
    for name in names:
        if name not in given:
            raise _wrong(model, names, f"labels leaves out {name!r}; give one of {', '.join(_VERDICTS)} for it")
    return [_VERDICTS[_VERDICTS.index(given[name])] for name in names]


def _wrong(model: str, names: list[str], what: str) -> ValueError:
    return ValueError(f"judge 'nli', model {model!r} with the labels {', '.join(map(repr, names))}: {what}")
