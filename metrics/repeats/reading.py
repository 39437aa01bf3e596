"""What a table of repeats says, in sentences: did a model get steadier, or does it only vary more?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .results import Cells, Estimate, RepeatRow


def reading(rows: Sequence[RepeatRow], n: int, names: Sequence[str]) -> list[str]:
    """Sentences about a table; each rests on 95 % intervals of single rows, uncorrected for how many there are."""
    table = {row.measure: row for row in rows if not row.bucket}
    if "pass@1" not in table or not table["pass@1"].all.base.n or n < 2:
        return []
    out = [_shares(table, side, name) for side, name in zip(("base", "tuned"), names, strict=False)]
    out = [sentence for sentence in out if sentence]
    if len(names) > 1:
        out.append(_conclusion({key: row.all for key, row in table.items()}))
        kept = {key: row.kept for key, row in table.items() if row.kept is not None}
        if "pass@1" in kept:
            count = kept["pass@1"].base.n
            left = (
                f"in the {count:,} questions that both runs have left, {_conclusion(kept)}" if count else "none is left"
            )
            out.append(f"without the responses that were cut off: {left}")
    return out


def _shares(table: dict[str, RepeatRow], side: str, name: str) -> str:
    within, between = (getattr(table[key].all, side) for key in ("within", "between"))
    total = within.value + between.value
    if not (within.n and between.n and total > 0):
        return ""
    share = min(1.0, within.value / total)
    return (
        f"{name}: {share:.0%} of the variance of a response's accuracy lies within questions (chance of the draw), the "
        "rest between them (which questions the model can do)"
    )


def _conclusion(table: Mapping[str, Cells]) -> str:
    """How accuracy, its best and worst of k, and the variance moved, and what that means; k as large as there is."""
    there = {key: cells for key, cells in table.items() if cells.base.n}
    k = max((int(key[5:]) for key in there if key.startswith("pass^")), default=1)
    names = {
        "pass@1": "pass@1",
        f"pass@{k}": f"pass@{k}",
        f"pass^{k}": f"pass^{k}",
        "within": "the variance within questions",
    }
    parts = [f"{name} {_way(_moved(there[key]))}" for key, name in names.items() if key in there]
    once, any_, all_, within = (_moved(there.get(key)) for key in ("pass@1", f"pass@{k}", f"pass^{k}", "within"))
    if once > 0 and within > 0 and all_ <= 0:
        why = "pass@1 rose with the variance, not with what the model gets right every time"
    elif once > 0 and all_ > 0:
        why = "the model gets more questions right every time"
    elif once == 0 and within > 0:
        why = "the model varies more, and nothing shows that it is right more often"
    elif once < 0 and any_ >= 0 and k > 1:
        why = "the model is right less often, though no fewer questions are within its reach"
    else:
        why = ""
    return ", ".join(parts) + (f": {why}" if why else "")


def _moved(cells: Cells | None) -> int:
    found: Estimate | None = cells.difference if cells is not None else None
    if found is None or not found.n:
        return 0
    return 1 if found.low > 0 else -1 if found.high < 0 else 0


def _way(moved: int) -> str:
    return {1: "rose", -1: "fell", 0: "did not move significantly"}[moved]
