"""Checks steps on diversity of citizenship (28 U.S.C. § 1332) against the question's facts: parties and sums."""

import re

from stepgauge.metrics import hookimpl
from stepgauge.metrics.knowledge import Claim, ClaimExtractor, Verdict

KIND = "diversity"
LIMIT = 75_000
dollars = lambda text: int(text.replace(",", ""))  # noqa: E731
NAME, MONEY = r"[A-Z][a-z]+", r"\$(\d[\d,]*)"
CITIZEN = re.compile(rf"({NAME}) is (?:from|a citizen of) ([A-Z][a-z]+(?: [A-Z][a-z]+)?)")
SUES = re.compile(rf"({NAME})(?: and ({NAME}) both)? sues? ({NAME}) for ([^.]*)")
TOTAL = re.compile(rf"({NAME})['’]s claims? against ({NAME})(?:[^.=]{{0,99}}=| totals?| adds? up to| is| are) {MONEY}")
ABOVE = re.compile(rf"{MONEY} (is not|does not|is|) ?(?:more than|above|exceeds?) {MONEY}")
DIVERSE = re.compile(r"(no|not)? ?(?:complete diversity|completely diverse)", re.IGNORECASE)
AMOUNT = re.compile(r"amount[- ]in[- ]controversy (?:requirement )?is (not )?met", re.IGNORECASE)


def read_facts(question):
    """Citizenships by name, and the sum claimed by each plaintiff from each defendant."""
    states, sums = {}, {}
    for name, state in CITIZEN.findall(question):
        states.setdefault(name, set()).add(state)
    for first, second, defendant, claims in SUES.findall(question):
        for plaintiff in filter(None, (first, second)):
            total = sum(dollars(money) for money in re.findall(MONEY, claims))
            sums[plaintiff, defendant] = sums.get((plaintiff, defendant), 0) + total
    return states, sums


def decide(step, states, sums):
    """Whether what a step says holds, and what the facts say; None: it says nothing of the kind."""
    if match := TOTAL.search(step):
        known = sums.get((match[1], match[2]))
        return None if known is None else (known == dollars(match[3]), f"{match[1]} v. {match[2]}: ${known:,}")
    if match := ABOVE.search(step):
        more = dollars(match[1]) > dollars(match[3])
        return more != match[2].endswith("not"), f"${match[1]} {'>' if more else '<='} ${match[3]}"
    if (match := CITIZEN.search(step)) and match[1] in states:
        return match[2] in states[match[1]], f"{match[1]}: {', '.join(sorted(states[match[1]]))}"
    plaintiffs = {plaintiff for plaintiff, _ in sums}
    ours = set().union(*(states.get(name, set()) for name in plaintiffs))
    both = ours & set().union(*(of for name, of in states.items() if name not in plaintiffs))
    if match := DIVERSE.search(step):
        return (not both) != bool(match[1]), f"on both sides: {', '.join(sorted(both)) or 'no state'}"
    if match := AMOUNT.search(step):
        largest = max(sums.values(), default=0)
        return (largest > LIMIT) != bool(match[1]), f"largest sum of one plaintiff against one defendant: ${largest:,}"
    return None


def extract(traces, steps):
    """A claim for each step that the checker can read."""
    facts = [read_facts(trace.question) for trace in traces]
    return [
        [Claim(s.text, i, s.start, s.end, KIND) for i, s in enumerate(own) if decide(s.text, *of) is not None]
        for of, own in zip(facts, steps, strict=True)
    ]


class DiversityJudge:
    name, kinds, needs_evidence, needs_traces, computes = KIND, frozenset({KIND}), False, True, True

    def judge(self, claims, evidence, traces):  # noqa: ARG002
        found = [decide(c.text, *read_facts(t.question)) for c, t in zip(claims, traces, strict=True)]
        labels = [of and ("supported" if of[0] else "contradicted") for of in found]
        asked = zip(claims, labels, found, strict=True)
        return [label and Verdict(claim, label, self.name, reason=of[1]) for claim, label, of in asked]


@hookimpl
def register_claim_extractors(register):
    register(KIND, lambda _: ClaimExtractor(KIND, extract))


@hookimpl
def register_judges(register):
    register(KIND, lambda _: DiversityJudge())
