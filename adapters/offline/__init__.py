"""Scoring finished runs: what `formats` reads goes through a `Gauge`, window by window, into an output folder."""
