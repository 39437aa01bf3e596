"""How well judges tell right from wrong: judged through the panel like any chain, counted against labels.

`check.py` measures one judge on one set; what it finds is a `Measure` of `metrics/judge_measures`. Reads no files.
"""
