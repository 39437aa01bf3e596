"""Measures the whole path from a claim to its verdict on contracts: retrieval within the document, then the judge.

    python -m benchmarks.knowledge.contractnli [--limit 20] [--k 5 10] [--judge '{"name": "lm", "insufficient": 0.1}' …]

Data ($STEPGAUGE_SHARED/data): ContractNLI (Koreeda and Manning 2021, arXiv 2110.01799), development half: 61
non-disclosure agreements with 17 hypotheses each, which a contract entails (supported), contradicts (contradicted) or
does not mention (not covered: insufficient). The annotators' spans, sentences and list items, are the passages.

Retrievers, each within the claim's own contract: `given` (all passages, no search), `given` with k, which searches by
BM25, and `bm25`, `dense` and `hybrid` over an index of the contract (all-MiniLM-L6-v2 from its wheel). Evidence recall
is the share of the labelled spans that are among the passages found, `any` the share of claims with at least one.

Judges decide each claim on what a retriever found, the first k passages: `perfect` knows the label, but must have found
one of the spans that show it, so it is the upper end of what any judge can do with that retriever; `majority` always
says "supported"; `nli`, with --nli, is the stand-in of `fit_nli`, which has no label "contradicted", with every
retriever; `lm` is the scoring LM, by default with a band of 0.1 in which it says "insufficient", with the first
retriever (`given` with k). Judges with a model see the first k of --k. Rows of the confusion are labels, columns
verdicts. Nothing is tuned.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.knowledge import fit_nli
from benchmarks.support.contracts import Contract, read_contracts
from benchmarks.support.labelled import shared_data
from stepgauge.metrics import Gauge
from stepgauge.metrics.errors import ScorerError
from stepgauge.metrics.knowledge.assess import assess
from stepgauge.metrics.knowledge.base import ClaimExtractor, Judge, Retriever, Surroundings
from stepgauge.metrics.knowledge.claims.sentence import SENTENCE
from stepgauge.metrics.knowledge.types import Claim, Label, Passage, Verdict
from stepgauge.metrics.names import lookup
from stepgauge.metrics.plugins import registry
from stepgauge.metrics.retrieval.build import build_corpus
from stepgauge.metrics.retrieval.encoders import DenseOptions, Encoder, SentenceEncoder
from stepgauge.metrics.retrieval.retrievers import Bm25Retriever, DenseRetriever, GivenRetriever, HybridRetriever
from stepgauge.metrics.trace import Step, Trace

LABELS: tuple[Label, ...] = ("supported", "contradicted", "insufficient")
DEPTHS = (1, 3, 5, 10)
FAILED = "failed"
ALL = "all"  # all passages of the contract, without search
LM = {"name": "lm", "insufficient": 0.1}
Found = Sequence[Sequence[Sequence[Passage]]]  # of each contract, of each of its claims


def trace_of(contract: Contract) -> Trace:
    passages = [{"id": str(number), "text": text} for number, text in enumerate(contract.spans)]
    return Trace("", "", id=contract.id, meta={"passages": passages})


def claim_of(text: str) -> Claim:
    return Claim(text, 0, 0, len(text), SENTENCE, text)


def hypotheses(traces: Sequence[Trace], steps: Sequence[Sequence[Step]]) -> list[list[Claim]]:
    """Each trace is one claim."""
    return [[claim_of(step.text) for step in own] for _, own in zip(traces, steps, strict=True)]


def found_by(retriever: Retriever, contract: Contract) -> list[list[Passage]]:
    """The passages for each claim of a contract."""
    trace = trace_of(contract)
    return retriever.retrieve([claim_of(one.text) for one in contract.claims], [trace] * len(contract.claims))


class Recorded:
    """Returns the first `k` passages that a retriever found before; None: all of them."""

    def __init__(self, name: str, contracts: Sequence[Contract], found: Found, k: int | None = None) -> None:
        self.name = name
        self._found = {
            (contract.id, claim.text): list(passages[:k])
            for contract, of_contract in zip(contracts, found, strict=True)
            for claim, passages in zip(contract.claims, of_contract, strict=True)
        }

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        return [self._found[str(trace.id), claim.text] for claim, trace in zip(claims, traces, strict=True)]


def index_of(contract: Contract, folder: Path, encoder: Encoder, options: DenseOptions) -> str:
    """A corpus of one contract; a document for each of its spans."""
    source = folder / f"{contract.id}.jsonl"
    rows = [{"id": str(number), "text": text} for number, text in enumerate(contract.spans)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    dest = folder / contract.id
    build_corpus(source, dest, dense=options, encoder=lambda: encoder, chunk_words=5_000, progress=False)
    return str(dest)


def recall(contracts: Sequence[Contract], found: Found, k: int | None) -> list[str]:
    """Evidence recall over labelled spans, and the share of claims with at least one, among the first `k` passages."""
    hits = spans = some = claims = 0
    for contract, of_contract in zip(contracts, found, strict=True):
        for claim, passages in zip(contract.claims, of_contract, strict=True):
            if not claim.spans:
                continue
            there = {int(passage.id.partition("#")[0]) for passage in passages[:k]} & claim.spans
            hits, spans, some, claims = hits + len(there), spans + len(claim.spans), some + bool(there), claims + 1
    return [f"{hits / spans:.3f}", f"{some / claims:.3f}"]


class Perfect:
    """Knows the labels; "insufficient" where none of the spans that show it was found."""

    name = "perfect"
    kinds = frozenset({SENTENCE})
    needs_evidence = True
    needs_traces = True

    def __init__(self, contracts: Sequence[Contract]) -> None:
        self._known = {(contract.id, claim.text): claim for contract in contracts for claim in contract.claims}

    def _says(self, key: tuple[str, str], passages: Sequence[Passage]) -> Label:
        claim = self._known[key]
        there = {int(passage.id.partition("#")[0]) for passage in passages}
        return claim.label if there & claim.spans else "insufficient"

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace]
    ) -> list[Verdict | None]:
        return [
            Verdict(claim, self._says((str(trace.id), claim.text), passages), self.name)
            for claim, passages, trace in zip(claims, evidence, traces, strict=True)
        ]


class Majority:
    name = "majority"
    kinds = frozenset({SENTENCE})
    needs_evidence = False

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        del evidence
        return [Verdict(claim, "supported", self.name) for claim in claims]


def confusion(contracts: Sequence[Contract], judge: Judge, retriever: Retriever) -> Counter[tuple[str, str]]:
    """How often a label got a verdict, through the panel."""
    traces, steps = [], []
    for contract in contracts:
        for claim in contract.claims:
            trace = trace_of(contract)
            traces.append(Trace("", claim.text, id=contract.id, meta=trace.meta))
            steps.append([Step(claim.text, 0, len(claim.text))])
    verdicts = assess(
        traces, steps, extractors=[ClaimExtractor("hypotheses", hypotheses)], judges=[judge], retriever=retriever
    )
    given = [claim.label for contract in contracts for claim in contract.claims]
    said = [of_trace[0][0].label or FAILED for of_trace in verdicts]
    return Counter(zip(given, said, strict=True))


def figures(counts: Counter[tuple[str, str]]) -> list[str]:
    """Accuracy, then F1 of each label and their mean; what failed counts as no label."""
    total = sum(counts.values())
    f1 = []
    for label in LABELS:
        right = counts[label, label]
        given = sum(count for (gold, _), count in counts.items() if gold == label)
        said = sum(count for (_, verdict), count in counts.items() if verdict == label)
        f1.append(2 * right / (given + said) if given + said else float("nan"))
    accuracy = sum(counts[label, label] for label in LABELS) / total
    return [f"{accuracy:.3f}", *(f"{one:.3f}" for one in f1), f"{sum(f1) / len(f1):.3f}"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="contracts (default: all 61)")
    parser.add_argument("--judge-limit", type=int, default=4, help="contracts that --judge sees (default 4; 0: none)")
    parser.add_argument("--k", type=int, nargs="+", default=[5, 10], help="passages that judges are shown (5 10)")
    parser.add_argument("--scorer", default="smollm2", help="the LM of the judge `lm`")
    parser.add_argument("--judge", action="append", type=json.loads, help="JSON: name and options; default: lm")
    parser.add_argument("--nli", type=int, default=0, help="contracts that the stand-in of `fit_nli` sees (default 0)")
    parser.add_argument("--no-dense", action="store_true", help="without `dense` and `hybrid`, which encode contracts")
    args = parser.parse_args(argv)
    try:
        data = shared_data("contractnli")
        contracts = read_contracts(data)[: args.limit]
        print(
            f"{datetime.now(UTC):%Y-%m-%d}  {len(contracts)} contracts, {sum(len(c.claims) for c in contracts)} claims"
        )
        found = retrieved(contracts, max(*DEPTHS, *args.k), dense=not args.no_dense)
        Console(width=170).print(recall_table(contracts, found))
        Console(width=330).print(confusion_table(contracts, found, args, data))
    except (FileNotFoundError, ValueError, ScorerError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def retrieved(contracts: Sequence[Contract], k: int, *, dense: bool) -> dict[str, Found]:
    """What each retriever finds: all passages under `ALL`, of the others the first `k`."""
    around = Surroundings(_no_scorer)
    found: dict[str, list[list[list[Passage]]]] = {
        ALL: [found_by(GivenRetriever(around), one) for one in contracts],
        "given": [found_by(GivenRetriever(around, k=k), one) for one in contracts],
    }
    if dense:
        model = str(fit_nli.encoder_folder())
        options = DenseOptions(model=model)
        encoder = SentenceEncoder(options, device="cpu", batch_size=32)
        with TemporaryDirectory() as folder:
            for contract in contracts:
                here = Surroundings(_no_scorer, corpus=index_of(contract, Path(folder), encoder, options))
                made = (
                    Bm25Retriever(here, k=k, overlap=0.0),
                    DenseRetriever(here, k=k),
                    HybridRetriever(here, k=k, overlap=0.0),
                )
                for retriever in made:
                    found.setdefault(retriever.name, []).append(found_by(retriever, contract))
    return dict(found)


def recall_table(contracts: Sequence[Contract], found: Mapping[str, Found]) -> Table:
    columns = [f"{what} @{k}" for k in DEPTHS for what in ("recall", "any")]
    table = Table("retriever", *columns, "recall, all", box=box.MARKDOWN)
    for name, of_all in found.items():
        if name == ALL:
            table.add_row(name, *["–"] * len(columns), recall(contracts, of_all, None)[0])
        else:
            table.add_row(name, *(cell for k in DEPTHS for cell in recall(contracts, of_all, k)), "–")
    return table


def confusion_table(
    contracts: Sequence[Contract], found: Mapping[str, Found], args: argparse.Namespace, data: Path
) -> Table:
    searching = [name for name in found if name != ALL]
    rows: list[tuple[str, Judge, int, str, int | None]] = []  # retriever and k in words, judge, contracts, retriever, k
    perfect = Perfect(contracts)
    rows.append(("all passages", perfect, len(contracts), ALL, None))
    rows += [(f"{name}, k {k}", perfect, len(contracts), name, k) for name in searching for k in args.k]
    rows += [("–", Majority(), many, ALL, 1) for many in sorted({len(contracts), args.nli, args.judge_limit} - {0})]
    if args.nli:
        nli = _judge({"name": "nli", "model": str(fit_nli.checkpoint(data))}, args.scorer)
        rows += [(f"{name}, k {args.k[0]}", nli, args.nli, name, args.k[0]) for name in searching]
    for options in args.judge or [LM] if args.judge_limit else ():
        judge = _judge(options, args.scorer)
        rows.append((f"{searching[0]}, k {args.k[0]}", judge, args.judge_limit, searching[0], args.k[0]))
    heads = [f"{gold[:4]} → {said[:4]}" for gold in LABELS for said in (*LABELS, FAILED)]
    table = Table(
        "passages", "judge", "claims", "acc.", *(f"F1 {x[:4]}." for x in LABELS), "mean", *heads, "s", box=box.MARKDOWN
    )
    for passages, judge, many, retriever, k in rows:
        started = time.perf_counter()
        some = contracts[:many]
        counts = confusion(some, judge, Recorded(retriever, some, found[retriever][:many], k))
        cells = [str(counts[gold, said]) for gold in LABELS for said in (*LABELS, FAILED)]
        seconds = f"{time.perf_counter() - started:.0f}"
        table.add_row(passages, judge.name, str(sum(counts.values())), *figures(counts), *cells, seconds)
    return table


def _judge(options: Mapping[str, Any], scorer: str) -> Judge:
    gauge = Gauge(scorer, progress=False)
    asking = Surroundings(lambda: gauge.backend, scorer=scorer)
    others = {key: value for key, value in options.items() if key != "name"}
    return lookup("judge", registry().judges, options["name"])(asking, **others)


def _no_scorer() -> object:
    raise ScorerError("this part asked for a scoring LM")


if __name__ == "__main__":
    sys.exit(main())
