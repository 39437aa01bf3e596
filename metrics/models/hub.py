"""Single files of models on the Hugging Face hub."""

from __future__ import annotations


def hub_file(source: str, name: str, revision: str | None) -> str | None:
    """Where the file of a hub model lies in the cache, fetched if need be; None where there is none to be had.

    Raises OSError for what is no hub id.
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
