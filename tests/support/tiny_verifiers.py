"""Tiny random step verifiers of each kind, saved as folders, and what their authors' recipes make of a chain.

The oracles read one chain at a time, without padding, and find the steps' places as the authors' own examples do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from tiny_classifiers import make_classifier
from tiny_scorers import make_tokenizer
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Model,
)

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
)
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
_SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    # Larger than usual, so that a wrong mask or position shows in the outputs of an untrained model.
    "initializer_range": 0.4,
}


def chat_tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    tokenizer = make_tokenizer("qwen", [*texts, "ки ки\n", "+ -", "Step 1: Step 2:"])
    marks = ["<|im_start|>", "<|im_end|>", "<extra_0>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.chat_template = CHAT
    tokenizer.pad_token = "</s>"
    return tokenizer


def token_classifier(folder: Path, model_type: str, texts: Sequence[str]) -> Path:
    """A head over each token with the labels that trl leaves: LABEL_0 (wrong), LABEL_1 (right)."""
    if model_type == "bert":
        make_classifier(folder, "bert", texts, labels=("LABEL_0", "LABEL_1"), max_position_embeddings=512)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        options = {**_SMALL, "max_position_embeddings": 512, "pad_token_id": 0}
        options.pop("num_key_value_heads")
    else:
        tokenizer, options = chat_tokenizer(texts), dict(_SMALL)
    torch.manual_seed(2)
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), num_labels=2, **options)
    AutoModelForTokenClassification.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def causal(folder: Path, model_type: str, texts: Sequence[str]) -> Path:
    tokenizer = chat_tokenizer(texts)
    torch.manual_seed(3)
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **_SMALL)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class SeparatorHead(nn.Module):
    """Qwen2.5-Math-PRM's form, written down from its description."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__()
        self.model = Qwen2Model(config)
        width = config.hidden_size
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.score(self.model(input_ids=ids).last_hidden_state)


def separator_head(folder: Path, texts: Sequence[str]) -> Path:
    tokenizer = chat_tokenizer(texts)
    torch.manual_seed(4)
    config = Qwen2Config(vocab_size=len(tokenizer), num_labels=2, **_SMALL)
    model = SeparatorHead(config)
    folder.mkdir(parents=True, exist_ok=True)
    # As published: a name of its own, and a pointer to code that lies beside it.
    about = {**config.to_dict(), "architectures": ["Qwen2ForProcessRewardModel"]}
    about["auto_map"] = {"AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel"}
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "modeling_qwen2_rm.py").write_text("raise RuntimeError('this code must not run')\n")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    tokenizer.save_pretrained(folder)
    return folder


class Oracle:
    """p(right) of each step as the authors of a kind compute it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.kind = kind
        if kind == "token-classification":
            self.model = AutoModelForTokenClassification.from_pretrained(folder).eval()
        elif kind == "separator-head":
            from safetensors.torch import load_file

            self.model = SeparatorHead(Qwen2Config.from_pretrained(folder)).eval()
            self.model.load_state_dict(load_file(folder / "model.safetensors"))
        else:
            self.model = AutoModelForCausalLM.from_pretrained(folder).eval()

    @torch.no_grad()
    def right(self, question: str, steps: Sequence[str]) -> list[float]:
        return getattr(self, f"_{self.kind.replace('-', '_')}")(question, list(steps))

    def _token_classification(self, question: str, steps: Sequence[str]) -> list[float]:
        ids = self.tokenizer(question, add_special_tokens=False)["input_ids"]
        if self.tokenizer.bos_token_id is not None:
            ids = [self.tokenizer.bos_token_id, *ids]
        found = []
        for step in steps:
            ids = ids + self.tokenizer(step, add_special_tokens=False)["input_ids"]
            ids = ids + self.tokenizer.encode(self.separator, add_special_tokens=False)
            found.append(len(ids) - 1)
        logits = self.model(input_ids=torch.tensor([ids])).logits[0]
        return torch.softmax(logits[found].float(), dim=-1)[:, 1].tolist()

    separator = "\n"

    def _label_tokens(self, question: str, steps: Sequence[str]) -> list[float]:
        text = f"{question} " + "\n".join(f"Step {n}: {step} ки" for n, step in enumerate(steps, 1))
        plus, minus = (self.tokenizer.encode(label, add_special_tokens=False)[-1] for label in "+-")
        mark = self.tokenizer.encode(" ки", add_special_tokens=False)
        ids = torch.tensor([self.tokenizer.encode(text)])
        pair = self.model(input_ids=ids).logits[0][:, [plus, minus]].softmax(dim=-1)[:, 0]
        assert len(mark) == 1  # the tiny tokenizer has seen it
        found = pair[ids[0] == mark[0]].tolist()
        assert len(found) == len(steps)
        return found

    def _label_turns(self, question: str, steps: Sequence[str]) -> list[float]:
        """One pass for each step, as the authors' example does."""
        plus, minus = (self.tokenizer.encode(label, add_special_tokens=False)[-1] for label in "+-")
        conversation, found = [], []
        for n, step in enumerate(steps):
            conversation.append({"role": "user", "content": f"{question} {step}" if n == 0 else step})
            conversation.append({"role": "assistant", "content": "+"})
            text = self.tokenizer.apply_chat_template(conversation, tokenize=False)
            ids = self.tokenizer.encode(text, add_special_tokens=False)
            place = max(i for i, token in enumerate(ids) if token == plus) - 1
            logits = self.model(input_ids=torch.tensor([ids])).logits[0, place]
            found.append(logits[[plus, minus]].softmax(dim=-1)[0].item())
        return found

    def _separator_head(self, question: str, steps: Sequence[str]) -> list[float]:
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": question},
            {"role": "assistant", "content": "<extra_0>".join(steps) + "<extra_0>"},
        ]
        text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
        ids = torch.tensor([self.tokenizer.encode(text, add_special_tokens=False)])
        mark = self.tokenizer.convert_tokens_to_ids("<extra_0>")
        return torch.softmax(self.model(ids)[0][ids[0] == mark], dim=-1)[:, 1].tolist()
