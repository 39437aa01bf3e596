"""Benchmarks of claims, evidence and judges."""
