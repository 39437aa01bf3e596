"""Scores for runs that are already finished: files of lm-eval, Inspect, MMLU-Pro and others become traces and scores.

One module per format reads entries out of a file (`lm_eval_samples`, `inspect_logs`, `mmlu_pro`, `chat`, `traces`);
`detect` finds out which; `run` feeds them to a `Gauge`, window by window, and writes what comes back.
"""
