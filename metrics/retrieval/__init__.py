"""Evidence for claims: corpora on disk, their indexes, and the retrievers that search them."""

from .build import build_corpus
from .corpus import Corpus
from .errors import CorpusError

__all__ = ["Corpus", "CorpusError", "build_corpus"]
