"""Random Llamas of few layers: `--tiny` checks with them that everything runs, `trap_seeds` begins with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.comparison.sft_trap_data import Problem
from benchmarks.comparison.sft_trap_evaluation import prompt
from benchmarks.comparison.sft_trap_training import END


def make_tiny(
    folder: Path, problems: Sequence[Problem], *, hidden: int = 32, layers: int = 2, context: int = 2048, seed: int = 0
) -> Path:
    """Save the model, with a tokenizer trained on these problems, to `folder` unless it exists; returns the folder."""
    if (folder / "tokenizer.json").is_file():  # saved last
        return folder
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    responses = [(one.question, response) for one in problems for response in (one.worked(), one.shortcut())]
    tokenizer.train_from_iterator([f"{prompt(asked, [])} {response}{END}" for asked, response in responses], trainer)
    fast: Any = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        bos_token_id=None,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
