"""A common form for legal questions from LegalBench and AGIEval's LSAT, used by both frameworks' tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .medical_questions import Question, read_question

ANSWERS = ("yes", "no")
DIVERSITY = tuple(f"diversity_{number}" for number in range(1, 7))

# What each task of LegalBench asks, and the rule that it applies, as passages with a citation for an id where there is
# one. The rules of evidence and the code are law of the United States; the others summarise LegalBench's descriptions
# (Guha et al. 2023, arXiv 2308.11462, CC BY 4.0).
_FRE = "Fed. R. Evid. 801. Definitions That Apply to This Article; Exclusions from Hearsay"
_HEARSAY = (
    {
        "id": "fre 801(a)",
        "title": _FRE,
        "text": "(a) Statement. “Statement” means a person’s oral assertion, written assertion, or nonverbal conduct, "
        "if the person intended it as an assertion.",
    },
    {
        "id": "fre 801(c)",
        "title": _FRE,
        "text": "(c) Hearsay. “Hearsay” means a statement that: (1) the declarant does not make while testifying at "
        "the current trial or hearing; and (2) a party offers in evidence to prove the truth of the matter asserted in "
        "the statement.",
    },
)
_JURISDICTION = (
    {
        "id": "rule",
        "title": "Personal jurisdiction",
        "text": "There is personal jurisdiction over a defendant in the state where the defendant is domiciled, or "
        "when (1) the defendant has sufficient contacts with the state, such that they have availed themselves of the "
        "privileges of the state and (2) the claim arises out of the nexus of the defendant's contacts with the state.",
    },
)
_DIVERSITY = (
    {
        "id": "28 usc 1332(a)",
        "title": "28 U.S.C. § 1332. Diversity of citizenship; amount in controversy",
        "text": "(a) The district courts shall have original jurisdiction of all civil actions where the matter in "
        "controversy exceeds the sum or value of $75,000, exclusive of interest and costs, and is between (1) citizens "
        "of different States.",
    },
    {
        "id": "complete diversity",
        "title": "Complete diversity",
        "text": "No plaintiff may be a citizen of the same state as any defendant. Several plaintiffs, or several "
        "defendants, may be citizens of one state.",
    },
    {
        "id": "aggregation",
        "title": "Amount in controversy",
        "text": "The amounts of all claims of one plaintiff against one defendant are added up. Claims of one "
        "plaintiff against different defendants are not, nor are claims of different plaintiffs against one defendant. "
        "One such sum above $75,000 is enough.",
    },
)
RULES: Mapping[str, tuple[Sequence[Mapping[str, str]], str]] = {
    "hearsay": (_HEARSAY, "Is the evidence hearsay?"),
    "personal_jurisdiction": (_JURISDICTION, "Does the court have personal jurisdiction over the defendant?"),
    **dict.fromkeys(DIVERSITY, (_DIVERSITY, "Is there diversity jurisdiction?")),
}
# AGIEval's prompts end with the options and a cue.
_CUE = re.compile(r"\s{0,4}(?:A:|Answer:)?\s{0,4}Among A through [A-J], the answer is\s{0,4}\Z")
_OPTION_LETTER = re.compile(r"\([A-J]\)\s{0,3}")
_ANSWER_CHOICES = re.compile(r"\s{0,4}(?:Answer Choices|Options)\s?:\s{0,4}\(A\)", re.IGNORECASE)


@dataclass(frozen=True)
class RuleQuestion:
    """Facts to which a rule is to be applied, with yes or no.

    Attributes:
        asks: the question about the facts.
        rule: the rule's passages, each `{id, title, text}`.
        answer: "yes" or "no".
    """

    id: str
    facts: str
    asks: str
    rule: tuple[Mapping[str, str], ...]
    answer: str

    @property
    def text(self) -> str:
        """Facts and question."""
        return f"{self.facts}\n{self.asks}"

    @property
    def stated_rule(self) -> str:
        """The rule as it stands in the prompt: a passage a line, behind its title."""
        return "\n".join(f"{one['title']}: {one['text']}" for one in self.rule)

    @property
    def passages(self) -> list[dict[str, str]]:
        """What a chain's claims are judged against: the rule and the facts."""
        return [*(dict(one) for one in self.rule), {"id": "facts", "title": "Facts", "text": self.facts}]


def read_rule_question(row: Mapping[str, Any], where: str, task: str) -> RuleQuestion:
    """Read a row of LegalBench: `text`, and `answer` (the hub) or `label` (the authors' TSV files).

    Args:
        where: names the row in messages, such as "test.tsv, row 3".
        task: "hearsay", "personal_jurisdiction" or "diversity_1" to "diversity_6".

    Raises:
        ValueError: names the row and the field.
    """
    values = []
    for names in (("text",), ("answer", "label")):
        value = next((row[name] for name in names if row.get(name) is not None), None)
        if not isinstance(value, str) or not value.strip():
            wanted = " or ".join(repr(name) for name in names)
            raise ValueError(f"{where}: expected text in a field {wanted}, got {value!r:.80}")
        values.append(value.strip())
    facts, answer = values[0], values[1].casefold()
    if answer not in ANSWERS:
        raise ValueError(f"{where}, field 'answer' or 'label': expected Yes or No, got {answer!r:.80}")
    rule, asks = RULES[task]
    own = row.get("index", row.get("id"))
    identity = where.rpartition("row ")[2] if own in (None, "") else str(own)
    return RuleQuestion(f"{task}-{identity}", facts, asks, tuple(rule), answer)


def read_lsat(row: Mapping[str, Any], where: str) -> Question:
    """Read a row of AGIEval, from the hub (`query`, `choices`, `gold`) or from its own files (`passage`, `question`,
    `options`, `label`), or any that `read_question` reads.

    Raises:
        ValueError: names the row and the field.
    """
    listed = "options" if row.get("choices") is None else "choices"
    choices = row.get(listed)
    if isinstance(choices, list):
        choices = [_OPTION_LETTER.sub("", one, count=1) if isinstance(one, str) else one for one in choices]
    row = {**row, listed: choices}
    name = "passage" if row.get("query") is None else "query"
    text = row.get(name)
    if text is None:
        return read_question(row, where)
    if not isinstance(text, str):
        raise ValueError(f"{where}, field {name!r}: expected text, got {text!r:.80}")
    if name == "passage":
        question = read_question(row, where)
        return replace(question, text=f"{text.strip()}\n{question.text}".strip())
    text = _CUE.sub("", text)
    if options := list(_ANSWER_CHOICES.finditer(text)):
        text = text[: options[-1].start()]
    plain = {"question": text.strip().removeprefix("Q:").strip(), "choices": choices, "answer_index": row.get("gold")}
    return read_question({**plain, **({"id": row["id"]} if row.get("id") else {})}, where)
