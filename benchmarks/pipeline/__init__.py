"""Benchmarks of the work beside the device: does the scoring LM wait for Python?"""
