"""Scores finished runs: passes what `formats` reads through a `Gauge`, window by window, into an output folder."""
