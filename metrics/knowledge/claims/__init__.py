"""Claim extractors that read sentences: by rule, or by an LM whose reply is checked."""
