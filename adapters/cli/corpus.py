"""Build an indexed corpus for the retrievers from a folder of documents or rows, or check one."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ...metrics.printable import printable
from ...metrics.retrieval.build import BY, build_corpus
from ...metrics.retrieval.chunks import OVERLAP, WORDS
from ...metrics.retrieval.corpus import Corpus
from ...metrics.retrieval.encoders import POOLING, SIMILARITY, TITLE, DenseOptions
from ...metrics.retrieval.floors import PASSAGES
from ...metrics.retrieval.known_items import LOST, about, known_items, measure
from ...metrics.retrieval.manifest import damaged_files
from ...metrics.retrieval.readers import Fields
from ..labelled.known_claims import read_known_claims
from .errors import UserError

EXAMPLES = (
    ("stepgauge corpus build textbooks corpus", "a folder of text, for the retriever bm25"),
    (
        "stepgauge corpus build passages.jsonl corpus --dense sentence-transformers/all-MiniLM-L6-v2",
        "with vectors, too",
    ),
    ("stepgauge corpus build statutes corpus --by provision", "keyed by citation, for the retriever provision"),
    ("stepgauge corpus check corpus", "is every byte as it was built?"),
    ("stepgauge corpus check corpus --known-items claims.jsonl", "and do your claims find their passages?"),
)
PAGE = "docs/corpora.md"
_NAMED = 3  # files left out for one reason, and claims that were lost, that are named
_WIDTH = 60  # characters of a claim
_OPTIONS = {"bm25": "option evidence", "dense": "option floor, of hybrid similarity"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="chunk and index SOURCE into the folder DEST")
    kinds = ".jsonl, .csv, .json, .txt, .md, .html, .pdf or .docx"
    build.add_argument("source", type=Path, help=f"a {kinds} file, or a folder of them")
    build.add_argument("dest", type=Path, help="folder for the corpus; one that is there is replaced when all is done")
    build.add_argument("--id-field", default="id", help="field of a row, several joined by commas, or :row")
    build.add_argument("--title-field", help="default: title, where a row has one")
    build.add_argument("--text-field", help="default: the first there is of text, content, contents")
    build.add_argument("--words", type=int, default=WORDS, help=f"words in a chunk (default {WORDS})")
    build.add_argument("--overlap", type=int, default=OVERLAP, help=f"words shared by neighbours (default {OVERLAP})")
    build.add_argument(
        "--by",
        choices=BY,
        default="words",
        help="what a chunk is: --words words (default), or a provision of a statute, of rules, of a contract",
    )
    build.add_argument("--dense", metavar="MODEL", help="also index vectors of this sentence-transformers model")
    build.add_argument("--query-encoder", metavar="MODEL", help="model for the queries (default: that of --dense)")
    build.add_argument("--pooling", choices=POOLING, help="pool token vectors so (default: as the model says)")
    build.add_argument("--similarity", choices=SIMILARITY, default="cosine", help="default cosine")
    build.add_argument("--dense-title", choices=TITLE, default="prefix", help="how titles are encoded (default prefix)")
    build.add_argument("--dense-index", metavar="FACTORY", default="Flat", help="FAISS factory string (default Flat)")
    build.add_argument("--device", help="torch device for --dense (default: the first accelerator, else the CPU)")
    build.add_argument("--batch-size", type=int, default=32, help="passages in a forward pass of --dense (default 32)")
    check = actions.add_parser("check", help="compare every byte of a corpus with its manifest")
    check.add_argument("corpus", type=Path, help="folder of a corpus")
    check.add_argument(
        "--known-items",
        nargs="?",
        const=True,
        metavar="FILE",
        help="also search for claims whose passages are known, rows with claim and passage (an id, or a list of ids); "
        "without FILE for sentences of its own passages",
    )
    check.add_argument("--device", help="torch device for the query encoder (default: the first accelerator, else CPU)")


def run(args: argparse.Namespace) -> int:
    return _check(args) if args.action == "check" else _build(args)


def _build(args: argparse.Namespace) -> int:
    for option in ("query_encoder", "pooling"):
        if getattr(args, option) is not None and args.dense is None:
            raise UserError(f"--{option.replace('_', '-')} needs --dense MODEL")
    dense = None
    if args.dense is not None:
        dense = DenseOptions(
            model=args.dense,
            query_model=args.query_encoder,
            pooling=args.pooling,
            similarity=args.similarity,
            title=args.dense_title,
            index=args.dense_index,
        )
    built = build_corpus(
        args.source,
        args.dest,
        fields=Fields(id=args.id_field, title=args.title_field, text=args.text_field),
        chunk_words=args.words,
        overlap=args.overlap,
        by=args.by,
        dense=dense,
        device=args.device,
        batch_size=args.batch_size,
    )
    if not built.built:
        print(f"{args.dest} is up to date: same source, same options; nothing was built")
        return 0
    if built.resumed:
        print(f"taken over from an interrupted build: {', '.join(built.resumed)}")
    counts = built.manifest["counts"]
    size = sum(file["bytes"] for file in built.manifest["files"].values())
    empty = f" ({counts['empty']:,} of them without text)" if counts["empty"] else ""
    print(f"{args.dest}: {counts['documents']:,} documents{empty}, {counts['chunks']:,} chunks, {size:,} bytes")
    if built.kept:
        _print_kept(built.kept, counts)
    _print_left_out(built.manifest["left_out"])
    for name, file in built.manifest["files"].items():
        print(f"  {file['bytes'] / counts['chunks']:10.1f} bytes a chunk  {name}")
    return 0


def _print_kept(kept: Mapping[str, int], counts: Mapping[str, int]) -> None:
    """What was taken over from the corpus that was there, and what was made anew."""
    of = {"documents": counts["documents"], "chunks": counts["chunks"], "vectors": counts["chunks"]}
    for what, number in kept.items():
        print(f"  {what}: {number:,} kept, {of[what] - number:,} new")


def _print_left_out(left_out: Sequence[Mapping[str, str]]) -> None:
    """The files that are not in the corpus, one line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for one in left_out:
        by_reason.setdefault(one["reason"], []).append(one["file"])
    for reason, files in by_reason.items():
        more = f" and {len(files) - _NAMED:,} more" if len(files) > _NAMED else ""
        print(f"  left out: {printable(', '.join(files[:_NAMED]))}{more}: {printable(reason)}")


