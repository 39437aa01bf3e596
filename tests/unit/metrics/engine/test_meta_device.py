"""The passes as an accelerator gets them, on torch's `meta` device: nothing waits for the host, and few kernels run.

A tensor there has a shape and no content, so that whatever needs a value of it (`item`, `nonzero`, a copy to the host)
raises or is seen here. A real accelerator would wait at such a place for all that it was given before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny_scorers import _SMALL, ARCHITECTURES
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from transformers import AutoConfig, AutoModelForCausalLM

from stepgauge.metrics.engine.chunked import long_trie
from stepgauge.metrics.engine.forward import lay_out, rows_pass
from stepgauge.metrics.engine.runner import Engine, Limits
from stepgauge.metrics.engine.tree_attention import plan_attention
from stepgauge.metrics.engine.trie import Trie, build_trie
from stepgauge.metrics.tokenization.spans import TokenSpan

VOCABULARY = 300
# What makes the host wait for a value (`item`, `bool(tensor)`, indexing by a mask, …), by its name in torch.
WAITS = ("_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "unique", "equal")
# Ops that only look at the same memory in another way: no kernel runs.
VIEWS = ("view", "_unsafe_view", "reshape", "transpose", "permute", "expand", "slice", "select", "unsqueeze", "squeeze")
VIEWS += ("t", "alias", "detach", "split", "chunk", "unbind", "as_strided", "split_with_sizes", "_reshape_alias")


class Watch(TorchDispatchMode):
    """Counts what is sent to the device.

    Attributes:
        kernels: by the op's name, without views.
        to_device, to_host: copies of tensors from and to the host.
        waits: what makes the host wait.
        stray: ops that get a tensor of the host among those of the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.to_device = self.to_host = 0
        self.waits: list[str] = []
        self.stray: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        given = [one for one in tree_flatten((args, kwargs or {}))[0] if isinstance(one, torch.Tensor)]
        out = func(*args, **(kwargs or {}))
        name = func._schema.name.removeprefix("aten::")
        made = [one for one in tree_flatten(out)[0] if isinstance(one, torch.Tensor)]
        on_device = any(one.device.type == "meta" for one in [*given, *made])
        if on_device:
            if name in WAITS:
                self.waits.append(name)
            if name in ("to", "_to_copy", "copy_"):
                self.to_host += any(one.device.type == "cpu" for one in made)
                self.to_device += any(one.device.type == "cpu" for one in given)
            elif any(one.device.type == "cpu" and one.dim() for one in given):
                self.stray.append(name)
            if name not in VIEWS:
                self.kernels[name] += 1
        return out


def engine(architecture: str, dtype: torch.dtype, implementation: str = "sdpa", **limits) -> Engine:
    options = {
        "vocab_size": VOCABULARY,
        "model_type": architecture,
        **_SMALL,
        "num_hidden_layers": 2,
        **ARCHITECTURES[architecture],
    }
    config = AutoConfig.for_model(options.pop("model_type"), **options)
    with torch.device("meta"):
        usual = None if implementation == "sdpa" and architecture == "gemma2" else implementation  # it has no sdpa
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=usual)
    model.eval()
    return Engine(model, 64 if limits else 4096, Limits(**{"row": 512, "tile": 64, **limits}), plan_attention(model))


def trie(seed: int = 0, length: int = 60, prefixes: int = 6) -> Trie:
    """A chain's: prefixes of a trunk, each with an answer behind it."""
    random = np.random.default_rng(seed)
    trunk = random.integers(0, VOCABULARY, length)
    cuts = np.linspace(5, length - 1, prefixes).astype(int)
    spans = [np.concatenate([trunk[:cut], random.integers(0, VOCABULARY, 4)]) for cut in cuts]
    return build_trie([TokenSpan(ids, len(ids) - 4) for ids in spans])


def watched(run: Callable[[], object]) -> Watch:
    watch = Watch()
    with watch:
        run()
    return watch


WAYS = {
    "rows": (lambda one: rows_pass(one, [trie(0), trie(1, 50)]), {}),
    "long tries": (lambda one: long_trie(one, trie(2, 120, 6)), {"row": 64, "tile": 32}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("dtype", "implementation"),
    [(torch.bfloat16, "sdpa"), (torch.float32, "eager"), pytest.param(torch.float16, "sdpa", marks=pytest.mark.slow)],
    ids=str,
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_pass_waits_for_the_host(architecture, dtype, implementation, way):
    run, limits = WAYS[way]
    one = engine(architecture, dtype, implementation, **limits)
    seen = watched(lambda: run(one))
    assert (seen.waits, seen.to_host, seen.stray) == ([], 0, [])
    assert sum(seen.kernels[name] for name in ("linear", "addmm", "mm")) > 0, "the model ran"


def test_the_watch_sees_what_waits_and_what_strays():
    ones = torch.ones(3, device="meta")

    def stray():
        return torch.where(torch.ones(3, dtype=torch.bool), ones, ones)

    seen = Watch()
    for waiting in (lambda: ones.sum().item(), lambda: ones.cpu(), lambda: bool(ones.any()), stray, ones.nonzero):
        with seen, pytest.raises((RuntimeError, NotImplementedError)):
            waiting()
    with seen:
        torch.arange(3).to("meta")
    assert seen.to_device == 1
    assert seen.kernels.total() > 0


@pytest.mark.parametrize("architecture", ["llama", "qwen2-sliding", "gpt2"])
def test_kernels_and_copies_of_a_pass_do_not_grow_with_its_tokens_and_little_with_its_rows(architecture):
    one = engine(architecture, torch.bfloat16)

    def plain() -> None:
        tries = [trie(0)]
        token = torch.from_numpy(lay_out(tries).token).to("meta")
        mask = torch.ones(1, 1, token.shape[1], token.shape[1], dtype=torch.bool, device="meta")
        masks = mask if len(one.plan.kinds) == 1 else dict.fromkeys(one.plan.kinds, mask)
        with torch.inference_mode():
            one.model(input_ids=token, attention_mask=masks, use_cache=False)

    model = watched(plain).kernels.total()
    alone, longer = (watched(lambda n=n: rows_pass(one, [trie(0, n)])) for n in (60, 240))
    four = watched(lambda: rows_pass(one, [trie(i) for i in range(4)]))
    assert longer.kernels == alone.kernels
    assert alone.kernels.total() - model <= 40, "masks and log-probabilities, beside the model itself"
    assert four.kernels.total() - alone.kernels.total() <= 3 * 10, "log-probabilities, row by row"
    assert alone.to_device <= 6
    assert four.to_device - alone.to_device <= 3 * 2
