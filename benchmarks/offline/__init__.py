"""Benchmarks of scoring finished runs."""
