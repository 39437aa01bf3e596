"""Between the metric core and everything around it: both frameworks, finished runs, the report, the command line.

May import `stepgauge.metrics`, which imports nothing from here.
"""
