"""Benchmarks of the likelihood engine."""
