"""Opens a corpus; a source file given in its place is first indexed in the cache folder."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

from ..models.cache import cache_dir
from .build import build_corpus
from .corpus import Corpus
from .errors import CorpusBusy, CorpusError

log = logging.getLogger(__name__)

# How long to wait for another process that is indexing the same file.
_WAIT_S = 600.0


def open_corpus(path: str | Path) -> Corpus:
    """The corpus in a folder that `stepgauge corpus build` made, or of a source file (.jsonl, .jsonl.gz, .txt, .md).

    The first call indexes a source file for BM25 in the cache folder, with the default options of `corpus build`; a
    changed file is indexed again. Raises CorpusError like `Corpus` and `build_corpus`.
    """
    source = Path(path).expanduser()
    if not source.is_file():
        return Corpus(source)
    where = hashlib.sha256(str(source.absolute()).encode("utf-8", "surrogatepass")).hexdigest()[:12]
    dest = cache_dir() / "corpora" / f"{source.name.partition('.')[0]}-{where}"
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(f"corpus {str(source)!r} cannot be indexed in {dest.parent}: {error}") from error
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            built = build_corpus(source, dest)
            break
        except CorpusBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    if built.built:
        log.info("indexed %s in %s", source, dest)
    return Corpus(dest)
