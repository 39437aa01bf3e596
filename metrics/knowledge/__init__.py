"""The Knowledge Index: claims in steps, evidence for them, verdicts on them."""
