"""What a vLLM server is asked, and what it answers.

As in vLLM's own `entrypoints/openai/completion/protocol.py` and `serving.py`, `entrypoints/openai/models/serving.py`:

- `POST /v1/completions` with a prompt of token ids, `max_tokens: 1` (it takes no 0 but with `echo`) and
  `prompt_logprobs: 0`, which means no others than the prompt's own tokens. The first choice has
  `prompt_logprobs: [null, {"<id>": {"logprob": …}}, …]`, one for each token of the prompt, and, with
  `return_token_ids`, `prompt_token_ids`. They are of the raw logits, whatever the sampling parameters.
- A log-probability of minus infinity comes as -9999.
- A request for them reads no prefix cache (`SamplingParams.skip_reading_prefix_cache`): every sequence is computed in
  full, so one that holds others answers for them, and no order saves anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..tokenization.spans import TokenSpan
from .dialect import Answer, Served, Server, not_served, text_of
from .replies import BadReply, check_count, count, log_probability

# What the server puts in the place of minus infinity, which JSON has not.
_MINUS_INFINITY = -9999.0
# In the answer of /server_info, which only servers in development mode have: `dtype=torch.bfloat16`, or as JSON.
_DTYPE = re.compile(r"""\bdtype["']?\s*[=:]\s*["']?torch\.(\w+)""")
_NEW_TOKENS = 1


class Vllm:
    """See `Dialect`."""

    name = "vllm"

    def look(self, server: Server, names: Collection[str]) -> Served:
        cards = server.get("/v1/models").get("data")
        cards = [card for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []
        for card in sorted(cards, key=lambda card: text_of(card, "id") not in names):
            model = text_of(card, "id")
            # `root` is what the server loaded, whatever it calls it.
            if model is not None and (model in names or text_of(card, "root") in names):
                most = count(card.get("max_model_len"))
                info = _DTYPE.search(str(server.get_if_told("/server_info").get("vllm_config")))
                same = [
                    other for other in cards if (text_of(other, "root") or model) == (text_of(card, "root") or model)
                ]
                return Served(
                    model,
                    # Of several names for one model, it answers under the first.
                    frozenset([model, *(name for other in same if (name := text_of(other, "id")))]),
                    max_tokens=most - _NEW_TOKENS if most else None,
                    version=text_of(server.get_if_told("/version"), "version"),
                    dtype=info[1] if info else None,
                )
        raise not_served(server.who, names, [name for card in cards if (name := text_of(card, "id"))])

    def request(self, served: Served, sequence: TokenSpan) -> tuple[str, Mapping[str, Any]]:
        return "/v1/completions", {
            "model": served.model,
            "prompt": sequence.ids.tolist(),
            "max_tokens": _NEW_TOKENS,
            "temperature": 0,
            "prompt_logprobs": 0,
            "return_token_ids": True,
            "stream": False,
        }

    def read(self, served: Served, sequence: TokenSpan, reply: Mapping[str, Any]) -> Answer:
        if (model := reply.get("model")) not in served.aliases:
            raise BadReply(f"the server answered for the model {model!r:.80}, asked was {served.model!r}")
        choices = reply.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        found = choice.get("prompt_logprobs") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(found, list):
            raise BadReply("the server gave no prompt_logprobs")
        ids = sequence.ids.tolist()
        echoed = choice.get("prompt_token_ids")  # older servers do not send them
        if echoed is not None and echoed != ids:
            raise BadReply("the server answered about other token ids than were sent")
        check_count(len(found), len(ids))
        values = [_value(one, token, place) for place, (one, token) in enumerate(zip(found, ids, strict=True)) if place]
        return Answer(np.array(values[sequence.start - 1 :]), len(ids))

    def stages(self, chains: Sequence[Sequence[TokenSpan]]) -> list[list[list[tuple[int, int]]]]:
        places = [(chain, i) for chain, own in enumerate(chains) for i in range(len(own))]
        # The longest first: at the end there are short ones to fill the server's last batches.
        return [[sorted(places, key=lambda place: -len(chains[place[0]][place[1]].ids))]]


def _value(found: object, token: int, place: int) -> float:
    if found is None:
        raise BadReply(f"the server gave no log-probability (null) for token {place}")
    entry = found.get(str(token)) if isinstance(found, dict) else None
    if not isinstance(entry, dict):
        raise BadReply(f"the server gave no log-probability for token {place}, which has the id {token}")
    value = log_probability(entry.get("logprob"), place)
    if value <= _MINUS_INFINITY:
        raise BadReply(f"the server gave a log-probability of minus infinity for token {place}")
    return value
