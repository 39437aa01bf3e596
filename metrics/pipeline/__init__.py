"""What happens to chains between the front door and the scoring LM: cut, written out, measured, put together.

Chains are worked on in windows, beside the scoring LM where it computes elsewhere. Only the gauge imports this package.
"""
