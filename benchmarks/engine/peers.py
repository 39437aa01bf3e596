"""Computes the same log-likelihoods with other packages, if they are installed.

`lm-eval` and `minicons` get the loaded model and our token ids, since both find the answer's first token by tokenizing
the context alone, which is wrong if a token spans the boundary. `ctranslate2` is a separate inference engine (its own
C++ kernels, float32); converting the weights for it is not timed. It gives the log-probability of every token.

To run the last two: `pip install --no-deps minicons wonderwords ctranslate2`. Left out are llama-cpp-python (a source
package that must be compiled; a prompt's log-probabilities only with the logits of all positions), vLLM and SGLang
(gigabytes of CUDA packages; on a CPU they must be compiled), lmppl and surprisal (no score of a continuation given a
context; last releases of 2024 and 2025).
"""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .methods import Groups, Values, batches, in_groups, padded
from .tokens import token_spans

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Run = Callable[[Groups], Values]


def lm_eval_harness(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Callable[..., Values]:
    """`HFLM._loglikelihood_tokens`, which `loglikelihood` calls after tokenizing. Raises ImportError.

    The returned function takes `groups`, a `batch_size` and the maximum `places` (rows times length) of a batch.
    """
    from lm_eval.models.huggingface import HFLM

    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        # A separate tokenizer, since lm-eval sets its padding token.
        lm: Any = HFLM(pretrained=model, tokenizer=copy.deepcopy(tokenizer), softmax_dtype="float32")  # type: ignore[arg-type]
    finally:
        logging.disable(level)

    def run(groups: Groups, batch_size: int, places: int) -> Values:
        asked: list[Any] = []
        for requests in groups:
            for request, span in zip(requests, token_spans(tokenizer, requests), strict=True):
                texts = request.text[: request.start], request.text[request.start :]
                asked.append((texts, span.ids[: span.start].tolist(), span.ids[span.start :].tolist()))
        longest = max(len(context) + len(answer) for _, context, answer in asked)
        lm.batch_size_per_gpu = max(1, min(batch_size, places // longest))
        found = lm._loglikelihood_tokens(asked, disable_tqdm=True)
        return in_groups([value for value, _ in found], groups)

    return run


def minicons(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, budget: int) -> Run:
    """`IncrementalLMScorer.compute_stats` on batches sorted by length, up to `budget` tokens. Raises ImportError."""
    from minicons.scorer import IncrementalLMScorer  # type: ignore[import-not-found]
    from transformers import BatchEncoding

    own = copy.deepcopy(tokenizer)
    own.pad_token = own.pad_token or own.eos_token
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scorer = IncrementalLMScorer(model, str(model.device), tokenizer=own)

    def run(groups: Groups) -> Values:
        spans = [span for requests in groups for span in token_spans(tokenizer, requests)]
        out = [0.0] * len(spans)
        for batch in batches([len(span.ids) for span in spans], budget):
            rows = [spans[i] for i in batch]
            ids = padded([span.ids for span in rows])
            mask = np.arange(ids.shape[1])[None] < np.array([len(span.ids) for span in rows])[:, None]
            encoding = BatchEncoding({"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask) * 1})
            stats = scorer.compute_stats((encoding, [span.start - 1 for span in rows]), return_tensors=True)
            for i, values in zip(batch, stats, strict=True):
                out[i] = float(values.double().sum())
        return in_groups(out, groups)

    return run


def ctranslate2(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, budget: int) -> Run:
    """`Generator.score_batch`, which sorts and pads the sequences, up to `budget` tokens. Raises ImportError."""
    import ctranslate2 as ct2  # type: ignore[import-not-found]
    from ctranslate2.converters import TransformersConverter  # type: ignore[import-not-found]

    compute = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}[model.dtype]
    device = model.device.type
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", str(Path(folder) / "target")
        model.save_pretrained(source)
        tokenizer.save_pretrained(source)
        TransformersConverter(str(source)).convert(target, quantization=compute)
        options: dict[str, Any] = {"device": device, "compute_type": compute, "inter_threads": 1}
        generator = ct2.Generator(target, intra_threads=torch.get_num_threads(), **options)

    def run(groups: Groups) -> Values:
        spans = [span for requests in groups for span in token_spans(tokenizer, requests)]
        tokens = [tokenizer.convert_ids_to_tokens(span.ids.tolist()) for span in spans]
        longest = max(len(span.ids) for span in spans)
        # Its default of 1,024 tokens would cut longer sequences.
        limits: dict[str, Any] = {"max_batch_size": max(budget, longest), "max_input_length": 0}
        found = generator.score_batch(tokens, batch_type="tokens", **limits)
        # The first token of a text has no context, and so no entry.
        sums = [sum(row.log_probs[span.start - 1 :]) for row, span in zip(found, spans, strict=True)]
        return in_groups(sums, groups)

    return run
