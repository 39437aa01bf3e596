"""How rare a word is in English at large, which tells the words of a subject from those of any text.

A corpus does not know: in one on medicine "court" and "resolution" are as rare as "microglia", so whatever a claim from
another field shares with it by chance would weigh as much as what a true one does. Frequencies are those of wordfreq
(Speer 2022, https://doi.org/10.5281/zenodo.7199437), its small list: words that are seen once in a million or more
often. It gets no new versions, which suits a measure that floors on disk depend on.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from .errors import require
from .words import says_subject, words

# A word that is seen as often as once in 300 words (10^-2.5) says nothing of a subject. Rarer ones count more than in
# proportion. Both are from benchmarks.knowledge.evidence.
_COMMON, _POWER = 2.5, 1.5
_LEAST = 1e-6
# In a text of another language its commonest words are no subject either; in English they seldom occur.
_OTHERS = ("de", "es", "fr", "it", "nl", "pl", "pt", "sv")
_COMMONEST, _SELDOM = 80, 3e-5


@functools.lru_cache(maxsize=1 << 17)
def rarity(word: str) -> float:
    """By how many powers of ten a stem of `words` is rarer than one word in 300, to the power of 1.5; 0 to 6.5.

    Raises CorpusError where wordfreq or the stemmer is missing.
    """
    digits = -math.log10(max(_frequencies().get(word, 0.0), _LEAST))
    return max(digits - _COMMON, 0.0) ** _POWER


def subject_of(text: str) -> tuple[list[str], np.ndarray]:
    """The distinct stems of a text that say what it is about, and the rarity of each.

    Raises CorpusError where wordfreq or the stemmer is missing.
    """
    subject = [word for word in dict.fromkeys(words(text)) if says_subject(word)]
    return subject, np.asarray([rarity(word) for word in subject])


@functools.cache
def _frequencies() -> dict[str, float]:
    """The share of English words that have each stem; for the commonest words of other languages, their share there."""
    require("wordfreq", "wordfreq", "telling what a passage is about")
    from wordfreq import get_frequency_dict

    out: dict[str, float] = {}
    for word, share in get_frequency_dict("en", wordlist="small").items():
        stems = list(words(word))
        if len(stems) == 1:  # not "don't"
            out[stems[0]] = out.get(stems[0], 0.0) + share
    for language in _OTHERS:
        commonest = itertools.islice(get_frequency_dict(language, wordlist="small").items(), _COMMONEST)
        for word, share in commonest:
            for stem in words(word):
                if out.get(stem, 0.0) < _SELDOM:
                    out[stem] = share
    return out
