"""The words that tell rows, columns and sentences apart, and those that tell nothing."""

from __future__ import annotations

import re

from ..claims.sentence import content_words

WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3})?")

# Adjectives of places whose words are not those of the place.
_DEMONYMS = {
    "asian": "asia", "british": "united kingdom", "canadian": "canada", "italian": "italy", "brazilian": "brazil",
    "chinese": "china", "japanese": "japan", "french": "france", "spanish": "spain", "dutch": "netherlands",
    "swedish": "sweden", "swiss": "switzerland", "irish": "ireland", "indian": "india", "mexican": "mexico",
    "danish": "denmark", "norwegian": "norway", "polish": "poland", "turkish": "turkey", "korean": "korea",
    "belgian": "belgium", "austrian": "austria", "israeli": "israel", "portuguese": "portugal", "greek": "greece",
    "finnish": "finland", "russian": "russia", "german": "germany", "european": "europe", "african": "africa",
    "american": "america", "australian": "australia",
}  # fmt: skip
PLACE_ADJECTIVE = re.compile(rf"\b(?:{'|'.join(_DEMONYMS)})\b", re.IGNORECASE)
_GENITIVE = re.compile(r"(?<=\w)['’]s(?!\w)")
_AMERICA = re.compile(r"\b(?:U\.\s?S\.(?:\s?A\.)?|US|USA)(?![\w$]|\s?(?:dollars?|GAAP)\b)")
_BRITAIN = re.compile(r"\b(?:U\.\s?K\.|UK)(?!\w)")


def stems(text: str) -> frozenset[str]:
    """The words of a text that tell something, as stems; a place, its adjective and "U.S." are one word."""
    text = _GENITIVE.sub("", text)  # "Asia's" is Asia's row
    text = _BRITAIN.sub(" united kingdom ", _AMERICA.sub(" united states ", text))
    return frozenset(content_words(PLACE_ADJECTIVE.sub(lambda match: _DEMONYMS[match[0].lower()], text)))


# Words beside a label that make it no other thing.
NEUTRAL = stems(
    "company companies group firm corporation business reported report recorded annual annually fiscal year years end"
    " ended period quarter amount amounts amounted balance value values figure figures stood total totaled totalled"
    " totaling reached came equal equaled increased decreased rose fell grew declined dropped increase decrease table"
    " shows show showed shown according respectively january february march april may june july august september"
    " october november december 30 31 29 28 27 million millions thousand thousands billion dollar dollars usd us first"
    " look see find given now know row column generated posted earned spent paid held note noted read based data line"
    " item"
) - stems("total")


# Where a question names one, tables may be of the whole.
PLACES = stems(" ".join(_DEMONYMS.values())) | stems("emea apac latin pacific middle east north south west central")
