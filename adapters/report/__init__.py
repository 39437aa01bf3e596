"""Writes one HTML page about one or several scored runs, and the plots in it."""
