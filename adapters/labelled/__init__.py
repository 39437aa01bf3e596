"""Labelled claims in files: a user's own, public sets in a folder that the user names, people's labels of verdicts."""
