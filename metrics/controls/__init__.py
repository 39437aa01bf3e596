"""Controls: the gain that remains when other text replaces a chain's steps, and a model that only copies tokens.

May import chains, scores and answers, but neither the engine nor knowledge.
"""
