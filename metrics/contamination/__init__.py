"""Which questions a fitted scorer was trained on, and the refusal to score them.

Below the engine: it reads a scorer's card and knows nothing of likelihoods.
"""
