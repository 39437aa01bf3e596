"""The judge `openai`: asks any OpenAI-compatible server whether the retrieved passages support a claim.

The claim, its passages and the instructions leave this machine for the `base_url` that the user names; nothing else
does, and there is no default server. A call that fails leaves its claim without a label, with the error.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...likelihood import Unscored
from ...trace import Trace
from ..base import Surroundings
from ..chat.batch import Chat, Totals, make_chat
from ..chat.claim_message import claim_message
from ..chat.context import CONTEXT_CHARACTERS, Contexts, check_context
from ..chat.injection import LEFT_OUT, ONLY_ORDERS, without_orders
from ..chat.reply import SCHEMA, TWO_WAY, Finding, read_two_way, read_verdict
from ..chat.server_options import ServerOptions, takes_server_options
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
    needs_traces = True

    def __init__(
        self, model: str, chat: Chat[Finding, JudgeTotals], context_characters: int = CONTEXT_CHARACTERS
    ) -> None:
        self.name = f"openai:{model}"
        self._chat = chat
        self._context = context_characters

    @property
    def totals(self) -> JudgeTotals:
        """The totals so far."""
        return self._chat.totals

    def judge(
        self,
        claims: Sequence[Claim],
        evidence: Sequence[Sequence[Passage]],
        traces: Sequence[Trace] | None = None,
    ) -> list[Verdict | None]:
        """See `ReadsTraces`. Claims with the same text, passages and context share one call.

        traces: None: the claims are shown without a context.
        """
        contexts = Contexts(self._context)
        prompts = [
            claim_message(claim, passages, contexts.of(claim, trace))
            if passages and without_orders(claim.text) != ("", True)
            else None
            for claim, passages, trace in zip(claims, evidence, traces or [None] * len(claims), strict=True)
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

    def describe(self) -> dict[str, Any]:
        """The instructions' digest, and the models that the server reported so far."""
        return self._chat.describe()

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


@takes_server_options
def make(
    around: Surroundings,
    server: ServerOptions,
    *,
    prompt: str = "default",
    two_way: bool = False,
    context_characters: int = CONTEXT_CHARACTERS,
) -> OpenAIJudge:
    """Make the judge `openai`.

    Args:
        server: all further options; the cache "auto" is `judges/` in stepgauge's cache folder.
        prompt: "default", or a .txt file with a system prompt of your own (see `chat/prompt_texts/openai_default.txt`).
        two_way: the judge says right or wrong, as in the paper, and never "insufficient"; its "default" prompt is
            `openai_two_way.txt`.
        context_characters: how much of the question and of the steps before a claim is shown with it, half each, from
            their ends; 0: nothing.

    Raises:
        ValueError: an option that is missing or wrong, or the `openai` package is not installed.
    """
    del around
    if not isinstance(two_way, bool):
        raise ValueError(f"judge 'openai', option two_way {two_way!r:.80}: expected true or false")
    if two_way and prompt == "default":
        prompt = "two_way"
    check_context("judge 'openai'", context_characters)
    chat = make_chat(
        "judge 'openai'",
        server,
        prompt=("openai", prompt),
        cache_folder="judges",
        schema=("verdict", TWO_WAY if two_way else SCHEMA),
        read=read_two_way if two_way else read_verdict,
        totals=JudgeTotals(),
    )
    return OpenAIJudge(str(server.model), chat, context_characters)
