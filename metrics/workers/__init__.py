"""Worker processes that score in parallel, one per device.

They run the engine and are driven by messages. Only the registration of the backend imports this package.
"""
