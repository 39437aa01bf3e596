"""The judge `nli`: asks an NLI or fact-checking classifier whether the retrieved passages entail a claim.

Each window of each passage is a premise, the claim is the hypothesis: as it stands, or, where a rule found what "it" or
"the patient" in it stands for, with that put in. Everything is computed on this machine.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...model_names import called, source_of
from ...numbers import is_finite
from ..base import Surroundings
from ..chat.injection import LEFT_OUT, ONLY_ORDERS, without_orders
from ..types import Claim, Label, Passage, Verdict
from .nli_labels import read_labels

if TYPE_CHECKING:
    from .nli_model import NLIModel, Pair


KINDS = frozenset({"sentence"})
COMBINE = ("max", "mean")
PAIRS = ("tokenizer", "joined")
# Claims whose tokens are held at once: enough for even batches.
_TOGETHER = 256
_DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class _Shares:
    """The probabilities that one text (a window, a passage, all passages) gives to a claim's being right or wrong."""

    supported: float
    contradicted: float


class NLIJudge:
    """Judges claims of kind "sentence"; its name is "nli:" and the model.

    A claim is supported where P(supported) reaches `threshold` and is not below P(contradicted), contradicted where
    that reaches it, insufficient otherwise. Verdicts carry P(supported). The model is loaded by the first claim.
    """

    kinds: frozenset[str] | None = KINDS
    needs_evidence = True

    def __init__(
        self, name: str, labels: Sequence[Label], threshold: float, combine: str, load: Callable[[], NLIModel]
    ) -> None:
        self.name = name
        self.labels: frozenset[Label] = frozenset(labels)
        self._labels = labels
        self._threshold = threshold
        self._combine = combine
        self._load = load
        self._model: NLIModel | None = None
        self._lock = threading.Lock()

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        """See `Judge`. A claim's verdict does not depend on the others in its batch beyond float rounding."""
        out: list[Verdict | None] = []
        for first in range(0, len(claims), _TOGETHER):
            part = slice(first, first + _TOGETHER)
            out.extend(self._judge(claims[part], evidence[part]))
        return out

    def _judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict]:
        out: list[Verdict] = []
        with self._lock:
            windows: list[list[list[Pair]] | str] = [
                self._windows(claim, passages) for claim, passages in zip(claims, evidence, strict=True)
            ]
            flat = [
                pair for of_claim in windows if not isinstance(of_claim, str) for pairs in of_claim for pair in pairs
            ]
            shares = iter(self._shares(flat))
        for claim, passages, of_claim in zip(claims, evidence, windows, strict=True):
            if isinstance(of_claim, str):
                out.append(Verdict(claim, None, self.name, evidence=tuple(passages), error=of_claim))
            else:
                out.append(self._verdict(claim, passages, [[next(shares) for _ in pairs] for pairs in of_claim]))
        return out

    def close(self) -> None:
        """Free the model; the next claim loads it again."""
        with self._lock:
            self._model = None

    def _windows(self, claim: Claim, passages: Sequence[Passage]) -> list[list[Pair]] | str:
        """Per passage its windows with the claim, or why there are none."""
        from .nli_model import TooLong

        if not passages:
            return []
        # It reads one sentence, and no context: so with what the sentence speaks of put in.
        text, cleaned = without_orders(claim.standalone or claim.text)
        if cleaned and not text:
            return ONLY_ORDERS
        if self._model is None:
            self._model = self._load()
        try:
            return [self._model.pairs(_premise(passage), text) for passage in passages]
        except TooLong as error:
            return str(error)

    def _shares(self, pairs: Sequence[Pair]) -> list[_Shares]:
        if not pairs or self._model is None:
            return []
        rows = self._model.probabilities(pairs).tolist()
        return [_Shares(self._mass(row, "supported"), self._mass(row, "contradicted")) for row in rows]

    def _mass(self, row: Sequence[float], label: Label) -> float:
        return sum(p for p, own in zip(row, self._labels, strict=True) if own == label)

    def _verdict(self, claim: Claim, passages: Sequence[Passage], windows: Sequence[Sequence[_Shares]]) -> Verdict:
        if not passages:
            return Verdict(claim, "insufficient", self.name, reason="no evidence was found")
        per_passage = [_highest(shares) for shares in windows]
        total = _highest(per_passage) if self._combine == "max" else _mean(per_passage)
        shown = tuple(passages)
        if math.isnan(total.supported):  # softmax gives all outputs of a row nan, or none
            return Verdict(claim, None, self.name, evidence=shown, error="the model's output is not a number")
        label = self._label(total)
        share = "contradicted" if label == "contradicted" else "supported"
        best = max(range(len(passages)), key=lambda i: getattr(per_passage[i], share))
        reason = (
            f"P(supported) {total.supported:.3f}, P(contradicted) {total.contradicted:.3f}; "
            f"most {share} by {passages[best].id}"
        )
        if without_orders(claim.text)[1]:
            reason += f"; {LEFT_OUT}"
        return Verdict(claim, label, self.name, probability=min(total.supported, 1.0), evidence=shown, reason=reason)

    def _label(self, total: _Shares) -> Label:
        if total.supported >= self._threshold and total.supported >= total.contradicted:
            return "supported"
        return "contradicted" if total.contradicted >= self._threshold else "insufficient"


