"""Before `lm-eval` or `inspect` runs in a process of its own: what takes seconds and changes nothing is left out.

Python imports this where the folder is on PYTHONPATH.

lm-eval's 14,000 task files come out of the cache folder; that the index is the same as without is tested in
tests/unit/adapters/lm_eval/test_kept_yaml.py. Inspect imports every package with tasks that it finds: those that the
command does not name are empty, as for a user who has not installed them.
"""

import sys
from pathlib import Path
from types import ModuleType

program = {Path(argument).name for argument in sys.orig_argv[:2]}
if "lm-eval" in program:
    from stepgauge.adapters.lm_eval.kept_yaml import kept_yaml

    kept = kept_yaml()  # held for the life of the process: what is collected is undone
    kept.__enter__()
if "inspect" in program:
    for package in ("inspect_evals", "inspect_swe"):
        if not any(package in argument for argument in sys.orig_argv):
            sys.modules[f"{package}._registry"] = ModuleType(f"{package}._registry")
