"""Controls: what gain is left when a chain's steps are replaced, and a model that only copies tokens.

May use chains, scores and answers; neither the engine nor knowledge.
"""
