"""Says between which two characters of a text a tokenizer may be cut without changing its tokens.

A place is safe when tokenizing what comes after it on its own gives the very tokens that the whole text has there, and
the tokens before it are the same whatever comes after its next character. It is judged by the two characters around
the place, stage by stage as the tokenizer works; `(a, b)` below.

1. Added tokens are found in the whole text by their content. None contains `ab`, so none lies across; white space
   that one strips (`lstrip`, `rstrip`) does not reach across, and none that needs a word boundary begins with `b`.
   Where one may begin with `b`, what is before the place may also be the end of what the next stages see.
2. Normalizers: only those that change character by character here. Both characters come from a small set of letters,
   digits and signs that Unicode normalization neither changes nor composes with what stands before them.
3. Pre-tokenizers run from left to right. A stage *splits* when a piece always ends between `a` and `b`: a regular
   expression does when no attempt to match can go from `a` to `b`, so that every match before the place looks at `b`
   at most (and no look-ahead tells `b` from an end that may be there), and one of the two is always part of a match,
   so that the place lies in no gap. A stage is *transparent* when `a` and `b` always stay in one piece whose two
   halves do not depend on each other. Any other stage makes the place unsafe. After transparent stages one must split;
   later stages and the model see each piece alone. A stage that puts a space in front of its input leaves one alone
   that begins with a space, so then `b` must be one.
4. BPE without a splitting stage (Llama 2, Mistral, Gemma): a merge makes a token of the vocabulary, so where no token
   contains `ab` no merge goes across, and merges on either side do not see each other.

A tokenizer with any part that is not listed here is not cut at all.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tokenizers import models

from .split_regex import NotUnderstood, SplitPattern

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Pair = tuple[str, str]
    # None: no cut here.
    Normalize = Callable[[str, str], Pair | None]
    # (a, b, whether the text may end between them) -> whether the stage splits there, and what it makes of the two;
    # None: no cut here.
    Stage = Callable[[str, str, bool], tuple[bool, Pair] | None]

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ASCII = frozenset(map(chr, range(0x20, 0x7F))) | {"\n"}
# Letters that no normalization to form C or KC changes or joins to the character before them.
_LETTERS = [
    (0x410, 0x44F),  # Cyrillic
    (0x5D0, 0x5EA),  # Hebrew
    (0x621, 0x63A),  # Arabic
    (0x641, 0x64A),
    (0x915, 0x939),  # Devanagari
    (0xE01, 0xE2E),  # Thai
    (0x3041, 0x3093),  # Hiragana
    (0x30A1, 0x30F6),  # Katakana
    (0x4E00, 0x9FA5),  # CJK ideographs
    (0xAC00, 0xD7A3),  # Hangul syllables
]
SAFE = _ASCII.union(*(map(chr, range(low, high + 1)) for low, high in _LETTERS))
_PUNCTUATION = frozenset(string.punctuation)
_META = "▁"


class Cuts:
    """Where one tokenizer may be cut. Raises NotUnderstood when it has a part that is not known."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        _check_class(tokenizer)
        backend: Any = tokenizer.backend_tokenizer  # type: ignore[attr-defined]
        _check_post_processor(_state(backend.post_processor))
        self._normalize = _normalizer(_state(backend.normalizer))
        pre_tokenizer = _state(backend.pre_tokenizer)
        self._stages = _stages(pre_tokenizer)
        self._needs_space = _puts_space_in_front(pre_tokenizer)
        self._added = _AddedTokens(backend)
        self._model = _Model(backend)
        self._known: dict[Pair, bool] = {}

    def last(self, text: str, limit: int) -> int:
        """The last safe place in `text` before `limit`; 0 when there is none. `text[limit - 1]` and before count."""
        known = self._known
        for place in range(limit - 1, 0, -1):
            pair = text[place - 1], text[place]
            if pair not in known:
                known[pair] = self._safe(*pair)
            if known[pair]:
                return place
        return 0

    def _safe(self, before: str, after: str) -> bool:
        if before not in SAFE or after not in SAFE or (self._needs_space and after != " "):
            return False
        pair = self._normalize(before, after)
        if pair is None or (self._needs_space and pair[1] not in (" ", _META)):
            return False
        if not (self._added.allow((before, after)) and self._added.allow(pair)):
            return False
        ends = self._added.may_begin(after) or self._added.may_begin(pair[1])
        for stage in self._stages:
            found = stage(*pair, ends)
            if found is None:
                return False
            splits, pair = found
            if splits:
                return True
        return self._model.never_merges(pair)


_cuts: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[object, Cuts | None]] = WeakKeyDictionary()


