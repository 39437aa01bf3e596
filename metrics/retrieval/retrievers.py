"""The retrievers `bm25`, `dense`, `hybrid`, `given` and `provision`. Each answers for all claims in one call.

The search text is the claim's query, or the claim itself if it has none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..knowledge.base import Surroundings
from ..knowledge.law.citations import CITATION
from ..knowledge.law.quotations import QUOTATION
from ..knowledge.tables.grid import as_markdown
from ..knowledge.types import Claim, Passage
from ..optional_packages import is_installed
from ..trace import Trace
from . import manifest
from .bm25_index import Bm25Index
from .corpus import Corpus
from .dense_index import fuse
from .encoders import Encoder, SentenceEncoder
from .errors import CorpusError, require
from .floors import says_enough
from .on_the_fly import open_corpus
from .passage_search import PassageSearch
from .provision_lookup import ProvisionLookup
from .words import says_subject, words

log = logging.getLogger(__name__)

K = 5
# Queries encoded and searched together.
_BATCH = 1024
_Similarities: TypeAlias = Callable[[int, Sequence[int]], list[float]]


class Bm25Retriever:
    """Word matches in a corpus, scored by Lucene's variant of BM25.

    Args:
        k: maximum passages per claim; passages that share no word with the query are left out.
        evidence: a passage with less evidence (`Bm25Index.evidence`) does not count; None: the floor that the corpus
            was built with, 0: all count.
        overlap: nor does a passage with less than this share of the query's words, weighted by idf; 0 to 1.
        floor: nor does one that scores lower. Scores depend on the corpus and grow with the query's length.
    """

    name = "bm25"

    def __init__(
        self,
        around: Surroundings,
        *,
        k: int = K,
        evidence: float | None = None,
        overlap: float = 0,
        floor: float | None = None,
    ) -> None:
        self._k = _count("k", self.name, k)
        self._overlap = _share("overlap", self.name, overlap)
        self.floor = _number("floor", self.name, floor)
        least = _number("evidence", self.name, evidence)
        self._corpus = _open(self.name, around)
        self._evidence = self._corpus.floor("evidence") if least is None else least
        self._index = self._corpus.bm25()

    def describe(self) -> dict[str, Any]:
        return {"corpus": self._corpus.digest, "evidence": self._evidence}

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        del traces
        found = _telling(self._index, _queries(claims), self._k, self._evidence or 0, self._overlap)
        return [self._corpus.passages(of_query) for of_query in found]


class DenseRetriever:
    """Nearest vectors in a corpus that was built with `--dense`.

    A claim without a word that says what it is about ("However, this is not the case.") has no evidence.

    Args:
        k: passages per claim.
        floor: passages with a lower similarity do not count as evidence; None: the floor that the corpus was built
            with, -1: all count.
        query_model: where the query encoder is now, if it moved since the manifest was written.
        device: torch device of the query encoder; None: the first accelerator, else the CPU.
        batch_size: queries per forward pass.
        nprobe: cells to visit in an index with cells ("IVF…").

    The query encoder is loaded by the first `retrieve`.
    """

    name = "dense"

    def __init__(
        self,
        around: Surroundings,
        *,
        k: int = K,
        floor: float | None = None,
        query_model: str | None = None,
        device: str | None = None,
        batch_size: int = 32,
        nprobe: int | None = None,
    ) -> None:
        self._k = _count("k", self.name, k)
        least = _number("floor", self.name, floor)
        self._corpus = _open(self.name, around)
        self._search = _DenseSearch(self.name, self._corpus, query_model, device, batch_size, nprobe)
        self.floor = self._search.floor(least)

    def describe(self) -> dict[str, Any]:
        return {"corpus": self._corpus.digest, "floor": self.floor}

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        del traces
        found, _ = self._search(_queries(claims), self._k)
        return [self._corpus.passages([one for one in own if _reaches(one[1], self.floor)]) for own in found]


class HybridRetriever:
    """BM25 and dense retrieval, their rankings joined by reciprocal-rank fusion.

    Passages count as evidence by their similarity alone: it tells better what a passage is about than shared words do
    (benchmarks/knowledge/RESULTS.md). Both rankings hold only such passages.

    Args:
        k: maximum passages per claim.
        depth: how many passages each of the two rankings holds.
        rrf: the constant of the fusion, 60 in its paper. A passage's score is at most 2 / (rrf + 1).
        floor: passages with a lower fused score do not count as evidence. This score reflects rank, not relevance.
        similarity: passages with a lower similarity do not count, whichever ranking they are in; None: the floor that
            the corpus was built with, -1: all count.
        overlap: as for `bm25`; applies to the BM25 ranking only.
        bm25_floor, dense_floor: passages with a lower score are left out of that ranking.
        query_model, device, batch_size, nprobe: as for `dense`.
    """

    name = "hybrid"

    def __init__(
        self,
        around: Surroundings,
        *,
        k: int = K,
        depth: int = 100,
        rrf: float = 60,
        floor: float | None = None,
        similarity: float | None = None,
        overlap: float = 0,
        bm25_floor: float | None = None,
        dense_floor: float | None = None,
        query_model: str | None = None,
        device: str | None = None,
        batch_size: int = 32,
        nprobe: int | None = None,
    ) -> None:
        self._k = _count("k", self.name, k)
        self._depth = max(_count("depth", self.name, depth), self._k)
        self.floor = _number("floor", self.name, floor)
        self._overlap = _share("overlap", self.name, overlap)
        self._bm25_floor = _number("bm25_floor", self.name, bm25_floor)
        self._dense_floor = _number("dense_floor", self.name, dense_floor)
        least = _number("similarity", self.name, similarity)
        constant = _number("rrf", self.name, rrf)
        if constant is None or constant < 0:
            raise CorpusError(f"retriever 'hybrid': option rrf {rrf!r}: expected a number, 0 or more")
        self._rrf = constant
        self._corpus = _open(self.name, around)
        self._bm25 = self._corpus.bm25()
        self._dense = _DenseSearch(self.name, self._corpus, query_model, device, batch_size, nprobe)
        self._similarity = self._dense.floor(least)

    def describe(self) -> dict[str, Any]:
        return {"corpus": self._corpus.digest, "similarity": self._similarity}

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        del traces
        queries = _queries(claims)
        by_words = _telling(self._bm25, queries, self._depth, 0, self._overlap)
        by_vectors, similarities = self._dense(queries, self._depth)
        out = []
        for number, (ranked, vectors) in enumerate(zip(by_words, by_vectors, strict=True)):
            near = dict(vectors)
            # No vectors: the claim says no subject.
            scored = [chunk for chunk, score in ranked if vectors and _reaches(score, self._bm25_floor)]
            if self._similarity is not None:
                unknown = [chunk for chunk in scored if chunk not in near]
                near.update(zip(unknown, similarities(number, unknown), strict=True))
            rankings = [
                [chunk for chunk in ranking if _reaches(near.get(chunk), self._similarity)]
                for ranking in (scored, [chunk for chunk, score in vectors if _reaches(score, self._dense_floor)])
            ]
            out.append(self._corpus.passages(fuse(rankings, self._rrf)[: self._k]))
        return out


class GivenRetriever:
    """The passages that come with the question, in `trace.meta["passages"]`; needs no corpus.

    They are texts, or mappings with `text` and optionally `id` and `title`; in the place of `text` there may be a
    `table`: rows of cells, the first its head. A trace without the field has no evidence.
    Passages have no scores.

    Args:
        k: how many to return at most; None: all of them, whole and without scores. Where there is more, long passages
            are cut into chunks as `corpus build` cuts documents ("contract#2"), and BM25 ranks them for the claim;
            these have scores. Claims that are looked up to the letter (quotations, citations) get all passages in any
            case: a part cannot show that something is not there.
    """

    name = "given"
    floor = None

    def __init__(self, around: Surroundings, *, k: int | None = None) -> None:
        del around
        self._k = None if k is None else _count("k", self.name, k)

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        """Raises CorpusError naming the trace and the passage that is malformed."""
        known: dict[int, list[Passage]] = {}
        searched: dict[int, PassageSearch] = {}
        out = []
        for claim, trace in zip(claims, traces, strict=True):
            if id(trace) not in known:
                known[id(trace)] = given_passages(trace)
            if self._k is None or claim.kind in _TO_THE_LETTER:
                out.append(list(known[id(trace)]))
                continue
            if id(trace) not in searched:
                searched[id(trace)] = PassageSearch(known[id(trace)])
            out.append(searched[id(trace)].best(claim.query or claim.text, self._k))
        return out


def default_retriever(corpus: str | Path) -> str:
    """The retriever of a corpus where none is named: `hybrid` where it has vectors and they can be searched."""
    folder = Path(corpus).expanduser()
    searchable = is_installed("faiss") and is_installed("sentence_transformers")
    vectors = searchable and folder.is_dir() and manifest.read(folder)["dense"] is not None
    return HybridRetriever.name if vectors else Bm25Retriever.name


class ProvisionRetriever:
    """The provisions that a claim cites, in a corpus keyed by provision (`corpus build --by provision`).

    They come in the order in which they are cited, whole and without scores. Of one that the corpus lacks comes the
    provision around it; where the corpus has neither, nothing comes: what is only similar is no evidence of what a
    provision says. Claims that cite nothing are searched for as `bm25` does.

    Args:
        k, evidence, overlap: as for `bm25`.
    """

    name = "provision"
    floor = None

    def __init__(self, around: Surroundings, *, k: int = K, evidence: float | None = None, overlap: float = 0) -> None:
        self._k = _count("k", self.name, k)
        self._overlap = _share("overlap", self.name, overlap)
        least = _number("evidence", self.name, evidence)
        self._corpus = _open(self.name, around)
        self._evidence = self._corpus.floor("evidence") if least is None else least
        self._index = self._corpus.bm25()
        self._lookup: ProvisionLookup | None = None

    def describe(self) -> dict[str, Any]:
        return {"corpus": self._corpus.digest, "evidence": self._evidence}

    def retrieve(self, claims: Sequence[Claim], traces: Sequence[Trace]) -> list[list[Passage]]:
        del traces
        if self._lookup is None:
            self._lookup = ProvisionLookup(self._corpus)
        cited = [self._lookup.cited(claim) for claim in claims]
        queries = [query for query, found in zip(_queries(claims), cited, strict=True) if found is None]
        searched = iter(_telling(self._index, queries, self._k, self._evidence or 0, self._overlap))
        return [self._corpus.passages(next(searched)) if found is None else found[: self._k] for found in cited]


BUILTIN_RETRIEVERS = (Bm25Retriever, DenseRetriever, HybridRetriever, GivenRetriever, ProvisionRetriever)
# Kinds of claims that a judge looks up in all of the evidence.
_TO_THE_LETTER = frozenset({QUOTATION, CITATION})


def given_passages(trace: Trace) -> list[Passage]:
    """The passages in `trace.meta["passages"]`. Those without an id are called "given-1", "given-2", … ."""
    given = trace.meta.get("passages")
    if given is None:
        return []
    where = f"trace {trace.id!r}, field 'meta.passages'"
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise CorpusError(f"{where}: expected a list of texts or of {{id, title, text}}, got {given!r:.80}")
    out = []
    for number, entry in enumerate(given, 1):
        row: Mapping[str, Any] = {"text": entry} if isinstance(entry, str) else entry
        if not isinstance(row, Mapping):
            raise CorpusError(f"{where}, passage {number}: expected a text or {{id, title, text}}, got {entry!r:.80}")
        text = row.get("text")
        if text is None and "table" in row:
            text = _table_text(row["table"], f"{where}, passage {number}")
        elif text is None and "file" in row:
            why = row.get("problem", "only a scorer in a live Inspect run reads files of the sample's sandbox")
            raise CorpusError(f"{where}, passage {number}: file {row['file']!r:.80} was not read: {why:.300}")
        values = {"id": row.get("id", f"given-{number}"), "title": row.get("title", ""), "text": text}
        for name, value in values.items():
            if not isinstance(value, str):
                raise CorpusError(f"{where}, passage {number}, field {name!r}: expected text, got {value!r:.80}")
        if values["text"].strip():
            out.append(Passage(values["id"], values["text"], values["title"]))
    return out


def _table_text(table: object, where: str) -> str:
    """Rows of cells as Markdown. Raises CorpusError."""
    rows = table if isinstance(table, Sequence) and not isinstance(table, str) else ()
    if not rows or not all(isinstance(row, Sequence) and not isinstance(row, str) for row in rows):
        raise CorpusError(f"{where}, field 'table': expected rows of cells, got {table!r:.80}")
    return as_markdown(rows)


class _DenseSearch:
    """Encodes queries and searches the dense index; the encoder is loaded by the first call."""

    def __init__(
        self,
        retriever: str,
        corpus: Corpus,
        query_model: str | None,
        device: str | None,
        batch_size: int,
        nprobe: int | None,
    ) -> None:
        require("sentence_transformers", "sentence-transformers", f"the retriever {retriever!r}")
        if nprobe is not None:
            _count("nprobe", retriever, nprobe)
        options = corpus.dense_options().for_queries
        self._options = options if query_model is None else type(options)(**{**vars(options), "model": query_model})
        self._device = device
        self._batch_size = _count("batch_size", retriever, batch_size)
        self._corpus = corpus
        self._index = corpus.dense(nprobe=nprobe)
        self._encoder: Encoder | None = None

    def floor(self, least: float | None) -> float | None:
        """The floor given, else the corpus's own; says so where it has none."""
        own = self._corpus.floor("similarity") if least is None else least
        if own is None:
            log.warning(
                "corpus %r: it was built without a floor for dense retrieval, so the nearest passages are evidence for "
                "any claim; build it again where its query encoder can be loaded",
                str(self._corpus.folder),
            )
        return own

    def __call__(self, queries: Sequence[str], k: int) -> tuple[list[list[tuple[int, float]]], _Similarities]:
        """For each query its nearest chunks, none where it says no subject; and a function for further similarities.

        That function takes a query's number and chunks.
        """
        asked = [number for number, query in enumerate(queries) if says_enough(query)]
        out: list[list[tuple[int, float]]] = [[] for _ in queries]
        vectors: dict[int, np.ndarray] = {}
        if asked and self._encoder is None:
            self._encoder = SentenceEncoder(self._options, device=self._device, batch_size=self._batch_size)
        for start in range(0, len(asked), _BATCH):
            of_batch = asked[start : start + _BATCH]
            assert self._encoder is not None
            encoded = self._encoder.queries([queries[number] for number in of_batch])
            found = self._index.search(encoded, k)
            for number, vector, nearest in zip(of_batch, encoded, found, strict=True):
                out[number], vectors[number] = nearest, vector
        return out, lambda number, chunks: self._index.similarities(vectors[number], chunks) if chunks else []


