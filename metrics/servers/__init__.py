"""Asking servers over HTTP: one request with retries and a time limit, keys that are not kept, and when to give up.

Judges on a server and served scoring LMs share it. Knows neither what is asked nor what a reply means.
"""
