"""Tables as a terminal shows them, read back: the blocks of one table are put together again, row by row."""

from __future__ import annotations

import re


def table_rows(printed: str, first_header: str) -> dict[str, list[str]]:
    """`{label: cells}` of the first table whose first column is called so, its blocks one after the other.

    A label that takes several lines is put together with spaces; a row that a block leaves out, since it says nothing
    there, has as many dashes.
    """
    found: dict[str, list[str]] = {}
    columns = 0
    for block in _blocks(printed, first_header):
        width = max(len(cells) for cells in block.values())
        for label in block:
            found.setdefault(label, ["–"] * columns)
        for label, cells in found.items():
            cells += block.get(label, ["–"] * width)
        columns += width
    return found


def _blocks(printed: str, first_header: str) -> list[dict[str, list[str]]]:
    lines = printed.splitlines()
    blocks: list[dict[str, list[str]]] = []
    for at in (number for number, line in enumerate(lines) if re.fullmatch("─+", line.strip())):
        if not lines[at - 1].startswith(first_header):
            if blocks:
                break
            continue
        block: dict[str, list[str]] = {}
        label = ""
        for line in lines[at + 1 :]:
            if not line or line.startswith(("•", "left out", "ki: ")):
                break
            cells = re.split(r"\s{2,}", line.rstrip())
            if line.isspace() or (len(cells) == 1 and not label):  # a part of the table begins, or its title
                label = ""
            elif not any(re.search(r"\d|–", cell) for cell in cells[1:]):  # a label's next line
                block[f"{label} {cells[0].strip()}"] = block.pop(label)
                label = f"{label} {cells[0].strip()}"
            else:
                label = cells[0]
                block[label] = cells[1:]
        blocks.append(block)
    return blocks
