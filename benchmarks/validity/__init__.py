"""Does the gain of a step see reasoning? Labelled chains, with 95 % intervals."""
