"""What goes to an LM that judges or extracts, and what comes back: prompts, fences, requests, replies, cache."""
