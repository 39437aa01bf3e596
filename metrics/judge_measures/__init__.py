"""What has been measured of judges: kept beside the judge, written into scores, printed under each Knowledge Index.

`stepgauge judge-check` measures (`metrics/judge_check`); this room holds what it found and imports no judge.
"""
