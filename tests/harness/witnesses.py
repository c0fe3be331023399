"""Files in which parts of the product wrote down (fsync) what they had told somebody, and what became of it.

A simulated device writes each confirmed report that was answered, the gateway each batch after its commit; both
survive any kill, so whatever they name must be in the cloud, once.
"""

import collections
from pathlib import Path
from typing import Any


def witnessed_reports(folder: Path) -> collections.Counter[tuple[str, int, str]]:
    """(system id, handle, device time) of everything that an agent was told is safe."""
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
    """The same of what the cloud exports. A Bluetooth device that tells no time has no such names (`ble_witnesses`)."""
    return collections.Counter(
        (row["device"]["system_id"], row["handle"], row["device_time"])
        for row in rows
        if row["device_time"] is not None
    )
