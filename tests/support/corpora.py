"""Corpora for tests: sources in files, what a corpus holds byte for byte, and an encoder without a model."""

from __future__ import annotations

import gzip
import json
import os
import signal
import zlib
from pathlib import Path

import numpy as np

from stepgauge.metrics.retrieval.build import Built, build_corpus
from stepgauge.metrics.retrieval.store import TextStore


def jsonl(path: Path, rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def build(source, dest, **options) -> Built:
    return build_corpus(source, dest, progress=False, **options)


def chunks_of(folder) -> list[tuple[str, str, str]]:
    return list(TextStore(folder))


def contents(folder: Path) -> dict[str, bytes]:
    """Everything but the manifest, which holds the date."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


class HashEncoder:
    """Vectors that depend on title and text alone; counts what it encoded and may end the process on the way."""

    def __init__(self, kill_after: int | None = None) -> None:
        self.encoded = 0
        self.kill_after = kill_after

    def passages(self, titles, texts) -> np.ndarray:
        if self.kill_after is not None and self.encoded >= self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.encoded += len(texts)
        return self.queries([f"{title}\0{text}" for title, text in zip(titles, texts, strict=True)])

    def queries(self, texts) -> np.ndarray:
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return np.stack([np.random.default_rng(seed).standard_normal(8).astype(np.float32) for seed in seeds])
