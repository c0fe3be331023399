"""Witness file: a list of the reports that a manager has acknowledged. Tests compare it with the cloud after crashes.

Each acknowledged report is one line, forced to the disk before the agent sends its next report:

    <system id, hex> <report number> <invoke-id> <handle>[,<handle>…] <device time>

The report number counts the agent's reports from 1 and is unique in a run. A report repeated after a loss has a new
invoke-id. The device time is the text that an exported observation has as `device_time`. So (system id, handle, device
time) identifies each observation that must be in the cloud exactly once. If the response to a report was lost, the
report is in the file only after its repetition was acknowledged.
"""

from pathlib import Path

from simulators.agents.report import Report
from simulators.line_file import LineFile


class Witness:
    """Writer of a witness file, which lists the acknowledged reports. Several agents of one process may share it, since
    each line is one write."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending. Raises OSError where it cannot be written."""
        self._file = LineFile(path)

    def write(self, system_id: bytes, report: Report, invoke_id: int) -> None:
        """Append the line of an acknowledged report. Returns when the line is on the disk."""
        handles = ",".join(str(handle) for handle in report.handles)
        self._file.write(f"{system_id.hex()} {report.number} {invoke_id} {handles} {report.device_time.text()}")

    def close(self) -> None:
        self._file.close()
