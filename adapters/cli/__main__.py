"""The `stepgauge` command for launchers that need a module: `accelerate launch -m stepgauge.adapters.cli …`."""

from __future__ import annotations

import sys

from . import main

sys.exit(main())
