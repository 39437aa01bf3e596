"""Two models' scored chains compared: paired by question, with intervals, tests and a verdict."""
