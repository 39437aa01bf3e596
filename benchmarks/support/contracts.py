"""Reads ContractNLI's contracts and labelled claims from shared/data."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepgauge.metrics.knowledge.types import Label

LABELS: Mapping[str, Label] = {
    "Entailment": "supported",
    "Contradiction": "contradicted",
    "NotMentioned": "insufficient",
}


@dataclass(frozen=True)
class ContractClaim:
    """A hypothesis about a contract: its label, and which of the contract's spans show it."""

    text: str
    label: Label
    spans: frozenset[int]


@dataclass(frozen=True)
class Contract:
    """A contract in the annotators' spans, sentences and list items, in order."""

    id: str
    name: str
    spans: Sequence[str]
    claims: Sequence[ContractClaim]


def read_contracts(data: Path) -> list[Contract]:
    with gzip.open(data / "contractnli" / "dev.json.gz", "rt", encoding="utf-8") as file:
        content = json.load(file)
    said = {key: label["hypothesis"] for key, label in content["labels"].items()}
    return [
        Contract(
            str(document["id"]),
            document["file_name"],
            [document["text"][start:end] for start, end in document["spans"]],
            [
                ContractClaim(said[key], LABELS[one["choice"]], frozenset(one["spans"]))
                for key, one in document["annotation_sets"][0]["annotations"].items()
            ],
        )
        for document in content["documents"]
    ]
