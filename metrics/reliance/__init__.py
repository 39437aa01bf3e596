"""Reliance: whether a chain's own answer depends on its steps, as they are left out, put wrong, or cut short.

May import chains, requests, answers and controls, but neither the engine nor knowledge.
"""
