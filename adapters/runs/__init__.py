"""Reads scored runs of all kinds into `Run`s for a comparison or a report."""
