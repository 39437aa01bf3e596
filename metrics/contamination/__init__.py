"""Contamination checks: which questions a fitted scorer was trained on, and the refusal to score them.

Reads the scorer's card and knows nothing of likelihoods.
"""