def _queries(claims: Sequence[Claim]) -> list[str]:
    return [claim.query or claim.text if _says_something(claim) else "" for claim in claims]


def _says_something(claim: Claim) -> bool:
    """Whether a claim says more than what was put into it: "However, this is not the case." does not, whatever drug
    "this" stands for, and the drug's name alone would find a passage."""
    if not claim.standalone:
        return True
    return any(map(str.isdigit, claim.text)) or any(map(says_subject, words(claim.text)))


def _telling(
    index: Bm25Index, queries: Sequence[str], k: int, evidence: float, overlap: float
) -> list[list[tuple[int, float]]]:
    """For each query its `k` best chunks, except those with too little evidence or too few of its words."""
    out = []
    for query, found in zip(queries, index.search(queries, k), strict=True):
        chunks = [chunk for chunk, _ in found]
        if evidence > 0:
            amounts = index.evidence(query, chunks)
            found = [entry for entry, amount in zip(found, amounts, strict=True) if amount >= evidence]
        if overlap > 0:
            shares = index.overlap(query, [chunk for chunk, _ in found])
            found = [entry for entry, share in zip(found, shares, strict=True) if share >= overlap]
        out.append(found)
    return out


def _reaches(score: float | None, floor: float | None) -> bool:
    return floor is None or (score is not None and score >= floor)


def _open(name: str, around: Surroundings) -> Corpus:
    if around.corpus is None:
        raise CorpusError(
            f"retriever {name!r} needs a corpus: make one with `stepgauge corpus build SOURCE DEST`, give corpus=DEST"
        )
    return open_corpus(around.corpus)


def _count(option: str, retriever: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise CorpusError(f"retriever {retriever!r}: option {option} {value!r}: expected a whole number, 1 or more")
    return value


def _share(option: str, retriever: str, value: object) -> float:
    number = _number(option, retriever, value)
    if number is None or not 0 <= number <= 1:
        raise CorpusError(f"retriever {retriever!r}: option {option} {value!r}: expected a share from 0 to 1")
    return number


def _number(option: str, retriever: str, value: object) -> float | None:
    # No score compares as below nan, so nan would silently mean no floor.
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value == value):
        return value
    raise CorpusError(f"retriever {retriever!r}: option {option} {value!r}: expected a number")
