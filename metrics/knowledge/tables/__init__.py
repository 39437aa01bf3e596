"""Reads figures in tables (Markdown, HTML, CSV) and sentences, and finds which cell or sentence a step refers to."""
