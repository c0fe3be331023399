"""Witness files, in which devices and gateways record what must reach the cloud, and their comparison with an export.

A simulated device records each confirmed report that was acknowledged, a gateway each batch after its commit. The
records are forced to the disk (fsync) and survive any kill, so the cloud must have each recorded item exactly once.
"""

import collections
from pathlib import Path
from typing import Any


def witnessed_reports(folder: Path) -> collections.Counter[tuple[str, int, str]]:
    """Count the acknowledged reports in the devices' witness files, by (system id, handle, device time)."""
    found: collections.Counter[tuple[str, int, str]] = collections.Counter()
    for path in folder.glob("*.witness"):
        for line in path.read_text().splitlines():
            system_id, _report_no, _invoke_id, handles, device_time = line.split(" ")
            found.update((system_id, int(handle), device_time) for handle in handles.split(","))
    return found


def witnessed_commits(path: Path) -> set[tuple[str, str, int]]:
    return {
        (epoch, lane, int(sequence))
        for epoch, lane, sequence in (line.split() for line in path.read_text().splitlines())
    }


def in_cloud(rows: list[dict[str, Any]]) -> collections.Counter[tuple[str, int, str]]:
    """Count the rows of a cloud export by (system id, handle, device time).

    Rows without a device time are left out; `ble_witnesses` compares those.
    """
    return collections.Counter(
        (row["device"]["system_id"], row["handle"], row["device_time"])
        for row in rows
        if row["device_time"] is not None
    )
