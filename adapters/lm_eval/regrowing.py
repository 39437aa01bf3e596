"""For the option `regrow`: the model that the running evaluation asks goes on with responses of its own.

It is asked as lm-eval asks it, behind the prompt that lm-eval gave it, so that template, special tokens, stop sequences
and batches are those of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, TemplateLM

from ...metrics import ScorerError
from ...metrics.likelihood import Unscored
from ...metrics.reliance.regrowing import Beginning, Continuation
from .model_under_test import running_model

# A prompt as lm-eval gives it to a model, with its generation options.
Prompt = tuple[str, Mapping[str, Any]]
_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")  # lm-eval's order
_SAMPLING = ("temperature", "do_sample", "top_p", "top_k", "min_p", "max_length")
_DEFAULT_LIMIT = 256
# lm-eval puts into a batch what has the same options: limits are rounded up, and the end is cut off where it was due.
_LIMITS_ALIKE = 64


def model_that_continues() -> Any:
    """The model of the running evaluation, if it can go on with a text.

    Raises:
        ScorerError: it is no causal LM in this process, it loses what it thought, or there is none.
    """
    lm = running_model("regrow")
    inner = getattr(lm, "lm", lm)
    if not isinstance(inner, TemplateLM) or _is_elsewhere(inner) or getattr(inner, "backend", "causal") != "causal":
        raise ScorerError(
            f"regrow: the model under test is a {type(inner).__name__}; to go on with the beginning of its own "
            "response it must be a causal LM that lm-eval runs in this process (`hf`, `vllm`)"
        )
    if getattr(inner, "think_end_token", None) is not None:
        raise ScorerError(
            "regrow: with the model argument think_end_token lm-eval drops what the model wrote before that token, so "
            "it cannot go on from there; leave the argument out"
        )
    return lm


class RunningModel:
    """The model under test behind the prompts of its run.

    Args:
        lm: of lm-eval.
        prompts: of each chain, by the id of its trace.
    """

    def __init__(self, lm: LM, prompts: Mapping[int, Prompt]) -> None:
        self._lm: Any = lm
        self._prompts = prompts

    def continued(self, beginnings: Sequence[Beginning]) -> list[Continuation | Unscored]:
        """See `Continuations`."""
        asked = [self._request(beginning) for beginning in beginnings]
        requests = [one for one in asked if not isinstance(one, Unscored)]
        # Where several processes generate together each calls, though it has nothing to ask.
        together = getattr(self._lm, "world_size", 1) > 1
        written = self._lm.generate_until([one for one, _ in requests]) if requests or together else []
        answers = iter(zip(written, requests, strict=True))
        return [one if isinstance(one, Unscored) else self._read(*next(answers)) for one in asked]

    def _request(self, beginning: Beginning) -> tuple[Instance, int] | Unscored:
        prompt = self._prompts.get(id(beginning.trace))
        if prompt is None or not isinstance(prompt[0], str):
            return Unscored("the prompt of this response is not known as a text")
        context, options = prompt
        whole = next((options[name] for name in _LIMITS if options.get(name) is not None), None)
        whole = int(whole or getattr(self._lm, "max_gen_toks", _DEFAULT_LIMIT))
        left = whole - len(self._tokens(beginning.text))
        if left < 1:
            return Unscored(f"the beginning alone takes the run's limit of {whole} new tokens")
        text = context + beginning.text
        asked = min(whole, _LIMITS_ALIKE * math.ceil(left / _LIMITS_ALIKE))
        longest = getattr(self._lm, "max_length", None)
        if longest is not None:
            # As lm-eval counts a prompt, with the token that begins it.
            room = longest - len(self._lm.tok_encode(text))
            if left > room:
                return Unscored("prompt, beginning and a new end are longer than the model's context")
            asked = min(asked, room)
        kept = {name: value for name, value in options.items() if name not in (*_LIMITS, *_SAMPLING)}
        greedy = {**kept, "do_sample": False, "temperature": 0.0, "max_gen_toks": asked}
        return Instance("generate_until", {}, (text, greedy), 0, metadata=("regrow", 0, 1)), left

    def _read(self, written: Any, request: tuple[Instance, int]) -> Continuation | Unscored:
        if not isinstance(written, str):
            return Unscored(f"the model's response is {type(written).__name__}, not text")
        # lm-eval does not say why a text ended: one as long as the limit was cut off.
        return Continuation(written, cut_off=len(self._tokens(written)) >= request[1])

    def _tokens(self, text: str) -> Sequence[int]:
        return self._lm.tok_encode(text, add_special_tokens=False)


def _is_elsewhere(lm: Any) -> bool:
    """Whether it is an API: most take conversations, whose last message is a turn that is over."""
    return any(base.__name__ == "TemplateAPI" for base in type(lm).__mro__)
