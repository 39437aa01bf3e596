"""A tiny scorer whose forward pass dies, runs out of memory or sleeps where a text asks for it."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_scorers import make_scorer
from transformers import PreTrainedTokenizerFast

# Written into a question. No word of the tokenizers' training texts holds them, so each is one token a character. A
# pass that runs out of memory is tried again in pieces: there each of the tokens fails. Two that kill stand together.
KILL, OUT_OF_MEMORY, SLOW = "~~", "^^", "||"

_CODE = """
import os, signal, time
import torch
from transformers import LlamaForCausalLM

class FaultyForCausalLM(LlamaForCausalLM):
    def forward(self, input_ids=None, **kwargs):
        def holds(token):
            return bool((input_ids == token).any())
        if bool(((input_ids[:, 1:] == {kill}) & (input_ids[:, :-1] == {kill})).any()):
            os.kill(os.getpid(), signal.SIGKILL)
        if holds({out_of_memory}):
            raise torch.OutOfMemoryError("out of memory, as the text asks")
        if holds({slow}):
            time.sleep(60)
        return super().forward(input_ids=input_ids, **kwargs)
"""


def make_faulty_scorer(folder: Path, tokenizer: PreTrainedTokenizerFast) -> Path:
    """Its code lies in its folder, so it needs `trust_remote_code`."""
    out = make_scorer(folder, "llama", tokenizer)
    tokens = {}
    for name, text in (("kill", KILL), ("out_of_memory", OUT_OF_MEMORY), ("slow", SLOW)):
        first, second = tokenizer(text, add_special_tokens=False).input_ids
        assert first == second
        tokens[name] = first
    (out / "faulty.py").write_text(_CODE.format(**tokens))
    config = json.loads((out / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "faulty.FaultyForCausalLM"}
    (out / "config.json").write_text(json.dumps(config))
    return out
