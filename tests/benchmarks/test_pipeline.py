"""The benchmark of the work beside the device: a small form of it, and what its figures are."""

from __future__ import annotations

import re

from benchmark_modules import benchmark


def test_ratio_is_that_of_wall_time_to_the_slower_of_device_and_host(shared_data, capfd):
    assert shared_data
    assert benchmark("pipeline.__main__").main(["--chains", "130", "--milliseconds", "0", "10"]) == 0
    printed = capfd.readouterr().out
    rows = re.findall(
        r"^ *(gauge|score) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +[\d.]+ +-?[\d.]+ *$", printed, re.M
    )
    assert [(door, ms) for door, ms, *_ in rows] == [(door, ms) for door in ("gauge", "score") for ms in ("0", "10")]
    for _, ms, *figures in rows:
        device, cpu, host, wall, ratio = map(float, figures)
        assert device == round(int(ms) * 130 / 1000, 1)
        assert 0 < host <= cpu
        assert wall >= device
        slower = max(device, host)
        assert abs(ratio - wall / slower) < 0.1 + ratio * 0.1 / slower
    assert len(re.findall(r"(?:gauge|score) ([0-9a-f]{16})(?:,|$)", printed, re.M)) == 2, (
        "other scores at another speed"
    )