def _check(args: argparse.Namespace) -> int:
    corpus = args.corpus
    if damaged := damaged_files(corpus):
        raise UserError(f"{corpus}: not as built: {', '.join(damaged)}; build it again with `stepgauge corpus build`")
    print(f"{corpus}: every file is as it was built")
    if args.known_items:
        _search_known_items(Corpus(corpus), args.known_items, args.device)
    return 0


def _search_known_items(corpus: Corpus, file: str | Literal[True], device: str | None) -> None:
    if file is True:
        items, what = known_items(corpus), "sentences of its own with a third of their words dropped"
    else:
        items, what = about(corpus, read_known_claims(Path(file))), "claims"
    for found in measure(corpus, items, device=device):
        floor = "there is no floor" if found.floor is None else f"the floor {found.floor:.3f}"
        print(
            f"  {found.retriever}: {found.items} {what};\n"
            f"    a passage of theirs is among the best {PASSAGES} for {found.recall:.1%} (MRR {found.mrr:.3f});\n"
            f"    {floor} takes away {found.lost:.1%} of these, {found.kept:.1%} of foreign sentences reach it"
        )
        if file is not True:
            _print_claims("not found", found.not_found)
            _print_claims("taken away", found.taken_away)
        if max(found.lost, found.kept) > LOST and math.isfinite(found.proposed):
            proposed = math.floor(found.proposed * 1000) / 1000  # what is typed takes away no more
            if found.retriever == "bm25" and proposed <= 0:  # a floor that is none
                print(f"    no floor takes away at most {LOST:.0%}: some claims have no evidence at all")
            else:
                print(
                    f"    a floor of {proposed:.3f} ({_OPTIONS[found.retriever]}) takes away at most {LOST:.0%}, "
                    f"{found.kept_by_proposed:.1%} reach it"
                )


def _print_claims(what: str, claims: Sequence[str]) -> None:
    """The first of them, so that their words can be compared with their passages'."""
    for claim in claims[:_NAMED]:
        print(f"      {what}: {printable(claim)[:_WIDTH]}")
    if len(claims) > _NAMED:
        print(f"      {what}: {len(claims) - _NAMED:,} more")
