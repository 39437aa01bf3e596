"""Whether a response answers or abstains: by rule on what a user sees of it, or by a judge that is asked."""
