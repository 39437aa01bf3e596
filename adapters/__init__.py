"""Connects the metric core to its surroundings: both frameworks, finished runs, the report, the command line.

Imports `stepgauge.metrics`, which imports nothing from here.
"""
