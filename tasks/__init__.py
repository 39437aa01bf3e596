"""Tasks for both frameworks, the readers they share, and the embedded samples. May use `adapters` and `metrics`."""
