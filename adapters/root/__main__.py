"""`python -m stepgauge`: the command, where its script is not on the path."""

from __future__ import annotations

import sys

from stepgauge.adapters.cli import main

sys.exit(main())
