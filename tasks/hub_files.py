"""Where on the Hugging Face hub the financial data sets are whose files the tasks read themselves."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class HubData(NamedTuple):
    """A data set on the hub: its name, the revision to read, and the split."""

    name: str
    revision: str | None
    split: str


TATQA = HubData("next-tat/TAT-QA", None, "dev")
FINQA = HubData("ibm-research/finqa", "refs/convert/parquet", "test")


def tatqa_file() -> Path:
    """The hub's file of TAT-QA's development split, downloaded once."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(TATQA.name, f"tatqa_dataset_{TATQA.split}.json", repo_type="dataset"))
