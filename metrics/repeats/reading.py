"""What a table of repeats says, in sentences: did a model get steadier, or does it only vary more?"""

from __future__ import annotations

from collections.abc import Sequence

from .results import Cells, Estimate, RepeatRow


def reading(rows: Sequence[RepeatRow], n: int, names: Sequence[str]) -> list[str]:
    """Sentences about a table; each rests on 95 % intervals of single rows, uncorrected for how many there are."""
    table = {row.measure: row for row in rows if not row.bucket}
    if "pass@1" not in table or not table["pass@1"].all.base.n or n < 2:
        return []
    out = [_shares(table, side, name) for side, name in zip(("base", "tuned"), names, strict=False)]
    out = [sentence for sentence in out if sentence]
    if len(names) > 1:
        said = _conclusion({key: row.all for key, row in table.items()}, n)
        out.append(said)
        kept = {key: row.kept for key, row in table.items() if row.kept is not None}
        if kept:
            without = _conclusion(kept, n)
            same = without == said
            out.append(f"without the responses that were cut off: {'the same' if same else without}")
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


def _conclusion(table: dict[str, Cells], n: int) -> str:
    once, any_, all_ = (_moved(table.get(key)) for key in ("pass@1", f"pass@{n}", f"pass^{n}"))
    within = _moved(table.get("within"))
    parts = [
        f"pass@1 {_way(once)}",
        f"pass@{n} {_way(any_)}",
        f"pass^{n} {_way(all_)}",
        f"the variance within questions {_way(within)}",
    ]
    if once > 0 and within > 0 and all_ <= 0:
        why = "pass@1 rose with the variance, not with what the model gets right every time"
    elif once > 0 and all_ > 0:
        why = "the model gets more questions right every time"
    elif once == 0 and within > 0:
        why = "the model varies more, and is right no more often"
    elif once < 0 and any_ >= 0:
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
