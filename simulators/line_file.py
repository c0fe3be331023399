"""A small file of lines for a simulated device: appended, forced to the disk, read from the top at power-on.

A line that a power failure left incomplete is cut off, so a line is either stored whole or not at all. The owner
defines the meaning of the lines (`agents.memory_file`, `ble.store`).
"""

import os
from pathlib import Path


class LineFile:
    """One file of ASCII lines, with one owner."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError when it cannot be written."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def lines(self) -> list[str]:
        """Return every whole line, oldest first; an incomplete rest is cut off."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            octets = file.read()
        whole = octets.rfind(b"\n") + 1
        os.ftruncate(self._descriptor, whole)
        return octets[:whole].decode("ascii").splitlines()

    def write(self, text: str) -> None:
        """Append one line, or several with line ends between them, in one write. Durable when this returns."""
        os.write(self._descriptor, text.encode("ascii") + b"\n")
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
