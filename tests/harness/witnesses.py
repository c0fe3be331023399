"""Files in which parts of the product recorded (fsync) what they had acknowledged or committed, and their comparison.

A simulated device writes each confirmed report that was acknowledged, the gateway each batch after its commit. Both
survive any kill, so the cloud must have each recorded item exactly once.
"""

import collections
from pathlib import Path
from typing import Any


def witnessed_reports(folder: Path) -> collections.Counter[tuple[str, int, str]]:
    """Count (system id, handle, device time) of every report that an agent got an acknowledgement for."""
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
    """Count the same in an export of the cloud. Measurements without a device time are in `ble_witnesses`."""
    return collections.Counter(
        (row["device"]["system_id"], row["handle"], row["device_time"])
        for row in rows
        if row["device_time"] is not None
    )
