"""Real chains for the benchmarks of the likelihood engine, and the likelihood requests for each of them.

Chains are read from $STEPGAUGE_SHARED/data; every run uses the same ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stepgauge.metrics import Trace
from stepgauge.metrics.chain_requests import chain_requests
from stepgauge.metrics.likelihood import Request
from stepgauge.metrics.segment import segment
from stepgauge.metrics.templates import PlainTemplate

from ..support.real_chains import sample

# GSM8K's calculator annotations: "48/2 = <<48/2=24>>24".
_ANNOTATION = re.compile(r"<<.*?>>")


@dataclass(frozen=True)
class ChainSet:
    """Chains of one kind.

    Attributes:
        read: takes the data folder and a number of chains; returns that many traces.
        count: default number of chains in a benchmark.
        splitter: the splitter that cuts them into steps.
        data: the folder they are read from.
    """

    read: Callable[[Path, int], list[Trace]]
    count: int
    splitter: str
    data: str


def requests_of(traces: Sequence[Trace], splitter: str) -> list[list[Request]]:
    """For each chain the distinct (context, answer) pairs that a run scores: every prefix with every option."""
    return [
        chain_requests(trace, cut.steps, PlainTemplate(), _no_chat, reference=False).requests
        for trace, cut in zip(traces, segment(traces, splitter), strict=True)
    ]


def joined(data: Path, steps: int, count: int, longest: int = 60, together: int = 1) -> list[Trace]:
    """`count` chains of exactly `steps` steps: a question of GSM8K, its solution, then solutions of the next ones.

    Args:
        data: folder that holds gsm8k/.
        steps: steps of each chain.
        count: chains.
        longest: maximum characters of a step; longer ones are skipped, so that 400 steps stay within 8,192 tokens.
        together: number of real steps joined into one step of the chain.
    """
    rows = map(json.loads, (data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines())
    traces = []
    for number in range(count):
        lines: list[str] = []
        question, answer = "", ""
        while len(lines) < steps * together:
            row = next(rows)
            question = question or row["question"]
            solution, _, answer = _ANNOTATION.sub("", row["answer"]).partition("\n#### ")
            lines += [line for line in solution.splitlines() if line.strip() and len(line) <= longest]
        parts = [" ".join(lines[i : i + together]) for i in range(0, steps * together, together)]
        traces.append(Trace(question, "\n".join(parts), answer, id=f"{steps} steps, {number}"))
    return traces


def _real(name: str, count: int, folder: str) -> ChainSet:
    return ChainSet(lambda data, wanted: sample(data, name, wanted), count, "auto", folder)


def _joined(steps: int, count: int) -> ChainSet:
    return ChainSet(lambda data, wanted: joined(data, steps, wanted), count, "lines", "gsm8k")


SETS: dict[str, ChainSet] = {
    "gsm8k": _real("gsm8k", 12, "gsm8k"),
    "mmlupro": _real("mmlu_pro", 3, "mmlupro-outputs"),
    "mrben": _real("mrben", 3, "mrben"),
    "joined36": _joined(36, 1),
    "joined100": _joined(100, 1),
    "joined400": _joined(400, 1),
}


def _no_chat(messages: Sequence[dict[str, str]]) -> str:
    raise ValueError(f"the plain template renders no chat messages, got {len(messages)}")
