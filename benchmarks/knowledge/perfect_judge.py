"""Shows what is lost before any judge is asked: a perfect judge, and 13 chains of which a person counted every claim.

    python -m benchmarks.knowledge.perfect_judge

The chains are made by hand: bullets without full stops, headings, wrong doses, wrong units, pronouns, an option's
letter, "the patient", things that no reference work knows, plans and answers. The judge knows by a hand label whether a
claim is true and which passage settles it, and says `insufficient` where that passage was not found for it. Whatever
differs from the hand count is the fault of extraction, of the query, or of retrieval (`bm25` with its defaults,
over a corpus of these passages and others about the same drugs).

Once more over a corpus without the passages that settle the claims, nothing but equations is covered, however much is
true. The second table has the claims that are true and have a source.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from stepgauge.metrics import ChainScore, Gauge, Trace
from stepgauge.metrics.ki import answer_of
from stepgauge.metrics.knowledge.types import Claim, Passage, Verdict
from stepgauge.metrics.retrieval.build import build_corpus

# What settles claims: id → text. Written before the claims, in other words where that is natural.
SOURCES: Mapping[str, str] = {
    "vkor": "Warfarin acts by inhibiting vitamin K epoxide reductase (VKORC1), which recycles vitamin K.",
    "bleeding": "Haemorrhage is the main adverse effect of warfarin: it increases the risk of bleeding with the INR.",
    "placenta": "Warfarin crosses the placenta and causes fetal warfarin syndrome; it is avoided in pregnancy.",
    "necrosis": "Warfarin can cause skin necrosis in the first days of treatment, when protein C is depleted.",
    "antithrombin": "Heparin binds to antithrombin III and activates it.",
    "hit": "Heparin causes thrombocytopenia by antibodies against platelet factor 4.",
    "heparin-placenta": "Heparin does not cross the placenta and is the anticoagulant of choice in pregnancy.",
    "reye": "The use of aspirin in children with viral infections can cause Reye syndrome, with liver failure.",
    "cox": "Aspirin irreversibly acetylates cyclooxygenase, which inhibits platelet aggregation for days.",
    "metformin": "Metformin lowers blood glucose by reducing hepatic glucose production.",
    "lactate": "Lactic acidosis is a rare adverse effect of metformin in renal failure.",
    "insulin": "Insulin lowers blood glucose by promoting the uptake of glucose in muscle and fat.",
    "ace": "ACE inhibitors cause a dry cough, since bradykinin accumulates.",
    "hyperkalemia": "ACE inhibitors can cause hyperkalemia by reducing aldosterone.",
    "isotretinoin": "Isotretinoin is teratogenic and contraindicated in pregnancy.",
    "gentamicin": "The usual adult dose of gentamicin is 5 mg/kg once daily.",
    "digoxin": "Digoxin inhibits the sodium-potassium ATPase and increases contractility.",
    "digoxin-renal": "Digoxin is excreted by the kidney, and its dose is reduced in renal failure.",
}
# Beside them, and all there is in the corpus without sources.
OTHERS: Mapping[str, str] = {
    "history": "Warfarin was first sold as a rat poison and is named after the Wisconsin Alumni Research Foundation.",
    "monitor": "Patients who take anticoagulants carry a card with the dates of their visits to the clinic.",
    "tablets": "Aspirin is sold in tablets of several sizes and was introduced by Bayer in 1899.",
    "diabetes": "The prevalence of diabetes mellitus has grown in all regions of the world.",
    "insulin-storage": "Insulin vials are stored in a refrigerator and must not be frozen.",
    "foxglove": "The foxglove, from which digoxin comes, was described by William Withering in 1785.",
    "hypertension": "Hypertension is diagnosed after repeated measurements on different days.",
    "pneumonia": "Pneumonia is treated according to where it was acquired.",
}


@dataclass(frozen=True)
class Known:
    """What the hand label says of a claim: whether it is true, and which passage settles it, if any."""

    true: bool
    source: str | None


# A line of a response, its hand count, and the labels of its claims by their text there. A letter a claim:
# s supported, c contradicted, n not covered, u uncheckable; "" for a line that asserts nothing that can be checked.
Line = tuple[str, str, Mapping[str, Known]]


@dataclass(frozen=True)
class HandMade:
    name: str
    question: str
    lines: Sequence[Line]
    choices: Sequence[str] | None = None

    @property
    def trace(self) -> Trace:
        return Trace(self.question, "\n".join(text for text, _, _ in self.lines), choices=self.choices, id=self.name)

    @property
    def known(self) -> Mapping[str, Known]:
        return {text: known for _, _, claims in self.lines for text, known in claims.items()}


def _is(text: str, source: str | None, *, true: bool = True) -> Mapping[str, Known]:
    return {text: Known(true, source)}


def _line(text: str, count: str, source: str | None = None, *, true: bool = True) -> Line:
    """A line with one claim at most, in its last line, behind a bullet or not."""
    claim = text.rpartition("\n")[2].removeprefix("- ")
    return text, count, _is(claim, source, true=true) if count in ("s", "c", "n") else {}


CHAINS: Sequence[HandMade] = (
    HandMade(
        "bullets",
        "How do anticoagulants work?",
        [
            # A list's first item is one step with the line above it.
            _line(
                "Anticoagulants:\n- Warfarin inhibits vitamin K epoxide reductase",
                "s",
                "vkor",
            ),
            _line("- Heparin activates antithrombin III", "s", "antithrombin"),
            _line("- Warfarin crosses the placenta", "s", "placenta"),
            _line("Treatment options", ""),
        ],
    ),
    HandMade(
        "bullets without a subject",
        "Compare the two anticoagulants.",
        [
            _line("Warfarin causes skin necrosis", "s", "necrosis"),
            _line("- crosses the placenta", "s", "placenta"),
            _line("Heparin causes thrombocytopenia", "s", "hit"),
            _line("- does not cross the placenta", "s", "heparin-placenta"),
        ],
    ),
    HandMade(
        "a wrong dose",
        "A 70 kg man needs gentamicin. Which dose does he get?",
        [
            _line("The usual dose of gentamicin is 5 mg/kg once daily.", "s", "gentamicin"),
            _line("5 mg/kg * 70 kg = 450 mg", "c"),
        ],
    ),
    HandMade(
        "a right dose",
        "A 70 kg man needs gentamicin. Which dose does he get?",
        [
            _line("The usual dose of gentamicin is 7 mg/kg once daily.", "c", "gentamicin", true=False),
            _line("5 mg/kg * 70 kg = 350 mg", "s"),
        ],
    ),
    HandMade(
        "units",
        "Convert the doses.",
        [
            _line("0.5 mg = 5000 mcg", "c"),
            _line("0.5 mg = 500 mcg", "s"),
            _line("2 g = 200 mg", "c"),
            _line("2 g = 2000 mg", "s"),
        ],
    ),
    HandMade(
        "pronouns",
        "Which adverse effects matter here?",
        [
            _line("Warfarin inhibits vitamin K epoxide reductase.", "s", "vkor"),
            _line("It increases the risk of bleeding.", "s", "bleeding"),
            _line("This drug crosses the placenta.", "s", "placenta"),
        ],
    ),
    HandMade(
        "a pronoun for nothing",
        "Is he safe?",
        [
            _line("It increases the risk of bleeding.", "u"),
            _line("Heparin causes thrombocytopenia.", "s", "hit"),
            _line("The former is reversible.", "u"),
        ],
    ),
    HandMade(
        "an option's letter",
        "Which drug is contraindicated in pregnancy?",
        [
            _line("Let's look at each option.", ""),
            _line("Option B is teratogenic.", "s", "isotretinoin"),
            _line("Option A is the anticoagulant of choice in pregnancy.", "s", "heparin-placenta"),
            _line("The answer is B.", ""),
        ],
        ["Heparin", "Isotretinoin", "Insulin", "Metformin"],
    ),
    HandMade(
        "the patient",
        "A 54-year-old woman with chest pain takes a drug against hypertension and coughs. What is the cause?",
        [
            _line("The patient most likely has an adverse effect of lisinopril.", "n"),
            _line("ACE inhibitors cause a dry cough.", "s", "ace"),
            _line("They can cause hyperkalemia.", "s", "hyperkalemia"),
        ],
    ),
    HandMade(
        "a verb that may be a noun",
        "Why is aspirin avoided in children?",
        [
            _line("Use of aspirin in children causes Reye syndrome.", "s", "reye"),
            _line("Causes of Reye syndrome", ""),
            _line("Aspirin irreversibly acetylates cyclooxygenase.", "s", "cox"),
        ],
    ),
    HandMade(
        "wrong facts",
        "What do these drugs do?",
        [
            _line("Insulin raises blood glucose.", "c", "insulin", true=False),
            _line("Metformin raises blood glucose.", "c", "metformin", true=False),
            _line("It can cause lactic acidosis in renal failure.", "s", "lactate"),
        ],
    ),
    HandMade(
        "unknowns",
        "Which of these is known?",
        [
            _line("Zolverin blocks the mitochondrial glycine shuttle.", "n"),
            _line("Digoxin inhibits the sodium-potassium ATPase.", "s", "digoxin"),
            _line("Quarzomab prolongs survival in Feldmann disease.", "n"),
        ],
    ),
    HandMade(
        "two claims a step",
        "Why is the dose of digoxin reduced?",
        [
            _line("We need to find the route of excretion.", ""),
            (
                "Digoxin increases contractility. It is excreted by the kidney.",
                "ss",
                {
                    **_is("Digoxin increases contractility.", "digoxin"),
                    **_is("It is excreted by the kidney.", "digoxin-renal"),
                },
            ),
            _line("Therefore, the answer is renal failure.", ""),
        ],
    ),
)


class PerfectJudge:
    """Knows by the hand labels what is true, and decides where the passage that settles a claim was found for it."""

    name = "perfect"
    kinds: frozenset[str] | None = frozenset({"sentence"})
    needs_evidence = True
    needs_traces = True

    def judge(
        self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]], traces: Sequence[Trace] = ()
    ) -> list[Verdict | None]:
        known = {chain.name: chain.known for chain in CHAINS}
        return [
            self._verdict(claim, passages, known[str(trace.id)].get(claim.text))
            for claim, passages, trace in zip(claims, evidence, traces, strict=True)
        ]

    def _verdict(self, claim: Claim, passages: Sequence[Passage], known: Known | None) -> Verdict:
        found = known is not None and known.source in [passage.id.partition("#")[0] for passage in passages]
        label = "insufficient" if not found or known is None else "supported" if known.true else "contradicted"
        return Verdict(claim, label, self.name, evidence=tuple(passages))


_LETTERS = {"supported": "s", "contradicted": "c", "not_covered": "n"}


def letter(verdict: Verdict) -> str:
    """How a verdict is counted; equations need no evidence, and count by their label."""
    if verdict.label is None:
        return "!" if verdict.failed else "u"
    answer = answer_of(verdict) or (verdict.label if verdict.label != "insufficient" else "not_covered")
    return _LETTERS[answer]


def found_of(score: ChainScore) -> list[str]:
    """Per step the letters of its claims."""
    return ["".join(map(letter, step.verdicts)) for step in score.steps]


def counted(chain: HandMade, *, sources: bool) -> list[str]:
    """Per line the hand count; without the sources nothing but equations is decided."""
    out = []
    for _, count, claims in chain.lines:
        kept = sources or all(known.source is None for known in claims.values())
        out.append(count if kept else count.replace("s", "n").replace("c", "n"))
    return out


def scored(folder: Path, *, sources: bool) -> list[ChainScore]:
    """The chains, with the corpus that holds what settles their claims, or without it."""
    texts = {**(SOURCES if sources else {}), **OTHERS}
    source, corpus = folder / "passages.jsonl", folder / "corpus"
    rows = [json.dumps({"id": name, "title": "", "text": text}) for name, text in texts.items()]
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    build_corpus(source, corpus, progress=False)
    gauge = Gauge(
        scorer=None,
        splitter="lines",
        claims=["arithmetic", "sentence"],
        judges=["exact", PerfectJudge()],
        retriever="bm25",
        corpus=str(corpus),
        progress=False,
    )
    with gauge:
        return gauge.score([chain.trace for chain in CHAINS])


def both() -> Iterator[tuple[bool, list[ChainScore]]]:
    """The chains with their sources, and without."""
    for sources in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            yield sources, scored(Path(folder), sources=sources)


def true_shares(scores: Sequence[ChainScore]) -> Counter[str]:
    """What became of the claims that are true and have a source, by letter."""
    out: Counter[str] = Counter()
    for chain, score in zip(CHAINS, scores, strict=True):
        verdicts = {verdict.claim.text: verdict for step in score.steps for verdict in step.verdicts}
        for text, known in chain.known.items():
            if known.true and known.source:
                out[letter(verdicts[text]) if text in verdicts else "-"] += 1
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(
        arguments
    )
    logging.basicConfig(level=logging.ERROR)
    console = Console(width=120)
    chains = Table("chain", "sources", "hand count", "found", "equal", "ki", box=box.MARKDOWN)
    true = Table(
        "true claims", "n", "supported", "contradicted", "not covered", "uncheckable or lost", box=box.MARKDOWN
    )
    equal = steps = 0
    for sources, scores in both():
        for chain, score in zip(CHAINS, scores, strict=True):
            hand, found = counted(chain, sources=sources), found_of(score)
            same = sum(a == b for a, b in zip(hand, found, strict=False)) if len(hand) == len(found) else 0
            equal, steps = equal + same, steps + len(hand)
            ki = score.metrics["ki"]
            chains.add_row(
                *(chain.name, "yes" if sources else "no", _shown(hand), _shown(found), f"{same} of {len(hand)}"),
                "–" if math.isnan(ki) else f"{ki:.2f}",
            )
        counts = true_shares(scores)
        lost = counts.total() - sum(counts[one] for one in "scn")
        shares = [f"{counts[one] / counts.total():.2f}" for one in "scn"]
        true.add_row("with their source" if sources else "without it", str(counts.total()), *shares, str(lost))
    console.print(chains, true)
    print(f"{equal} of {steps} steps are as counted by hand")


def _shown(letters: Sequence[str]) -> str:
    return " ".join(one or "-" for one in letters)


if __name__ == "__main__":
    main()
