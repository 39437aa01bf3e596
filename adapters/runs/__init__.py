"""Reads runs of every kind, scored or not, into `Run`s for a comparison or a report."""

from .load import load_runs

__all__ = ["load_runs"]
