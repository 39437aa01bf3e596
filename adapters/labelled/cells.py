"""Cells of a CSV file that a spreadsheet opens: what begins like a formula is kept from being run.

An apostrophe in front makes a cell text. Spreadsheets drop it when they save, others keep it: both are read back.
"""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def inert(text: str) -> str:
    """The text as a cell that is never run."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith((*_FORMULA, "'")) else text


def restored(cell: str) -> str:
    """What `inert` was given."""
    return cell[1:] if cell.startswith("'") else cell


def bare(text: str) -> str:
    """For comparing a cell with a text whoever saved the file: white space collapsed, no apostrophe in front."""
    return " ".join(text.split()).lstrip("'")