def cuts_of(tokenizer: PreTrainedTokenizerBase) -> Cuts | None:
    """Where `tokenizer` may be cut; None when that is not known. Worked out once, and again when it has changed."""
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    parts = (backend.normalizer, backend.pre_tokenizer, backend.post_processor)
    flags = [getattr(backend.model, name, None) for name in ("dropout", "ignore_merges", "alpha", "nbest_size")]
    try:
        version = (*(json.dumps(_state(part)) for part in parts), backend.get_vocab_size(True), *flags)
    except NotUnderstood:
        return None
    if tokenizer not in _cuts or _cuts[tokenizer][0] != version:
        try:
            found = Cuts(tokenizer)
        except NotUnderstood:
            found = None
        _cuts[tokenizer] = version, found
    return _cuts[tokenizer][1]


def _check_class(tokenizer: PreTrainedTokenizerBase) -> None:
    # A class that treats texts before they reach the tokenizers library (CodeLlama's infilling) may do anything.
    for parent in type(tokenizer).__mro__:
        changed = {"__call__", "_encode_plus", "_batch_encode_plus", "encode"} & set(vars(parent))
        if changed and not parent.__module__.startswith("transformers.tokenization_"):
            raise NotUnderstood(f"{parent.__name__}.{min(changed)}")


def _state(part: Any) -> dict[str, Any] | None:
    """A component as the library saves it."""
    if part is None:
        return None
    try:
        return json.loads(part.__getstate__())
    # The library's own exception type for a component written in Python is Exception itself.
    except Exception as error:
        raise NotUnderstood(f"{type(part).__name__}: {error}") from error


def _check_post_processor(state: dict[str, Any] | None) -> None:
    kind = state["type"] if state else None
    if state and kind == "Sequence":
        for part in state["processors"]:
            _check_post_processor(part)
    elif state and kind == "TemplateProcessing":
        if sum("Sequence" in piece for piece in state["single"]) != 1:
            raise NotUnderstood("a template that does not hold the text once")
    elif kind not in (None, "ByteLevel", "BertProcessing", "RobertaProcessing"):
        raise NotUnderstood(f"post-processor {kind}")


def _normalizer(state: dict[str, Any] | None) -> Normalize:
    if state is None:
        return lambda a, b: (a, b)
    kind = state["type"]
    if kind == "Sequence":
        parts = [_normalizer(part) for part in state["normalizers"]]
        return lambda a, b: reduce(lambda pair, part: pair and part(*pair), parts, (a, b))
    if kind in ("NFC", "NFKC"):
        return _within(SAFE | {_META}, lambda char: char)
    if kind in ("NFD", "NFKD", "StripAccents"):
        return _within(_ASCII | {_META}, lambda char: char)
    if kind == "Lowercase":
        return _within(_ASCII, str.lower)
    if kind == "BertNormalizer":
        cleaned = {"\n": " "} if state["clean_text"] else {}
        lower = str.lower if state["lowercase"] else str
        return _within(_ASCII, lambda char: lower(cleaned.get(char, char)))
    if kind == "Replace":
        old, new = state["pattern"].get("String", ""), state["content"]
        if len(old) == len(new) == 1:
            return lambda a, b: (a.replace(old, new), b.replace(old, new))
    raise NotUnderstood(f"normalizer {kind}")


def _within(chars: frozenset[str], change: Callable[[str], str]) -> Normalize:
    return lambda a, b: (change(a), change(b)) if a in chars and b in chars else None


def _puts_space_in_front(state: dict[str, Any] | None) -> bool:
    if state is None:
        return False
    if state["type"] == "Sequence":
        return any(map(_puts_space_in_front, state["pretokenizers"]))
    return state.get("add_prefix_space", False) or state.get("prepend_scheme", "never") != "never"


def _stages(state: dict[str, Any] | None) -> list[Stage]:
    if state is None:
        return []
    kind = state["type"]
    if kind == "Sequence":
        return [stage for part in state["pretokenizers"] for stage in _stages(part)]
    if kind == "Split":
        return [_split(state)]
    if kind == "ByteLevel":
        prefix = [_only_before(" ")] if state["add_prefix_space"] else []
        return [*prefix, _by_pattern(SplitPattern(GPT2)) if state["use_regex"] else _to_bytes]
    if kind == "Metaspace":
        return [_metaspace(state)]
    if kind == "Digits":
        individual = state["individual_digits"]
        return [_by_class(lambda char: char in string.digits, alone=individual)]
    if kind == "Punctuation" and state["behavior"] == "Isolated":
        return [_by_class(lambda char: char in _PUNCTUATION, alone=True)]
    if kind == "WhitespaceSplit":
        return [_by_class(str.isspace, alone=True)]
    if kind == "Whitespace":
        word = _by_class(lambda char: char not in _PUNCTUATION or char == "_", alone=False)
        return [_by_class(str.isspace, alone=True), word]
    if kind == "BertPreTokenizer":
        return [_by_class(lambda char: char in _PUNCTUATION or char.isspace(), alone=True)]
    raise NotUnderstood(f"pre-tokenizer {kind}")


def _to_bytes(_before: str, _after: str, _ends: bool) -> None:
    """ByteLevel alone: characters become bytes, and what becomes of those without a split is not followed."""


