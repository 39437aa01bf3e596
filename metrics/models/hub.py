"""Fetches single files of models on the Hugging Face hub."""

from __future__ import annotations


def hub_file(source: str, name: str, revision: str | None) -> str | None:
    """The cached path of a file of a hub model, downloaded if necessary; None if it is not available.

    Raises OSError if `source` is not a hub id.
    """
    from transformers.utils.hub import cached_file  # takes seconds

    return cached_file(
        source,
        name,
        revision=revision,
        _raise_exceptions_for_gated_repo=False,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
