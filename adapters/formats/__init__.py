"""Reading finished runs of every kind: lm-eval samples, Inspect logs, MMLU-Pro output, chats and traces.

A module a format; `detect` tells which one a file has. May use the frameworks' readers; scores nothing.
"""
