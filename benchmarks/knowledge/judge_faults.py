"""Shows how the judge `openai` handles a failing server, and that a second run pays for no reply twice.

    python -m benchmarks.knowledge.judge_faults

Run it from the root of a clone: it uses the tests' server (`tests/support/chat_server.py`), a real HTTP server on the
loopback interface. Each claim triggers one fault, in some cases only on the first request.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from stepgauge.metrics import Gauge, Trace
from stepgauge.metrics.knowledge.base import ClaimExtractor, Surroundings
from stepgauge.metrics.knowledge.judges.openai import OpenAIJudge, make
from stepgauge.metrics.knowledge.types import Claim, Verdict
from tests.support.chat_server import Answer, ChatServer, verdict

GOOD = verdict("supported", 0.9)
CASES: dict[str, list[Answer]] = {
    "answers": [GOOD],
    "says 'True.'": [Answer("True.")],
    "HTTP 500, always": [Answer(body=b'{"error": {"message": "overloaded"}}', status=500)],
    "HTTP 500, once": [Answer(body=b"{}", status=500), GOOD],
    "hangs, always": [Answer(delay=3)],
    "hangs, once": [Answer(delay=3), GOOD],
    "malformed JSON": [Answer('{"verdict": "supp')],
    "closes early, always": [verdict("supported", close=True)],
    "closes early, once": [verdict("supported", close=True), GOOD],
    "two verdicts": [Answer('{"verdict": "supported"} {"verdict": "contradicted"}')],
}


def lines(traces: list[Trace], steps: list[list]) -> list[list[Claim]]:
    del traces
    return [[Claim(s.text, i, s.start, s.end, "sentence", s.text) for i, s in enumerate(own)] for own in steps]


def run(base_url: str, cache: str) -> tuple[list[Verdict], OpenAIJudge, float]:
    around = Surroundings(lambda: None)  # type: ignore[arg-type, return-value]
    judge = make(
        around, base_url=base_url, model="m", timeout=0.5, max_retries=2, backoff=0.05, concurrency=4, cache=cache,
        prompt_price=1.0, completion_price=2.0,
    )  # fmt: skip
    gauge = Gauge(
        scorer=None, claims=[ClaimExtractor("lines", lines)], judges=[judge], retriever="given", splitter="lines"
    )
    chain = Trace("?", "\n".join(CASES), meta={"passages": ["What the textbook says."]})
    (score,) = gauge.score([chain])
    return [found for step in score.steps for found in step.verdicts], judge, score.metrics["n_failed"]


def main() -> int:
    table = Table("the server", "label", "probability", "error", "calls, first run", "calls, second run")
    with ChatServer(CASES) as server, tempfile.TemporaryDirectory() as cache:
        first, judge, failed = run(server.base_url, cache)
        calls = [server.claims().count(case) for case in CASES]
        second, again, _ = run(server.base_url, cache)
        repeated = [server.claims().count(case) - before for case, before in zip(CASES, calls, strict=True)]
        for found, before, after in zip(first, calls, repeated, strict=True):
            number = "" if found.probability is None else f"{found.probability:.2f}"
            table.add_row(found.claim.text, found.label or "–", number, found.error or "", str(before), str(after))
        paid = {found.claim.text for found in first if found.label}
        kept = all(n == 0 for case, n in zip(CASES, repeated, strict=True) if case in paid)
        print(f"{datetime.now(UTC):%Y-%m-%d}")
        Console(width=150).print(table)
        print(f"first run:  n_failed {failed:g}; {judge.totals}")
        print(f"second run: {again.totals}")
        print(f"labels of the first run kept by the second: {[v.label for v in second if v.claim.text in paid]}")
        print(f"paid replies asked for again: {'none' if kept else 'SOME'}")
        judge.close()
        again.close()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
