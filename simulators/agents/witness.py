"""The witness: a file of the reports that a manager has acknowledged, which no crash can affect.

One line for each acknowledged report, forced to the disk before the agent sends its next one:

    <system id, hex> <report number> <invoke-id> <handle>[,<handle>…] <device time>

The report number counts the agent's reports from 1 and is never used twice in one run. The invoke-id is that of the
acknowledged report (a report repeated after a loss has a new one). The device time is the text that an exported
observation has as `device_time`. So (system id, handle, device time) identifies each observation that must be in the
cloud exactly once. A report that was stored but whose response was lost is not in the file until its repetition is
acknowledged.
"""

from pathlib import Path

from simulators.agents.report import Report
from simulators.line_file import LineFile


class Witness:
    """Appends to one file. Several agents of one process may share it; a line is one write."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError when it cannot be written."""
        self._file = LineFile(path)

    def write(self, system_id: bytes, report: Report, invoke_id: int) -> None:
        """Write a line; return when it is on the disk."""
        handles = ",".join(str(handle) for handle in report.handles)
        self._file.write(f"{system_id.hex()} {report.number} {invoke_id} {handles} {report.device_time.text()}")

    def close(self) -> None:
        self._file.close()
