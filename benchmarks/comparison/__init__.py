"""Benchmarks of comparisons and reports."""
