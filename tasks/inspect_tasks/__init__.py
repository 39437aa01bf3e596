"""Tasks for Inspect, and the registry that its entry point loads."""
