"""The judge `lm`: asks the gauge's own scoring LM whether the evidence supports a sentence.

Nothing is generated. The prompt ends where the verdict would stand, and log p(" True") is weighed against
log p(" False"): two branches of one token trie per claim, so a claim costs one pass over its prompt.

Instructions to the judge in a claim ("…, and answer True") are removed before the LM reads it (`chat/injection.py`).

The judge is only as good as its LM; `python -m benchmarks.knowledge.judges` measures it, and
`python -m benchmarks.knowledge.injection` how often an instruction that was not removed changes a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ...likelihood import LikelihoodBackend, Request, Result, Unscored
from ...numbers import is_finite
from ...probability import softmax
from ...trace import Trace
from ..base import Surroundings
from ..chat.context import NO_CONTEXT, Context, Contexts, check_context, end_of
from ..chat.fencing import fence
from ..chat.injection import LEFT_OUT, ONLY_ORDERS, without_orders
from ..chat.prompts import Prompt, read_prompt
from ..claims.sentence import SENTENCE
from ..types import Claim, Label, Passage, Verdict

BRANCHES = (" True", " False")
# Claims handed to the backend together: enough to fill even batches, few enough to hold all their prompts in memory.
_WINDOW = 256
_LONGEST_CLAIM = 20_000
_LEAST_EVIDENCE = 200
# Less than for a server: the scoring LM may be small, and reads it on this machine.
_CONTEXT_CHARACTERS = 1_000
# What says nothing, where claim or evidence would stand: how far the LM leans to one side by itself.
_CONTENT_FREE = "N/A"
_NO_CONTEXT = "(none)"
CALIBRATIONS = ("run", "claim", "none")
# Leanings kept at most; a run with more distinct claims measures some of them twice.
_REMEMBERED = 100_000


class LmJudge:
    """Judges claims of kind "sentence" by p(True) / (p(True) + p(False)) under the scoring LM.

    Args:
        around: gives the likelihood backend, loaded when the first claim is judged.
        prompt: "plain", "chat" (rendered with the LM's chat template), or a path to a `.txt` file; see `prompts.py`.
        threshold: a claim is supported where its probability is at least this.
        insufficient: half the width of the band around the threshold in which the evidence counts as insufficient.
        calibrate: what is subtracted from log p(True) - log p(False). "run": the same where claim and evidence say
            nothing ("N/A"), which moves all probabilities of a run alike (contextual calibration, Zhao et al. 2021,
            arXiv 2102.09690); "claim": the same for the same claim with evidence that says nothing, so that what the
            evidence changes is left (as in domain-conditional PMI, Holtzman et al. 2021, arXiv 2104.08315), at the
            price of a second, shorter prompt per distinct claim; "none": nothing.
        evidence_characters: passages are cut to this many characters together, the best first; to fewer where the
            prompt would not fit in the LM's context.
        context_characters: how much of the question and of the steps before a claim is shown with it, half each, from
            their ends; 0: nothing.

    Context, evidence and claim are fenced (see `fencing.py`), and orders to the judge are left out of context and
    claim; of the claim's the verdict's reason tells. A claim that is nothing else gets no label. A verdict's `evidence`
    holds the passages as they were shown, so one that was cut is cut there too. Without evidence the verdict is
    insufficient and the LM is not asked.

    Raises:
        ValueError: an option that is out of range, or a prompt that cannot be used.
    """

    kinds: frozenset[str] | None = frozenset({SENTENCE})
    needs_evidence = True
    needs_traces = True

    def __init__(
        self,
        around: Surroundings,
        *,
        prompt: str = "plain",
        threshold: float = 0.5,
        insufficient: float = 0.0,
        calibrate: str = "run",
        evidence_characters: int = 4_000,
        context_characters: int = _CONTEXT_CHARACTERS,
    ) -> None:
        self._around = around
        self._prompt = read_prompt("judge", prompt, ("evidence", "claim"), ("context",))
        if self._prompt.turns and self._prompt.turns[-1][0] != "assistant":
            raise ValueError(f"judge 'lm', prompt {prompt!r}: expected an [assistant] turn at the end")
        self._threshold = _number("threshold", threshold, 0, 1)
        self._band = _number("insufficient", insufficient, 0, 0.5)
        if calibrate not in CALIBRATIONS:
            raise ValueError(f"judge 'lm', calibrate {calibrate!r}: expected {', '.join(CALIBRATIONS)}")
        self._calibrate = calibrate
        self._characters = int(_number("evidence_characters", evidence_characters, _LEAST_EVIDENCE, 10_000_000))
        self._context = check_context("judge 'lm'", context_characters)
        self._leanings: dict[tuple[str, str], float] = {}
        # Without a band around the threshold it has two labels.
        self.labels: frozenset[Label] = frozenset(
            ("supported", "contradicted", *(("insufficient",) if self._band else ()))
        )
        self.name = ":".join(["lm", *([around.scorer] if around.scorer else []), self._prompt.name])

    def describe(self) -> dict[str, str]:
        """The prompt's digest."""
        return {"prompt_sha256": self._prompt.digest()}

    def judge(
        self,
        claims: Sequence[Claim],
        evidence: Sequence[Sequence[Passage]],
        traces: Sequence[Trace] | None = None,
    ) -> list[Verdict | None]:
        """See `ReadsTraces`; without traces the claims are shown without a context.

        Raises ScorerError when the LM cannot be loaded or lacks the chat template that the prompt needs.
        """
        around, contexts = traces or [None] * len(claims), Contexts(self._context)
        out: list[Verdict | None] = [None] * len(claims)
        backend = None
        for first in range(0, len(claims), _WINDOW):
            asked: dict[int, _Question] = {}
            for i in range(first, min(first + _WINDOW, len(claims))):
                claim = claims[i]
                if not any(passage.text.strip() for passage in evidence[i]):
                    out[i] = Verdict(claim, "insufficient", self.name, reason="no evidence was found")
                    continue
                backend = backend or self._around.likelihoods()
                question = self._question(backend, claim, evidence[i], contexts.of(claim, around[i]))
                if isinstance(question, str):
                    out[i] = Verdict(claim, None, self.name, error=question)
                else:
                    asked[i] = question
            if backend is not None and asked:
                for i, logit in zip(asked, self._logits(backend, list(asked.values())), strict=True):
                    out[i] = self._verdict(claims[i], asked[i], logit)
        return out

    def _question(
        self, backend: LikelihoodBackend, claim: Claim, passages: Sequence[Passage], around: Context = NO_CONTEXT
    ) -> _Question | str:
        """The two requests on a claim, with as much evidence as fits; why not, where no evidence does."""
        if len(claim.text) > _LONGEST_CLAIM:
            return f"the claim has {len(claim.text)} characters, more than the {_LONGEST_CLAIM} this judge reads"
        text, cleaned = without_orders(claim.text)
        if cleaned and not text:
            return ONLY_ORDERS
        characters = self._characters
        whole = "\n".join(part for part in around if part)
        while True:
            shown = _cut(passages, characters)
            context = end_of(whole, characters) or _NO_CONTEXT
            requests = self._requests(backend, text, _evidence_text(shown), context)
            reason = backend.too_long(max(requests, key=lambda request: len(request.text)))
            if reason is None:
                return _Question(requests, shown, text, cleaned, context)
            characters //= 2
            if characters < _LEAST_EVIDENCE:
                return f"even with {_LEAST_EVIDENCE} characters of evidence the prompt does not fit: {reason}"

    def _requests(
        self, backend: LikelihoodBackend, claim: str, evidence: str, context: str = _NO_CONTEXT
    ) -> tuple[Request, ...]:
        values = {"claim": " ".join(claim.split()), "evidence": evidence, "context": context}
        filled = self._prompt.fill({name: fence(text) for name, text in values.items()})
        return tuple(_request(backend, filled, branch) for branch in BRANCHES)

    def _logits(self, backend: LikelihoodBackend, asked: Sequence[_Question]) -> list[float | Unscored]:
        """log p(True) - log p(False) per question, the LM's own leaning taken out; equal questions are asked once."""
        keys = [self._leaning_of(question) for question in asked]
        if len(self._leanings) > _REMEMBERED:
            self._leanings.clear()
        new = [key for key in dict.fromkeys(keys) if key is not None and key not in self._leanings]
        leanings = [self._requests(backend, claim, _CONTENT_FREE, context) for claim, context in new]
        groups = list(dict.fromkeys([*(question.requests for question in asked), *leanings]))
        results = dict(zip(groups, map(_difference, backend.score(groups, _ignore)), strict=True))
        measured = {key: results[requests] for key, requests in zip(new, leanings, strict=True)}
        # What could not be measured now, for lack of memory say, is tried again with the next claims.
        self._leanings.update({key: leaning for key, leaning in measured.items() if not isinstance(leaning, Unscored)})
        out: list[float | Unscored] = []
        for question, key in zip(asked, keys, strict=True):
            leaning = 0.0 if key is None else measured[key] if key in measured else self._leanings[key]
            out.append(_calibrated(results[question.requests], leaning))
        return out

    def _leaning_of(self, question: _Question) -> tuple[str, str] | None:
        """The claim and context without evidence that the LM's leaning is measured on."""
        nothing = (_CONTENT_FREE, _NO_CONTEXT)
        return {"claim": (question.text, question.context), "run": nothing, "none": None}[self._calibrate]

    def _verdict(self, claim: Claim, question: _Question, logit: float | Unscored) -> Verdict:
        shown = question.shown
        if isinstance(logit, Unscored):
            return Verdict(claim, None, self.name, evidence=shown, error=logit.reason)
        probability = softmax([logit, 0.0])[0]
        distance = probability - self._threshold
        label = "insufficient" if abs(distance) < self._band else "supported" if distance >= 0 else "contradicted"
        reason = f"p(True) = {probability:.3f}, threshold {self._threshold:g}"
        if question.cleaned:
            reason += f"; {LEFT_OUT}"
        return Verdict(claim, label, self.name, probability=probability, evidence=shown, reason=reason)


class _Question(NamedTuple):
    requests: tuple[Request, ...]
    shown: tuple[Passage, ...]
    text: str  # the claim as the LM reads it
    cleaned: bool  # whether orders were taken out of it
    context: str


def _difference(result: Result) -> float | Unscored:
    if isinstance(result, Unscored):
        return result
    true, false = result
    if isinstance(true, Unscored):
        return true
    return false if isinstance(false, Unscored) else true.log_likelihood - false.log_likelihood


def _calibrated(logit: float | Unscored, leaning: float | Unscored) -> float | Unscored:
    if isinstance(logit, Unscored):
        return logit
    if isinstance(leaning, Unscored):
        return Unscored(f"the LM's leaning could not be measured: {leaning.reason}")
    return logit - leaning


def _request(backend: LikelihoodBackend, prompt: Prompt, branch: str) -> Request:
    if not prompt.turns:
        return Request(prompt.text + branch, len(prompt.text))
    messages = prompt.messages()
    messages[-1]["content"] += branch
    text = backend.render_chat(messages)
    if not text.endswith(branch):
        raise ValueError(f"the scorer's chat template does not leave the verdict last: …{text[-80:]!r}")
    return Request(text, len(text) - len(branch), special_tokens=False)


def _cut(passages: Sequence[Passage], characters: int) -> tuple[Passage, ...]:
    """The first passages, `characters` together; the last of them is cut at a space, and a title at half of that."""
    shown = []
    for passage in passages:
        if characters <= 0:
            break
        title, text = passage.title[: characters // 2], passage.text
        characters -= len(title)
        if len(text) > characters:
            text = text[:characters]
            text = (text[: text.rfind(" ")] if " " in text else text) + " …"
            characters = 0
        shown.append(replace(passage, title=title, text=text))
        characters -= len(text)
    return tuple(shown)


def _evidence_text(passages: Sequence[Passage]) -> str:
    """One passage a line, numbered."""
    lines = (" ".join(f"{passage.title}: {passage.text}".split()) for passage in passages)
    return "\n".join(f"({n}) {line.removeprefix(': ')}" for n, line in enumerate(lines, 1))


def _number(option: str, value: object, low: float, high: float) -> float:
    if not is_finite(value) or not low <= value <= high:
        raise ValueError(f"judge 'lm', {option} {value!r}: expected a number from {low:g} to {high:g}")
    return float(value)


def _ignore(_: int) -> None:
    return None
