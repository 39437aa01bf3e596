"""Turns texts into vectors with any sentence-transformers model, on the passage side and on the query side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ..models.hub import hub_file
from ..names import unknown_name
from .errors import CorpusError, require

POOLING = ("cls", "mean", "max")
SIMILARITY = ("cosine", "dot")
TITLE = ("prefix", "pair", "none")
_LAYER = re.compile(r"((?:[^.]*\.)*?)(\d{1,6})\.")


@dataclass(frozen=True)
class DenseOptions:
    """How vectors are made and indexed; the corpus's manifest records all of it.

    Attributes:
        model: encoder of the passages: a hub id or a folder.
        query_model: encoder of the queries; None: the same.
        pooling: "cls", "mean" or "max", overriding the model's own; needed for a plain transformers checkpoint, which
            declares none. None: as the model declares, else mean.
        similarity: "cosine" (vectors of length 1) or "dot".
        title: how a passage's title is encoded: "prefix" ("title. text"), "pair" (as the first of two segments) or
            "none".
        index: a FAISS factory string; "Flat" is exact.
    """

    model: str
    query_model: str | None = None
    pooling: Literal["cls", "mean", "max"] | None = None
    similarity: Literal["cosine", "dot"] = "cosine"
    title: Literal["prefix", "pair", "none"] = "prefix"
    index: str = "Flat"

    def __post_init__(self) -> None:
        known = (("pooling", (None, *POOLING)), ("similarity", SIMILARITY), ("title", TITLE))
        for name, values in known:
            if getattr(self, name) not in values:
                names = [value for value in values if value]
                raise CorpusError(unknown_name(f"dense {name}", getattr(self, name), names))

    @classmethod
    def from_manifest(cls, data: Mapping[str, Any]) -> DenseOptions:
        return cls(**{name: data[name] for name in cls.__dataclass_fields__})

    @property
    def for_queries(self) -> DenseOptions:
        return replace(self, model=self.query_model or self.model)


class Encoder(Protocol):
    """Returns float32 vectors, one row per text; of length 1 if the similarity is cosine."""

    def passages(self, titles: Sequence[str], texts: Sequence[str]) -> np.ndarray: ...

    def queries(self, texts: Sequence[str]) -> np.ndarray: ...


def _check_weights(name: str, model: Any) -> None:
    """Refuse a checkpoint with other layers than its configuration says, which the package loads without a word.

    Whole layers alone are compared: transformers renames single tensors as it reads them. Raises CorpusError.
    """
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    held, own = (
        _layers(one.removeprefix(prefix) for one in names)
        for names in (_tensors(name), [] if model is None else model.state_dict())
    )
    for stack in sorted(held.keys() & own.keys()):
        if left_out := sorted(held[stack] - own[stack]):
            raise CorpusError(
                f"encoder {name!r}: {len(left_out)} layers of its weights are left unused by its configuration, the "
                f"first is '{stack}{left_out[0]}'; expected a config.json that fits the weights"
            )
        if absent := sorted(own[stack] - held[stack]):
            raise CorpusError(
                f"encoder {name!r}: its weights lack {len(absent)} layers, the first is '{stack}{absent[0]}'"
            )


def _layers(names: Iterable[str]) -> dict[str, set[int]]:
    """The numbers of the layers, by what stands before them ("encoder.layer.")."""
    found: dict[str, set[int]] = {}
    for name in names:
        if layer := _LAYER.match(name):
            found.setdefault(layer[1], set()).add(int(layer[2]))
    return found


def _tensors(name: str) -> list[str]:
    """The names of a checkpoint's tensors; none where its files are not found, as on a hub that cannot be asked."""
    from safetensors import safe_open

    folder = Path(name).expanduser()
    try:
        if folder.is_dir():
            files = [*folder.glob("*.safetensors")] or [*folder.glob("0_*/*.safetensors")]
        else:
            found = hub_file(name, "model.safetensors", None)
            files = [Path(found)] if found else []
    except OSError:
        return []
    names: list[str] = []
    for file in files:
        with safe_open(file, "np") as opened:
            names += opened.keys()
    return names


class SentenceEncoder:
    """An encoder of the `sentence-transformers` package; applies the model's own prompts for queries and documents.

    Args:
        device: a torch device; None: the first accelerator, else the CPU.

    Raises:
        CorpusError: the package is missing or the model cannot be loaded; names the model.
    """

    def __init__(self, options: DenseOptions, *, device: str | None = None, batch_size: int = 32) -> None:
        require("sentence_transformers", "sentence-transformers", "dense retrieval")
        from sentence_transformers import SentenceTransformer

        self._options = options
        self._batch_size = batch_size
        try:
            # No pickles: they can run whatever code their author likes.
            self._model = SentenceTransformer(options.model, device=device, model_kwargs={"use_safetensors": True})
        # The exception raised for a missing or damaged model depends on which of its files is affected.
        except Exception as error:
            raise CorpusError(
                f"encoder {options.model!r}: cannot be loaded ({type(error).__name__}: {error!s:.300})"
            ) from error
        _check_weights(options.model, getattr(self._model[0], "auto_model", None))
        if options.pooling is not None:
            self._set_pooling(options.pooling)

    def _set_pooling(self, pooling: str) -> None:
        # By type name: the class has moved between releases of the package.
        for i, module in enumerate(self._model):
            if type(module).__name__ == "Pooling":
                dimension = self._model[0].auto_model.config.hidden_size  # type: ignore[union-attr]
                self._model[i] = type(module)(dimension, pooling)  # type: ignore[index]
                return
        raise CorpusError(f"encoder {self._options.model!r} has no pooling that could be set to {pooling!r}")

    def passages(self, titles: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        how = self._options.title
        if how == "pair":
            inputs: list = list(zip(titles, texts, strict=True))
        elif how == "prefix":
            inputs = [f"{title}. {text}" if title else text for title, text in zip(titles, texts, strict=True)]
        else:
            inputs = list(texts)
        return self._encode(self._model.encode_document, inputs)

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode(self._model.encode_query, list(texts))

    def _encode(self, encode, inputs: list) -> np.ndarray:
        vectors = encode(
            inputs,
            batch_size=self._batch_size,
            show_progress_bar=False,
            normalize_embeddings=self._options.similarity == "cosine",
        )
        return np.ascontiguousarray(vectors, dtype=np.float32)
