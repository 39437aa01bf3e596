"""Does the rule for abstentions say what a reader says? Precision and recall on 200 responses that were read.

    STEPGAUGE_SHARED=… python -m benchmarks.comparison.abstention [--wrong]

The labels are in abstention_labels.tsv, by source, identifier and a hash of the response; no text is in it. How the
responses were drawn: `draw`. What the labels mean: `LABELS`. The rule was changed after looking at where it and
the labels differ in the half `tune`; `report` is not blind either, as RESULTS.md says. `--wrong` lists the differences.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepgauge.metrics.abstention.rule import stance_of

TABLE = Path(__file__).with_name("abstention_labels.tsv")
SEED = 20
LABELS = {
    "answered": "settles on an option, a value or a text as its answer, be it wrong or 'the closest'",
    "abstained": "says that it gives no answer, or that no option is right, and chooses none; or refuses",
    "undetermined": "ends without either: cut off, going in circles, or stopped before an answer",
}
_MMLU_PRO = ("Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-8B", "Mistral-7B-v0.1", "mathstral-7B")
_GSM8K = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
_END = 400
# Wider than the rule's list, and made without it: responses in which an abstention could be.
_WORDED = re.compile(
    r"(?:can ?not|can't|could not|couldn't|un)[ -]?(?:be )?(?:able|determine|answer|known|sure|clear|certain|decide)"
    r"|(?:don't|do not|didn't|does not|doesn't) (?:know|match|include|correspond|appear|have enough|provide)"
    r"|not (?:enough|sure|certain|possible|given|listed|among|one of|on the list|an option|in the|available|provided)"
    r"|none of|no (?:correct|answer|option|idea|choice)|insufficient|impossible|more information|mistake|sorry|unable"
    r"|i can(?:not|'t)|as an ai|unknown|ambiguous|neither",
    re.IGNORECASE,
)
_LETTER = re.compile(r"answer is:? \(?[A-J]\b|answer \(?[A-J]\)|Choice_[A-J]")


@dataclass(frozen=True)
class Item:
    """A response, and where it is from."""

    source: str
    key: str
    response: str
    choices: Sequence[str] | None
    model_answer: str | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.response.encode()).hexdigest()[:16]


def items(data: Path) -> Iterator[Item]:
    """All responses of models in the shared data, in the order of the files."""
    for model in _MMLU_PRO:
        with zipfile.ZipFile(data / "mmlupro-outputs" / f"model_outputs_{model}_5shots.zip") as archive:
            for row in json.loads(archive.read(archive.namelist()[0])):
                key = str(row["question_id"])
                yield Item(f"mmlupro/{model}", key, row["generated_text"], row["options"], row["pred"])
    lines = (data / "gsm8k" / "example_model_solutions.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        row = json.loads(line)
        for model in _GSM8K:
            yield Item(f"gsm8k/{model}", str(number), row[model]["solution"], None)
    for name in ("medicine", "math"):
        for rows in json.loads((data / "mrben" / f"{name}.json").read_text(encoding="utf-8")).values():
            for row in rows:
                options = [line.partition(":")[2].strip() for line in row["Options"].strip().splitlines()]
                source = f"mrben-{name}/{row['Sampled_Model']}"
                yield Item(source, row["Question_UUID"], "\n".join(row["Model_Solution_Steps"]), options)


def draw(data: Path) -> list[tuple[str, str, Item]]:
    """(stratum, half, item) of 200 responses.

    100 `plain` ones, from each model and data set; 30 whose end has a wording of `_WORDED`; 50 of those whose end
    announces no letter; 20 of MMLU-Pro with neither. Every other one of a stratum is in the half `tune`.
    """
    rng = random.Random(SEED)
    of_source: dict[str, list[Item]] = {}
    for item in items(data):
        of_source.setdefault(item.source, []).append(item)
    drawn: list[tuple[str, list[Item]]] = []
    plain: list[Item] = []
    for source, found in of_source.items():
        plain += rng.sample(found, 15 if source.startswith("mmlupro") else 4)
    drawn.append(("plain", plain))
    taken = {(item.source, item.key) for item in plain}
    rest = [item for found in of_source.values() for item in found if (item.source, item.key) not in taken]
    worded = [item for item in rest if _WORDED.search(item.response[-_END:])]
    drawn.append(("worded", rng.sample(worded, 30)))
    taken |= {(item.source, item.key) for item in drawn[-1][1]}
    worded = [item for item in worded if (item.source, item.key) not in taken]
    drawn.append(("worded, no letter", rng.sample([one for one in worded if not _lettered(one)], 50)))
    silent = [item for item in rest if item.source.startswith("mmlupro") and not _lettered(item)]
    silent = [item for item in silent if not _WORDED.search(item.response[-_END:])]
    drawn.append(("no letter", rng.sample(silent, 20)))
    out: list[tuple[str, str, Item]] = []
    for stratum, found in drawn:
        rng.shuffle(found)
        out += [(stratum, ("tune", "report")[place % 2], item) for place, item in enumerate(found)]
    return out


def _lettered(item: Item) -> bool:
    return _LETTER.search(item.response[-_END:]) is not None


def labelled(data: Path) -> list[tuple[str, str, str, Item]]:
    """(stratum, half, label, item) of the table. Raises ValueError where a response is not the one that was read."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    wanted = {(row["source"], row["key"]) for row in rows}
    found = {(item.source, item.key): item for item in items(data) if (item.source, item.key) in wanted}
    out: list[tuple[str, str, str, Item]] = []
    for row in rows:
        item = found.get((row["source"], row["key"]))
        if item is None or item.digest != row["sha256"]:
            raise ValueError(f"{TABLE.name}: {row['source']} {row['key']} is another response than the one labelled")
        out.append((row["stratum"], row["half"], row["label"], item))
    return out


def said(item: Item) -> str:
    """What the rule says, given what the command gives it."""
    return stance_of(item.response, item.choices, model_answer=item.model_answer).outcome


def table(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Rows of Markdown: of each outcome the labels, precision and recall, from (label, what the rule says)."""
    counts, lines = Counter(pairs), []
    for name in LABELS:
        right = counts[name, name]
        claimed, there = (sum(n for pair, n in counts.items() if pair[i] == name) for i in (1, 0))
        precision, recall = (f"{right / of:.3f} ({right}/{of})" if of else "–" for of in (claimed, there))
        lines.append(f"| {name} | {there} | {precision} | {recall} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--wrong", action="store_true", help="list where rule and label differ")
    args = parser.parse_args()
    found = labelled(Path(os.environ["STEPGAUGE_SHARED"]) / "data")
    for half in ("tune", "report"):
        pairs = [(label, said(item)) for _, of, label, item in found if of == half]
        print(f"\n{half}: {len(pairs)} responses\n")
        print("| outcome | labelled | precision | recall |\n| --- | ---: | ---: | ---: |")
        print("\n".join(table(pairs)))
    if args.wrong:
        for stratum, half, label, item in found:
            if said(item) != label:
                print(f"\n{half}, {stratum}, {item.source} {item.key}: {label}, rule: {said(item)}")
                print(item.response[-300:])


if __name__ == "__main__":
    main()
