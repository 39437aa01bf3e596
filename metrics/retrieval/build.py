"""Builds a corpus: read, chunk, index, write the manifest, move into place.

Everything is written into `.NAME.building` beside the destination, stage by stage (texts, BM25, dense vectors). An
interrupted build resumes after its last finished stage (the dense stage after its last vectors) if source and options
are unchanged, and starts over otherwise. Stages copy what is the same in a corpus that is there (`former`). The
destination appears in one rename, complete with its manifest.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from ..knowledge.law.provisions import CUTTING
from ..versions import package_version
from . import bm25_index, dense_index, floors, manifest, words
from .chunks import OVERLAP, WORDS, check_options
from .encoders import DenseOptions, Encoder, SentenceEncoder
from .errors import CorpusBusy, CorpusError, require
from .former import READERS, VERSIONS, Former, open_former
from .readers import Fields, find_source
from .store import TEXTS, TextStore
from .texts import pieces_of, write_texts

log = logging.getLogger(__name__)

BY = ("words", "provision")
_STAGES = "stages.json"
_LOCK = "lock"
_VERSIONS = (*VERSIONS, "numpy", "bm25s", "PyStemmer", "wordfreq", "faiss-cpu")


@dataclass(frozen=True)
class Built:
    """The result of a build.

    Attributes:
        manifest: the corpus's manifest.
        built: False if the corpus already existed.
        resumed: stages reused from an interrupted build.
        kept: how many documents, chunks and vectors were copied from the corpus that was there; empty without one.
    """

    manifest: Mapping[str, Any]
    built: bool
    resumed: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)


def build_corpus(
    source: str | Path,
    dest: str | Path,
    *,
    fields: Fields | None = None,
    chunk_words: int = WORDS,
    overlap: int = OVERLAP,
    by: str = "words",
    dense: DenseOptions | None = None,
    encoder: Callable[[], Encoder] | None = None,
    device: str | None = None,
    batch_size: int = 32,
    progress: bool | None = None,
) -> Built:
    """Build the corpus of `source` into the folder `dest`; does nothing if it already holds this source and options.

    Args:
        source: a file or folder, see `readers`.
        dest: a new or empty folder, or a corpus, which is replaced once the new one is complete. What is the same in
            it is not read and encoded again.
        chunk_words, overlap: words in a chunk, and how many of them it shares with the one before.
        by: "words" cuts documents into chunks of `chunk_words`; "provision" cuts statutes, rules and contracts into
            their provisions, whose ids are citation keys ("fre 801(c)"), and a document without any as "words" does.
        dense: also make a dense index.
        encoder: called to create the passage encoder when it is first needed; None: `SentenceEncoder(dense)`.
        device, batch_size: for the passage encoder; they do not change what is built.
        progress: show progress bars; None: on a terminal only.

    Raises:
        CorpusError: names the file, row and field of bad input, or says what else cannot be done.
    """
    fields = fields or Fields()
    check_options(chunk_words, overlap)
    if by not in BY:
        raise CorpusError(f"a corpus by {by!r}: expected {' or '.join(BY)}")
    require("bm25s", "bm25s", "building a corpus")
    require("Stemmer", "PyStemmer", "building a corpus")
    require("wordfreq", "wordfreq", "building a corpus")
    if dense is not None:
        dense_index.check_index(dense.index)
        if encoder is None:
            require("sentence_transformers", "sentence-transformers", "a dense index")
    dest = Path(dest).expanduser().absolute()
    files = find_source(source)
    before = files.state()
    options = {
        "fields": asdict(fields),
        "chunk_words": chunk_words,
        "overlap": overlap,
        "dense": None if dense is None else asdict(dense),
        **({"by": by, "cutting": CUTTING} if by != "words" else {}),
    }
    cut = partial(pieces_of, words=chunk_words, overlap=overlap, by=by)
    digests = files.digests()
    digest = _key(digests)
    versions = {"Python": platform.python_version(), **{name: package_version(name) for name in _VERSIONS[1:]}}
    made_of = {"format": manifest.FORMAT, "words": words.NAME, "floors": floors.NAME, "source": digest, **options}
    # What is left out by its name is no part of the digest, but the manifest lists it.
    key = _key({**made_of, **({"left_out": files.left_out} if files.left_out else {})})
    present = _present(dest)
    if present is not None and present["key"] == key and not _reads_more(present, versions):
        return Built(present, built=False)

    work = dest.with_name(f".{dest.name}.building")
    with _locked(work), _cleared_on_error(work):
        stages = _Stages(work, key, {name: versions[name] for name in READERS})
        resumed = tuple(stages.done)
        kept: dict[str, int] = {}
        former = cache(partial(open_former, dest, versions))
        # A complete work folder means that an earlier build was stopped just before the final move.
        if not _is_complete(work, key):
            texts = stages.run(
                "texts", lambda: write_texts(work, files, digests, fields, options, cut, former(), progress)
            )
            counts = texts["counts"]
            bm25 = stages.run("bm25", lambda: bm25_index.build(work, TextStore(work), progress=progress))
            vectors = make = None
            if dense is not None:
                make = cache(encoder or partial(SentenceEncoder, dense, device=device, batch_size=batch_size))
                held = partial(_vectors, former, dense)
                vectors = stages.run(
                    "dense",
                    lambda: dense_index.build(work, TextStore(work), dense, make, kept=held, progress=progress),
                )
            kept = _kept(texts, vectors)
            found_floors = stages.run("floors", lambda: _floors(work, counts["chunks"], dense, vectors, make, encoder))
            if files.state() != before:
                stages.forget()
                raise CorpusError(f"{source}: its files changed while the corpus was built; build again")
            content = {
                "key": key,
                "built": datetime.now(UTC).isoformat(timespec="seconds"),
                "source": {
                    "name": Path(source).name,
                    "files": len(before),
                    "bytes": sum(size for _, size, _ in before),
                    "sha256": digest,
                },
                "counts": counts,
                "left_out": texts["left_out"],
                "options": options,
                "bm25": {"words": words.NAME, **bm25},
                "dense": options["dense"] and vectors and {**options["dense"], "dimension": vectors["dimension"]},
                "floors": found_floors,
                "versions": versions,
                "files": manifest.describe_files(work, leave_out=(_STAGES, _LOCK)),
            }
            manifest.write(work, content)
        for name in (_STAGES, _LOCK):
            (work / name).unlink(missing_ok=True)
        former.cache_clear()  # closes its files, which some systems do not delete while they are open
        _move(work, dest)
    return Built(manifest.read(dest), built=True, resumed=resumed, kept=kept)


def _floors(
    work: Path,
    n_chunks: int,
    dense: DenseOptions | None,
    vectors: Mapping[str, Any] | None,
    made: Callable[[], Encoder] | None,
    given: Callable[[], Encoder] | None,
) -> dict[str, Any]:
    """The floors that the retrievers use by default; see `floors`."""
    out: dict[str, Any] = {"evidence": floors.of_evidence(bm25_index.Bm25Index(work, n_chunks)), "similarity": None}
    if dense is not None and vectors is not None and made is not None:
        index = dense_index.DenseIndex(work, n_chunks, vectors["dimension"])
        try:
            same = given is not None or dense.query_model in (None, dense.model)
            out["similarity"] = floors.of_similarity(index, made() if same else SentenceEncoder(dense.for_queries))
        except CorpusError as error:
            # The passages stand; who searches with this query encoder is told what is wrong with it.
            log.warning("no floor for dense retrieval: %s", error)
    return out


def _vectors(former: Callable[[], Former | None], dense: DenseOptions) -> dense_index.KeptVectors | None:
    return None if (found := former()) is None else found.vectors(dense)


def _kept(texts: Mapping[str, Any], vectors: Mapping[str, Any] | None) -> dict[str, int]:
    if texts["kept"] is None:
        return {}
    return {**texts["kept"], **({} if vectors is None else {"vectors": vectors["kept"]})}


def _reads_more(present: Mapping[str, Any], versions: Mapping[str, Any]) -> bool:
    """Whether files left out may be readable now: a library was installed since, or has another version."""
    had = present.get("versions", {})
    return bool(present.get("left_out")) and any(had.get(name) != versions[name] for name in READERS)


def _is_complete(work: Path, key: str) -> bool:
    try:
        return manifest.read(work)["key"] == key
    except CorpusError:
        return False


def _key(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _present(dest: Path) -> dict[str, Any] | None:
    """The manifest of a corpus at the destination, None if there is nothing to keep. Raises if it is something else."""
    if not dest.exists():
        return None
    if not dest.is_dir():
        raise CorpusError(f"{dest}: expected a folder to build the corpus in, found a file")
    try:
        return manifest.read(dest)
    except CorpusError:
        names = {path.name for path in dest.iterdir()}
        if names and not {manifest.NAME, TEXTS} & names:
            raise CorpusError(f"{dest}: holds other files and no corpus; give a new or an empty folder") from None
    return None


@contextmanager
def _locked(work: Path) -> Iterator[None]:
    """Lock the work folder against other builds; the system releases the lock however the process ends."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        file = (work / _LOCK).open("w")
    except OSError as error:
        raise CorpusError(f"{work.parent}: the corpus cannot be written there ({error})") from None
    with file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CorpusBusy(f"{work}: another build of this corpus is running") from None
        yield


