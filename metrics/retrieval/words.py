"""Turns text into the words that BM25 counts, and tells which of them say what a text is about."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterator

from .errors import require

# Recorded in the manifest: an index can only be searched with the word rules it was built with.
NAME = "words-2"
_WORD = re.compile(r"\w+")
MAX_CHARACTERS = 64
# Lucene's stop words for English. Single letters stay: vitamin K, hepatitis B, T4.
_STOP_LIST = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with
"""
_STOP_WORDS = frozenset(_STOP_LIST.split())
# Words of any reasoning whatever it is about. They are searched for like others, but are no sign of a subject.
_NO_SUBJECT_LIST = """
about above actually after again all also although always am answer any appear apply argument assume based because been
before being below best better between both call can cannot case change choice choose claim clear come common compare
conclude conclusion consider contain correct correctly could determine did different do does each either equal even
every evidence example explain explanation fact false few find finally first follow following from further general
give given had has have having he hence her here him his how however i identify imply include incorrect indeed indicate
its just kind know known lead least let like likely look made main make many mean means me might more most much must my
need never next none note now often one only option or other our out over own part particular passage point possible
probably provide question reason reasoning refer relate related require result right same say second see seem several
she should show similar simply since so some specific state statement step still suggest sum support take tell than
them therefore thing think third those though three through thus together too true two type under up us use usually
value very want we well were what when where whether which while who whom whose why without would wrong you your
"""


def words(text: str) -> Iterator[str]:
    """Lower-case words of `text`: compatibility forms unified (ﬁ → fi), stop words removed, stemmed.

    Raises CorpusError where the stemmer is missing.
    """
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word not in _STOP_WORDS:
            yield stem(word[:MAX_CHARACTERS])


@functools.lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """The stem of an English word by Porter's second algorithm, as Snowball has it (https://snowballstem.org)."""
    return _stemmer()(word)


def says_subject(word: str) -> bool:
    """Whether a stem says what a text is about.

    It holds two letters in a row and is no word of any reasoning; or it begins with a letter and holds two digits (p53,
    L858R).
    """
    if any(first.isalpha() and second.isalpha() for first, second in itertools.pairwise(word)):
        return word not in _no_subject()
    return word[:1].isalpha() and sum(map(str.isdigit, word)) >= 2


@functools.cache
def _stemmer() -> Callable[[str], str]:
    require("Stemmer", "PyStemmer", "finding words")
    import Stemmer

    # No cache of its own: `stem` has one of known size.
    return Stemmer.Stemmer("english", 0).stemWord


@functools.cache
def _no_subject() -> frozenset[str]:
    return frozenset(stem(word) for word in _NO_SUBJECT_LIST.split())
