"""Which verdicts a person should look at, and what the Knowledge Index is once the judge's errors are taken out.

`units.py` lists the checkable steps of scored chains, `sample.py` draws some of them, `prediction_powered.py` estimates
from people's labels of these. Reads and writes no files.
"""
