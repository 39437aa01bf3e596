"""What an SGLang server is asked, and what it answers.

As in SGLang's own `srt/managers/io_struct.py` (`GenerateReqInput`), `schedule_batch.py`,
`scheduler_components/logprob_result_processor.py` and `entrypoints/http_server.py`:

- `POST /generate` with `input_ids`, `max_new_tokens: 0`, `return_logprob` and `logprob_start_len`. The reply's
  `meta_info.input_token_logprobs` has `[logprob, id, text]` for each token from there on, the first with null.
- The id of the vocabulary's last row comes back as 0: the server clips there what stands for images.
- The prefix cache is read up to `logprob_start_len` and no further (`_compute_max_prefix_len`), so a chain is asked
  about like a trie: its longest sequence first, and once that is in the cache, what branches off it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..tokenization.spans import TokenSpan
from .dialect import Answer, Served, Server, not_served, text_of
from .replies import BadReply, check_count, count, log_probability
from .trunks import trunks_first


class Sglang:
    """See `Dialect`."""

    name = "sglang"

    def look(self, server: Server, names: Collection[str]) -> Served:
        info = server.get_if_told("/model_info", "/get_model_info")
        cards = server.get("/v1/models").get("data")
        cards = [card for card in cards if isinstance(card, dict)] if isinstance(cards, list) else []
        ids = [name for card in cards if (name := text_of(card, "id"))]
        found = [*ids, *(name for key in ("served_model_name", "model_path") if (name := text_of(info, key)))]
        if not set(names) & set(found):
            raise not_served(server.who, names, dict.fromkeys(found))
        state = server.get_if_told("/server_info", "/get_server_info")
        limits = [count(state.get(name)) for name in ("max_req_input_len", "context_length")]
        limits += [count(card.get("max_model_len")) for card in cards if card.get("id") == (ids or [None])[0]]
        return Served(
            next((name for name in found if name in names), found[0]),
            # A sequence as long as the limit is refused.
            max_tokens=min((limit for limit in limits if limit), default=1) - 1 or None,
            version=text_of(state, "version"),
            dtype=text_of(state, "dtype"),
            quantization=text_of(state, "quantization"),
            weights=text_of(info, "weight_version"),
        )

    def request(self, served: Served, sequence: TokenSpan) -> tuple[str, Mapping[str, Any]]:
        del served  # one server runs one model
        return "/generate", {
            "input_ids": sequence.ids.tolist(),
            "sampling_params": {"max_new_tokens": 0, "temperature": 0},
            "return_logprob": True,
            "logprob_start_len": sequence.start - 1,  # what stands there itself gets null
            "stream": False,
        }

    def read(self, served: Served, sequence: TokenSpan, reply: Mapping[str, Any]) -> Answer:
        info = reply.get("meta_info")
        found = info.get("input_token_logprobs") if isinstance(info, dict) else None
        if not isinstance(info, dict) or not isinstance(found, list):
            raise BadReply("the server gave no input_token_logprobs")
        if served.weights is not None and (now := info.get("weight_version", served.weights)) != served.weights:
            raise BadReply(f"the server has other weights by now: version {now!r:.80}, at first {served.weights!r}")
        sent = count(info.get("prompt_tokens"))
        check_count(sequence.n if sent is None else sent, sequence.n)
        first = sequence.start - 1
        ids = sequence.ids[first:].tolist()
        check_count(len(found), len(ids))
        values = []
        for place, (one, token) in enumerate(zip(found, ids, strict=True), first):
            if not isinstance(one, list) or len(one) < 2 or not _same(one[1], token, served):
                raise BadReply(f"the server answered about another token than {token} at place {place}")
            if place > first:
                values.append(log_probability(one[0], place))
        return Answer(np.array(values), sequence.n - (count(info.get("cached_tokens")) or 0))

    def stages(self, served: Served, chains: Sequence[Sequence[TokenSpan]]) -> list[list[list[tuple[int, int]]]]:
        del served
        return trunks_first(chains)


def _same(found: object, token: int, served: Served) -> bool:
    return found == token or (found == 0 and served.last_id is not None and token >= served.last_id)
