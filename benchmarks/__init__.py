"""Measurements behind the figures in the documentation; README.md is the index."""
