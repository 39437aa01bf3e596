"""What a vLLM server is asked, and what it answers.

As in vLLM's own `entrypoints/openai/completion/protocol.py` and `serving.py`, `entrypoints/openai/models/serving.py`:

- `POST /v1/completions` with a prompt of token ids, `max_tokens: 1` (it takes no 0 but with `echo`) and
  `prompt_logprobs: 0`, which means no others than the prompt's own tokens. The first choice has
  `prompt_logprobs: [null, {"<id>": {"logprob": …}}, …]`, one for each token of the prompt, and, with
  `return_token_ids`, `prompt_token_ids`. They are of the raw logits, whatever the sampling parameters.
- A log-probability of minus infinity comes as -9999.
- A request for them reads no prefix cache (`SamplingParams.skip_reading_prefix_cache`): every sequence is computed in
  full, so one that holds others answers for them, and no order saves anything.
- `POST /inference/v1/generate` (`entrypoints/serve/disagg/`) of a server that was started with `--enable-trace-replay`
  takes `sampling_params.trace_decode_token_ids`: it decodes these tokens behind the prompt, which it reads from its
  cache as far as it can, and says how likely each was. Two short requests at the start find out whether it does, and
  whether its numbers are those of the other way; if so, answers are replayed behind their prefixes.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..tokenization.spans import TokenSpan
from .dialect import Answer, Served, Server, not_served, text_of
from .replies import BadReply, check_count, count, log_probability
from .trunks import trunks_first

log = logging.getLogger(__name__)

# What the server puts in the place of minus infinity, which JSON has not.
_MINUS_INFINITY = -9999.0
# In the answer of /server_info, which only servers in development mode have: `dtype=torch.bfloat16`, or as JSON.
_DTYPE = re.compile(r"""\bdtype["']?\s*[=:]\s*["']?torch\.(\w+)""")
_NEW_TOKENS = 1
# A decoding step for each token: a longer end (a whole text that is scored) is computed faster as a prompt.
_MOST_REPLAYED = 64
# Tokens to try a replay on, and how far both ways may be apart where numbers have few bits.
_PROBE = TokenSpan(np.array([5, 6, 7, 8, 9, 10]), 4)
_ALLOWED_NATS = 0.5


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
                served = Served(
                    model,
                    # Of several names for one model, it answers under the first.
                    frozenset([model, *(name for other in same if (name := text_of(other, "id")))]),
                    max_tokens=most - _NEW_TOKENS if most else None,
                    version=text_of(server.get_if_told("/version"), "version"),
                    dtype=info[1] if info else None,
                )
                return dataclasses.replace(served, replays=_replays(server, served, self))
        raise not_served(server.who, names, [name for card in cards if (name := text_of(card, "id"))])

    def request(self, served: Served, sequence: TokenSpan) -> tuple[str, Mapping[str, Any]]:
        if _is_replayed(served, sequence):
            return _replay(served, sequence)
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
        if _is_replayed(served, sequence):
            return _replayed(sequence, reply)
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

    def stages(self, served: Served, chains: Sequence[Sequence[TokenSpan]]) -> list[list[list[tuple[int, int]]]]:
        if served.replays:
            return trunks_first(chains)
        places = [(chain, i) for chain, own in enumerate(chains) for i in range(len(own))]
        # The longest first: at the end there are short ones to fill the server's last batches.
        return [[sorted(places, key=lambda place: -chains[place[0]][place[1]].n)]]


def _value(found: object, token: int, place: int) -> float:
    if found is None:
        raise BadReply(f"the server gave no log-probability (null) for token {place}")
    entry = found.get(str(token)) if isinstance(found, dict) else None
    if not isinstance(entry, dict):
        raise BadReply(f"the server gave no log-probability for token {place}, which has the id {token}")
    return _finite(entry.get("logprob"), place)


def _finite(found: object, place: int) -> float:
    value = log_probability(found, place)
    if value <= _MINUS_INFINITY:
        raise BadReply(f"the server gave a log-probability of minus infinity for token {place}")
    return value


def _is_replayed(served: Served, sequence: TokenSpan) -> bool:
    return served.replays and sequence.n - sequence.start <= _MOST_REPLAYED


def _replay(served: Served, sequence: TokenSpan) -> tuple[str, Mapping[str, Any]]:
    end = sequence.ids[sequence.start :].tolist()
    sampling = {"trace_decode_token_ids": end, "max_tokens": len(end), "temperature": 1.0, "logprobs": 0}
    return "/inference/v1/generate", {
        "model": served.model,
        "token_ids": sequence.ids[: sequence.start].tolist(),
        "sampling_params": sampling,
        "stream": False,
    }


def _replayed(sequence: TokenSpan, reply: Mapping[str, Any]) -> Answer:
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    logprobs = choice.get("logprobs") if isinstance(choice, dict) else None
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(choice, dict) or not isinstance(content, list):
        raise BadReply("the server gave no logprobs of what it replayed")
    end = sequence.ids[sequence.start :].tolist()
    if choice.get("token_ids") != end:
        raise BadReply("the server replayed other token ids than were sent")
    check_count(len(content), len(end))
    values = []
    for place, (one, token) in enumerate(zip(content, end, strict=True), sequence.start):
        # Releases differ: the id as a number, or in the token's text.
        if not isinstance(one, dict) or (one.get("token_id") != token and one.get("token") != f"token_id:{token}"):
            raise BadReply(f"the server answered about another token than {token} at place {place}")
        values.append(_finite(one.get("logprob"), place))
    usage = reply.get("usage")
    details = usage.get("prompt_tokens_details") if isinstance(usage, dict) else None
    cached = count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Answer(np.array(values), sequence.n - (cached or 0))


def _replays(server: Server, served: Served, dialect: Vllm) -> bool:
    """Whether the server replays tokens, with the log-probabilities that it gives them in a prompt."""
    try:
        if not (reply := server.post_if_told(*_replay(served, _PROBE))):
            return False
        replayed = _replayed(_PROBE, reply).values
        prompt = dialect.read(served, _PROBE, server.post_if_told(*dialect.request(served, _PROBE))).values
    except BadReply as error:
        log.info("%s: replayed tokens are not used: %s", server.who, error)
        return False
    apart = float(np.abs(replayed - prompt).max())
    if apart > _ALLOWED_NATS:
        log.warning("%s: replayed tokens are not used: they are %.2g nats from the prompt's", server.who, apart)
        return False
    return True
