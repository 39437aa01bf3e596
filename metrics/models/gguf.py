"""Converts a GGUF file to a folder of safetensors in the cache, once."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import ScorerError
from .cache import cache_dir
from .from_pretrained import LOAD_ERRORS, MOST_LAYERS, check_layers, first_line, quiet
from .gguf_header import check_blocks, tensor_names

log = logging.getLogger(__name__)


def convert_gguf(gguf: Path) -> Path:
    """Dequantize a GGUF file to float32 safetensors in the cache folder, once; returns the folder.

    The folder's name holds the file's name, size and modification time, so a changed file is converted again. The
    folder appears only when complete: an interrupted conversion leaves nothing that could be loaded.
    Raises ScorerError if transformers cannot read the file.
    """
    stat = gguf.stat()
    key = hashlib.sha256(os.fsencode(f"{gguf.resolve()}|{stat.st_size}|{stat.st_mtime_ns}")).hexdigest()[:12]
    target = cache_dir() / "models" / f"{gguf.stem}-{key}"
    if (target / "config.json").is_file():
        return target
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    log.info("converting %s to safetensors in %s (once, about 20 s for SmolLM2)", gguf.name, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{gguf.stem}-", dir=target.parent))
    try:
        where: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
        tensors = tensor_names(gguf)
        config = AutoConfig.from_pretrained(**where)
        check_layers(config, min(MOST_LAYERS, len(tensors)))
        layers = getattr(config.get_text_config(), "num_hidden_layers", None)
        if isinstance(layers, int):
            check_blocks(tensors, layers)
        tokenizer = AutoTokenizer.from_pretrained(**where)
        with quiet():
            quantized = AutoModelForCausalLM.from_pretrained(**where, dtype="float32")
        # save_pretrained refuses a model marked as GGUF-quantized; a fresh model with the same weights is not marked.
        config.dtype = "float32"
        fresh = AutoModelForCausalLM.from_config(config)
        fresh.load_state_dict(quantized.state_dict())
        fresh.generation_config = quantized.generation_config
        with quiet():
            fresh.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        _publish(scratch, target)
    except LOAD_ERRORS as error:
        raise ScorerError(f"GGUF file {str(gguf)!r} could not be converted: {first_line(error)}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _publish(scratch: Path, target: Path) -> None:
    try:
        scratch.rename(target)
    except OSError:
        # Another process finished the same conversion first: use its result.
        if not (target / "config.json").is_file():
            raise