@contextmanager
def _cleared_on_error(work: Path) -> Iterator[None]:
    """Remove the work folder if the input is refused before any stage that a later build could reuse is finished."""
    try:
        yield
    except CorpusError:
        try:
            finished = json.loads((work / _STAGES).read_text(encoding="utf-8"))["done"]
        except (OSError, ValueError, KeyError):
            finished = {}
        if not finished:
            shutil.rmtree(work)
        raise


class _Stages:
    """The finished stages of a build with their return values, recorded in the work folder.

    Args:
        readers: versions of the libraries that read files: with others they may find other text.
    """

    def __init__(self, work: Path, key: str, readers: Mapping[str, Any]) -> None:
        self._work = work
        self._of = {"key": key, "readers": dict(readers)}
        try:
            known = json.loads((work / _STAGES).read_text(encoding="utf-8"))
            same = {name: known[name] for name in self._of} == self._of
            self.done: dict[str, Any] = dict(known["done"]) if same else {}
        except (OSError, ValueError, KeyError, TypeError):
            same, self.done = _is_complete(work, key), {}
        if not same:
            self.forget()
            manifest.replace_json(work / _STAGES, {**self._of, "done": {}})

    def run(self, name: str, stage: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name not in self.done:
            self.done[name] = stage()
            manifest.replace_json(self._work / _STAGES, {**self._of, "done": self.done})
        return self.done[name]

    def forget(self) -> None:
        """Empty the work folder."""
        self.done = {}
        for path in self._work.iterdir():
            if path.name == _LOCK:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _move(work: Path, dest: Path) -> None:
    """Move the finished folder into place. An old corpus there is first renamed, and deleted only afterwards."""
    if not dest.exists():
        work.rename(dest)
        return
    old = dest.with_name(f".{dest.name}.replaced")
    if old.exists():
        shutil.rmtree(old)
    dest.rename(old)
    work.rename(dest)
    shutil.rmtree(old)