def _only_before(char: str) -> Stage:
    return lambda a, b, _ends: (False, (a, b)) if b == char else None


def _by_class(member: Callable[[str], bool], *, alone: bool) -> Stage:
    """Runs of characters that are in the class or not are pieces; `alone`: each one in it is a piece, or dropped."""

    def stage(a: str, b: str, _ends: bool) -> tuple[bool, Pair] | None:
        if not {a, b} <= SAFE:
            return None
        return member(a) != member(b) or (alone and member(a)), (a, b)

    return stage


def _by_pattern(pattern: SplitPattern, *, drops_gaps: bool = False) -> Stage:
    def stage(a: str, b: str, ends: bool) -> tuple[bool, Pair] | None:
        if pattern.joins(a, b) or (ends and pattern.looks_for(b)):
            return None
        if pattern.surely_matches(a) or pattern.surely_matches(b):
            return True, (a, b)
        return None if drops_gaps or pattern.mentions(a) or pattern.mentions(b) else (False, (a, b))

    return stage


def _split(state: dict[str, Any]) -> Stage:
    behavior, inverted = state["behavior"], state["invert"]
    literal = state["pattern"].get("String")
    if literal is not None and len(literal) == 1 and behavior == "MergedWithPrevious" and not inverted:
        return lambda a, b, _ends: None if b == literal else (a == literal, (a, b))
    if behavior not in ("Isolated", "Removed"):
        raise NotUnderstood(f"Split with behavior {behavior}")
    if literal is not None:
        return _by_pattern(SplitPattern("".join(char if char.isalnum() else "\\" + char for char in literal)))
    return _by_pattern(SplitPattern(state["pattern"]["Regex"]), drops_gaps=inverted and behavior == "Removed")


def _metaspace(state: dict[str, Any]) -> Stage:
    splits, prepends = state["split"], state["prepend_scheme"] != "never"
    if state["replacement"] != _META:
        raise NotUnderstood(f"Metaspace with {state['replacement']!r}")

    def stage(a: str, b: str, _ends: bool) -> tuple[bool, Pair] | None:
        a, b = a.replace(" ", _META), b.replace(" ", _META)
        return None if prepends and b != _META else (splits and b == _META, (a, b))

    return stage


class _AddedTokens:
    def __init__(self, backend: Any) -> None:
        self._pairs: set[Pair] = set()
        self._first: set[str] = set()
        self._ends: dict[str, set[str]] = {"rstrip": set()}
        self._starts: dict[str, set[str]] = {"lstrip": set(), "single_word": set()}
        for token in backend.get_added_tokens_decoder().values():
            normalized = backend.normalizer.normalize_str(token.content) if backend.normalizer else token.content
            for content in {token.content, normalized} - {""}:
                self._pairs |= set(pairwise(content))
                self._first.add(content[0])
                for flag, chars in self._starts.items():
                    chars |= {content[0]} if getattr(token, flag) else set()
                for flag, chars in self._ends.items():
                    chars |= {content[-1]} if getattr(token, flag) else set()

    def may_begin(self, after: str) -> bool:
        """Whether an added token may take the text from `after` on."""
        return after in self._first or (after.isspace() and bool(self._starts["lstrip"]))

    def allow(self, pair: Pair) -> bool:
        before, after = pair
        strips_left, strips_right = self._starts["lstrip"], self._ends["rstrip"]
        if pair in self._pairs or after in self._starts["single_word"]:
            return False
        if strips_left and before.isspace() and (after.isspace() or after in strips_left):
            return False
        return not (strips_right and after.isspace() and (before.isspace() or before in strips_right))


class _Model:
    def __init__(self, backend: Any) -> None:
        self._backend = backend
        model = backend.model
        if isinstance(model, models.BPE):
            if model.dropout:
                raise NotUnderstood("BPE with dropout")
        elif isinstance(model, models.Unigram):
            if getattr(model, "alpha", None) or getattr(model, "nbest_size", None):
                raise NotUnderstood("Unigram that samples")
        elif not isinstance(model, models.WordPiece | models.WordLevel):
            raise NotUnderstood(f"model {type(model).__name__}")
        self._pairs: set[Pair] | None = None
        self._chars: Sequence[str] | set[str] = ()

    def never_merges(self, pair: Pair) -> bool:
        model = self._backend.model
        if not isinstance(model, models.BPE) or model.ignore_merges:
            return False
        if model.continuing_subword_prefix or model.end_of_word_suffix:
            return False
        if self._pairs is None:
            tokens = self._backend.get_vocab(with_added_tokens=False)
            self._pairs = {both for token in tokens for both in pairwise(token)}
            self._chars = {token for token in tokens if len(token) == 1}
        # A character without a token of its own becomes bytes or unknown, whose names say nothing about it.
        return pair not in self._pairs and pair[0] in self._chars and pair[1] in self._chars
