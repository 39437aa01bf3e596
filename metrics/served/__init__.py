"""Scoring LMs that an inference server runs: the likelihood backends `vllm` and `sglang`.

`backend.py` makes token sequences of requests and sums of replies, `vllm.py` and `sglang.py` know what each server is
asked and what it answers. Loads a tokenizer and a configuration, never weights.
"""
