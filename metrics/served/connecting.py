"""Finds a server, and makes sure that it runs the scorer that was asked for, with the same tokenizer."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import ScorerError
from ..models.loading import SMOLLM2, SMOLLM2_HUB_ID, ScorerFiles, max_tokens, read_files
from ..models.scorer_tokenizer import ScorerTexts
from ..servers.client import Client
from ..tokenization.spans import check_tokenizer
from .dialect import Dialect, Served, Server
from .server_options import ScorerServer

# Prompts of 128k tokens come back with some hundred bytes for each.
_MOST_BYTES = 64_000_000
# Where tokenizers that are nearly the same differ: digits, signs, new lines, letters with marks, other scripts.
_PROBE = "Question: 3 × 1234.5 = 3703.5?\n\n\tNaïve, isn't it?  東京 🙂 <b>\r\nAnswer: (B) "


@dataclass(frozen=True)
class Connected:
    """A scorer's files here and the server that runs it."""

    files: ScorerFiles
    texts: ScorerTexts
    served: Served
    client: Client
    address: str


def connect(
    who: str,
    dialect: Dialect,
    scorer: str,
    options: ScorerServer,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Connected:
    """Read the scorer's tokenizer and configuration, and ask the server who it is.

    Raises ScorerError where one is not found, or where the server runs another model or another tokenizer.
    """
    files = read_files(scorer, revision=revision, trust_remote_code=trust_remote_code)
    check_tokenizer(files.tokenizer)
    root = str(options.base_url).rstrip("/").removesuffix("/v1")
    try:
        client = Client(who, root, options.api_key(), options.retrying(), most_bytes=_MOST_BYTES)
    except ValueError as error:
        raise ScorerError(str(error)) from error
    try:
        server = Server(who, _without_password(root), client)
        served = dialect.look(server, [options.model] if options.model else _names(scorer, files))
        _check_tokenizer_of(server, served, files)
    except BaseException:
        client.close()
        raise
    rows = getattr(files.config.get_text_config(), "vocab_size", None)
    served = dataclasses.replace(served, last_id=rows - 1 if isinstance(rows, int) else None)
    limit = served.max_tokens or max_tokens(files.config)
    return Connected(files, ScorerTexts(files.tokenizer, scorer, limit), served, client, server.root)


def _names(scorer: str, files: ScorerFiles) -> list[str]:
    """What the scorer may be called by a server that was given no name for it."""
    return list(dict.fromkeys([scorer, files.source, *([SMOLLM2_HUB_ID] if scorer == SMOLLM2 else [])]))


def _check_tokenizer_of(server: Server, served: Served, files: ScorerFiles) -> None:
    body = {"model": served.model, "prompt": _PROBE, "add_special_tokens": True}
    found = server.post_if_told("/tokenize", body).get("tokens")
    own = files.tokenizer(_PROBE, add_special_tokens=True, verbose=False)["input_ids"]
    if isinstance(found, list) and found != own:
        raise ScorerError(
            f"{server.who}: the server's tokenizer is another than that of {files.source!r}: it cuts {_PROBE[:24]!r}… "
            f"into {len(found)} tokens that begin with {found[:5]}, here it is {len(own or ())} that begin with "  # type: ignore[arg-type]
            f"{list(own or ())[:5]}"  # type: ignore[arg-type]
        )


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
