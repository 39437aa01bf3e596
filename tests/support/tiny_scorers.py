"""Tiny random scoring LMs of real architectures, with tokenizers trained on the spot, saved as ordinary folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

# Pre-tokenizers that let punctuation take the newlines after it into one token, as the two families do.
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")

_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    # Larger than usual, so that a wrong mask or position shows in the logits of an untrained model.
    "initializer_range": 0.3,
}
ARCHITECTURES: dict[str, dict] = {
    "llama": {},
    "qwen2": {},
    "qwen2-sliding": {
        "model_type": "qwen2",
        "use_sliding_window": True,
        "sliding_window": 8,
        "max_window_layers": 2,
    },
    "qwen3": {},
    "mistral": {"sliding_window": 8},
    "gemma2": {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 8, "query_pre_attn_scalar": 8, "num_hidden_layers": 6},
    "phi3": {"pad_token_id": 0},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 512},
    "gpt_neox": {},
    "olmo2": {},
}
RECURRENT: dict[str, dict] = {
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "initializer_range": 0.3},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4, "initializer_range": 0.3},
}
EXTRA_TEXT = [
    "Step 1: 48 / 2 = 24.\n\nSo 24 clips.\n",
    "She has $5.00.\n\n",
    "}\n\n",
    "ไทย ภาษา",
    "你好。世界",
    "مرحبا",
    "\\frac{1}{2}",
]


def make_tokenizer(kind: str, texts: Sequence[str], vocabulary: int = 600) -> PreTrainedTokenizerFast:
    """`qwen` and `llama3`: byte-level BPE; `unigram`: SentencePiece's Unigram with its ▁, and a BOS token."""
    corpus = [*texts, *EXTRA_TEXT * 5]
    special = ["<unk>", "<s>", "</s>"]
    if kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=vocabulary, special_tokens=special, unk_token="<unk>")
        tokenizer.train_from_iterator(corpus, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    else:
        tokenizer = Tokenizer(models.BPE())
        pattern = {"qwen": QWEN, "llama3": LLAMA3}[kind]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
        tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def make_scorer(folder: Path, architecture: str, tokenizer: PreTrainedTokenizerFast, **overrides) -> Path:
    """Save a random model of `architecture` with `tokenizer` under `folder`; returns its folder."""
    recurrent = architecture in RECURRENT
    options = {**({} if recurrent else _SMALL), **(RECURRENT if recurrent else ARCHITECTURES)[architecture]}
    options = {"model_type": architecture, "vocab_size": len(tokenizer), **options, **overrides}
    torch.manual_seed(0)
    config = AutoConfig.for_model(options.pop("model_type"), **options)
    model = AutoModelForCausalLM.from_config(config)
    target = folder / architecture
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    return target
