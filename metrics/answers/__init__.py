"""Answers in text: finding the one that a response gives, and telling whether a text states the gold one.

Imports of stepgauge only `numbers`.
"""