def _highest(shares: Sequence[_Shares]) -> _Shares:
    for share in shares:
        if math.isnan(share.supported):  # max() would pass over it, or not, depending on the order
            return share
    return _Shares(max(s.supported for s in shares), max(s.contradicted for s in shares))


def _mean(shares: Sequence[_Shares]) -> _Shares:
    n = len(shares)
    return _Shares(sum(s.supported for s in shares) / n, sum(s.contradicted for s in shares) / n)


def _premise(passage: Passage) -> str:
    return f"{passage.title}\n{passage.text}" if passage.title else passage.text


def make(
    around: Surroundings,
    *,
    model: str | None = None,
    labels: Mapping[str, str] | None = None,
    revision: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int = 32,
    max_length: int | None = None,
    overlap: int = 64,
    threshold: float = 0.5,
    combine: str = "max",
    pair: str = "tokenizer",
) -> NLIJudge:
    """Make the judge `nli`. Only the checkpoint's configuration is read now; the weights are by the first claim.

    Args:
        model: hub id or folder of a sequence-classification checkpoint; required. Remote code is never run.
        labels: the verdict each of the checkpoint's label names stands for ({"entailment": "supported", …}); not
            needed where the names say it.
        revision, device, dtype: as for the scoring LM.
        batch_size: pairs per forward pass; halved when memory runs out.
        max_length: tokens of a pair of passage window and claim; None: 512 or the checkpoint's limit.
        overlap: tokens that neighbouring windows of a long passage share.
        threshold: probability from which a claim is supported or contradicted.
        combine: over passages, "max" (one passage suffices) or "mean"; over the windows of a passage always max.
        pair: "tokenizer" or, for MiniCheck's checkpoints, "joined" (one text with the end token in between).

    Raises:
        ValueError: an option that is missing or wrong, a checkpoint that cannot be found, or labels whose meaning
            is not known.
    """
    del around
    if not isinstance(model, str) or not model.strip():
        raise _wrong("model", model, "this judge has no default; give a hub id or the folder of a checkpoint")
    for name, value, allowed in (("combine", combine, COMBINE), ("pair", pair, PAIRS), ("dtype", dtype, _DTYPES)):
        if value not in allowed:
            raise _wrong(name, value, f"expected {', '.join(allowed)}")
    for name, value, least in (("batch_size", batch_size, 1), ("overlap", overlap, 0), ("max_length", max_length, 32)):
        if name == "max_length" and value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise _wrong(name, value, f"expected a whole number, {least} or more")
    if not is_finite(threshold) or not 0 < threshold <= 1:
        raise _wrong("threshold", threshold, "expected a probability above 0")
    source = source_of(model)
    meaning = read_labels(model, _id2label(source, revision), labels)

    def load() -> NLIModel:
        from .nli_model import NLIModel

        return NLIModel(
            source,
            revision=revision,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            max_length=max_length,
            overlap=overlap,
            pair=pair,
        )

    return NLIJudge(f"nli:{called(source)}", meaning, float(threshold), combine, load)


def _id2label(source: str, revision: str | None) -> Mapping[int, str]:
    from transformers import AutoConfig

    try:
        config: Any = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    except Exception as error:  # a damaged folder raises anything, down to TypeError and KeyError from its JSON
        what = f"expected a hub id or a folder with config.json: {type(error).__name__}: {error}"
        raise _wrong("model", source, what) from error
    if config.problem_type == "multi_label_classification":
        raise _wrong("model", source, "it was trained for several labels at once, so its outputs are no alternatives")
    return config.id2label


def _wrong(name: str, value: object, what: str) -> ValueError:
    return ValueError(f"judge 'nli', option {name} {value!r:.80}: {what}")
