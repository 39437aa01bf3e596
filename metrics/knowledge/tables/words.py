"""The words that tell rows, columns and sentences apart, and those that tell nothing."""

from __future__ import annotations

import re

from ..claims.sentence import content_words

WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3})?")


def stems(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


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
