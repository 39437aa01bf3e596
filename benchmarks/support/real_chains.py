"""Reads real chains of thought with gold answers, and options if the question has them, from shared/data.

Chains are drawn with a fixed seed. Those longer than `CHARACTERS` are left out, so that a model with a context of 8,192
tokens can score every one of them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from stepgauge.adapters.formats.entries import Unreadable, Where
from stepgauge.adapters.formats.mmlu_pro import reader
from stepgauge.adapters.formats.sources import Source
from stepgauge.metrics import Trace

from ..comparison.replay import CATEGORIES, file_of, rows_of

CHARACTERS = 8000
SEED = 0
_MMLU_PRO_MODELS = ("Meta-Llama-3_1-8B-Instruct", "mathstral-7B")
OPTION = re.compile(r"^([A-J]): (.*\S)\s*$", re.MULTILINE)


def gsm8k(data: Path) -> list[Trace]:
    """Solutions by GSM8K's example models; the gold answer is a number."""
    traces = []
    for i, line in enumerate((data / "gsm8k" / "example_model_solutions.jsonl").read_text("utf-8").splitlines()):
        row = json.loads(line)
        gold = row["ground_truth"].rpartition("A: ")[2]
        for model in ("6b_finetuning", "175b_verification"):
            traces.append(Trace(row["question"], row[model]["solution"], gold, id=f"gsm8k {i} {model}"))
    return traces


def prmbench(data: Path) -> list[Trace]:
    """PRM800K's solutions as PRMBench gives them; the gold answer is the last word of the last step."""
    traces = {}
    for path in sorted((data / "prmbench").glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            response = "\n".join(row["original_process"])
            if gold := row["original_process"][-1].rstrip(".").rpartition(" ")[2]:
                traces[response] = Trace(row["original_question"], response, gold, id=row["idx"])
    return list(traces.values())


def mrben(data: Path) -> list[Trace]:
    """MR-Ben's solutions in medicine and mathematics, with the options' texts; the gold answer is one of them."""
    traces = []
    for name in ("math", "medicine"):
        for rows in json.loads((data / "mrben" / f"{name}.json").read_text("utf-8")).values():
            for row in rows:
                options = dict(OPTION.findall(row["Options"]))
                gold = options.get(row["Ground_Truth_Answer"])
                if gold is None or len(set(options.values())) < len(options):
                    continue
                question = f"{row['Question']}\n{row['Options']}"
                response = "\n".join(row["Model_Solution_Steps"])
                id = f"{row['Question_UUID']} {row['Sampled_Model']}"
                traces.append(Trace(question, response, gold, list(options.values()), id=id))
    return traces


def mmlu_pro(data: Path) -> list[Trace]:
    """Two tuned models' responses to MMLU-Pro's health and mathematics questions, read as in `stepgauge score`."""
    del data  # file_of looks it up
    traces = []
    for model in _MMLU_PRO_MODELS:
        read = reader(Source(str(file_of(model)), "mmlu_pro"))
        for number, row in enumerate(rows_of(model), 1):
            if row["category"] not in CATEGORIES:
                continue
            try:
                traces += [entry.trace for entry in read(Where(model, number), row)]
            except Unreadable:  # duplicate options: `stepgauge score` skips such rows, too
                continue
    return traces


SETS: dict[str, Callable[[Path], list[Trace]]] = {
    "gsm8k": gsm8k,
    "prmbench": prmbench,
    "mrben": mrben,
    "mmlu_pro": mmlu_pro,
}


def sample(data: Path, name: str, count: int) -> list[Trace]:
    """`count` chains of a set. Raises ValueError if it has fewer."""
    fitting = [trace for trace in SETS[name](data) if trace.response.strip() and _characters(trace) <= CHARACTERS]
    if count > len(fitting):
        raise ValueError(f"{name} holds {len(fitting)} chains of up to {CHARACTERS} characters, {count} were asked for")
    return random.Random(SEED).sample(fitting, count)


def mixture(data: Path, count: int, shares: Sequence[tuple[str, float]]) -> list[tuple[str, Trace]]:
    """`count` chains with their sets' names. The shares sum to 1; the first set gets the rounding remainder."""
    counts = {name: int(count * share) for name, share in shares}
    counts[shares[0][0]] += count - sum(counts.values())
    return [(name, trace) for name, number in counts.items() for trace in sample(data, name, number)]


def _characters(trace: Trace) -> int:
    return len(trace.question) + len(trace.response)
