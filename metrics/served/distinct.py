"""Which sequences have to be asked about: each once, and none that is the beginning of another.

The log-probabilities of a sequence's tokens depend only on the tokens before them, so the answer about a sequence holds
those about every beginning of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..tokenization.spans import TokenSpan


@dataclass(frozen=True)
class Distinct:
    """The sequences of some chains.

    Attributes:
        chains: the distinct sequences, each with the first chain that needs it, and with the first start anyone needs.
        places: for each chain and each of its requests, where the answer will be: (chain, sequence in it).
    """

    chains: list[list[TokenSpan]]
    places: list[list[tuple[int, int]]]


def distinct(chains: Sequence[Sequence[TokenSpan]]) -> Distinct:
    """Merge equal sequences, and those that begin another one into that."""
    spans = [(chain, i) for chain, own in enumerate(chains) for i in range(len(own))]
    keys = {(chain, i): chains[chain][i].ids.astype(">u4").tobytes() for chain, i in spans}
    spans.sort(key=keys.__getitem__)
    # Big-endian, so that the order is that of the tokens: what begins another stands just before one that it begins.
    holder: dict[tuple[int, int], tuple[int, int]] = {}
    start: dict[tuple[int, int], int] = {}
    following: tuple[int, int] | None = None
    for place in reversed(spans):
        held = following is not None and keys[following].startswith(keys[place])
        holder[place] = holder[following] if held and following is not None else place
        own = chains[place[0]][place[1]].start
        start[holder[place]] = min(own, start.get(holder[place], own))
        following = place
    out = Distinct([[] for _ in chains], [[] for _ in chains])
    where: dict[tuple[int, int], tuple[int, int]] = {}
    for chain, own in enumerate(chains):
        for i in range(len(own)):
            held_by = holder[chain, i]
            if held_by not in where:
                where[held_by] = (chain, len(out.chains[chain]))
                out.chains[chain].append(replace(chains[held_by[0]][held_by[1]], start=start[held_by]))
            out.places[chain].append(where[held_by])
    return out
