"""Before `lm-eval` runs in a process of its own: its 14,000 task files come out of the cache folder.

Python imports this where the folder is on PYTHONPATH. That the index is the same as without
is tested in tests/unit/adapters/lm_eval/test_kept_yaml.py.
"""

import sys
from pathlib import Path

if any(Path(argument).name == "lm-eval" for argument in sys.orig_argv[:2]):
    from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml

    kept = kept_yaml()  # held for the life of the process: what is collected is undone
    kept.__enter__()
