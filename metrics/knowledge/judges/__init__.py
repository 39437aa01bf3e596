"""Judges of claims against evidence: the scoring LM, NLI checkpoints, an OpenAI-compatible server."""
