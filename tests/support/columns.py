"""The columns that every door shows by default, written out: what users see must not change unseen."""

from __future__ import annotations

GAINS = ("infogain", "infogain_before_answer", "infogain_nats", "infogain_nats_before_answer", "leak_share")
REASONING = (*GAINS, "ki", "ki_coverage", "n_steps")
