"""The judge `openai`: asks any OpenAI-compatible server whether the retrieved passages support a claim.

The claim, its passages and the instructions leave this machine for the `base_url` that the user names; nothing else
does, and there is no default server. A call that fails leaves its claim without a label, with the error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...likelihood import Unscored
from ..base import Surroundings
from ..chat.batch import Chat, ServerOptions, Totals, make_chat
from ..chat.claim_message import claim_message
from ..chat.injection import LEFT_OUT, ONLY_ORDERS, without_orders
from ..chat.reply import SCHEMA, Finding, read_verdict
from ..types import Claim, Passage, Verdict

log = logging.getLogger(__name__)

KINDS = frozenset({"sentence"})


@dataclass(frozen=True)
class JudgeTotals(Totals):
    """What one judge has done since it was made.

    Attributes:
        claims: claims it was asked about; the questions of `Totals` are claims.
        without_evidence: of these, claims without passages; they are "insufficient" and cost nothing.
    """

    claims: int = 0
    without_evidence: int = 0

    def __str__(self) -> str:
        return f"{self.claims} claims: {self.cached} cached, {self.without_evidence} without evidence, {self.spent()}"


class OpenAIJudge:
    """Judges claims of kind "sentence" in parallel; its name is "openai:" and the model.

    Safe to call from several threads: they share one pool of workers.
    """

    kinds: frozenset[str] | None = KINDS
    needs_evidence = True

    def __init__(self, model: str, chat: Chat[Finding, JudgeTotals]) -> None:
        self.name = f"openai:{model}"
        self._chat = chat

    @property
    def totals(self) -> JudgeTotals:
        """The totals so far."""
        return self._chat.totals

    def judge(self, claims: Sequence[Claim], evidence: Sequence[Sequence[Passage]]) -> list[Verdict | None]:
        """See `Judge`. Claims with the same text and passages share one call."""
        prompts = [
            claim_message(claim, passages) if passages and without_orders(claim.text) != ("", True) else None
            for claim, passages in zip(claims, evidence, strict=True)
        ]
        without_evidence = sum(not passages for passages in evidence)
        answers = self._chat.ask(prompts, "claims", lambda _: None)
        self._chat.count(
            claims=len(claims), without_evidence=without_evidence, failed=prompts.count(None) - without_evidence
        )
        log.info("judge %s so far: %s", self.name, self.totals)
        return [
            self._verdict(claim, passages, answer)
            for claim, passages, answer in zip(claims, evidence, answers, strict=True)
        ]

    def close(self) -> None:
        """Stop the workers and close the connections and the cache."""
        self._chat.close()

    def _verdict(self, claim: Claim, passages: Sequence[Passage], answer: Finding | Unscored | None) -> Verdict:
        shown = tuple(passages)
        if not passages:
            return Verdict(claim, "insufficient", self.name, reason="no evidence was found")
        if answer is None:
            return Verdict(claim, None, self.name, evidence=shown, error=ONLY_ORDERS)
        if isinstance(answer, Unscored):
            return Verdict(claim, None, self.name, evidence=shown, error=answer.reason)
        reason = f"{answer.reason}; {LEFT_OUT}" if without_orders(claim.text)[1] else answer.reason
        return Verdict(claim, answer.label, self.name, probability=answer.probability, evidence=shown, reason=reason)


def make(
    around: Surroundings,
    *,
    model: str | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
    prompt: str = "default",
    structured: str = "auto",
    temperature: float | None = 0.0,
    max_tokens: int | None = 512,
    params: Mapping[str, Any] | None = None,
    timeout: float = 60.0,
    max_retries: int = 4,
    backoff: float = 0.5,
    concurrency: int = 8,
    cache: str = "auto",
    prompt_price: float | None = None,
    completion_price: float | None = None,
) -> OpenAIJudge:
    """Make the judge `openai`.

    Args:
        prompt: "default", or a .txt file with a system prompt of your own (see `prompts/openai_default.txt`).

    All others are described at `ServerOptions`; the cache "auto" is `judges/` in stepgauge's cache folder.

    Raises:
        ValueError: an option that is missing or wrong, or the `openai` package is not installed.
    """
    del around
    options = ServerOptions(
        model=model,
        base_url=base_url,
        api_key_env=api_key_env,
        structured=structured,
        temperature=temperature,
        max_tokens=max_tokens,
        params=params,
        timeout=timeout,
        max_retries=max_retries,
        backoff=backoff,
        concurrency=concurrency,
        cache=cache,
        prompt_price=prompt_price,
        completion_price=completion_price,
    )
    chat = make_chat(
        "judge 'openai'",
        options,
        prompt=("openai", prompt),
        cache_folder="judges",
        schema=("verdict", SCHEMA),
        read=read_verdict,
        totals=JudgeTotals(),
    )
    return OpenAIJudge(str(model), chat)
