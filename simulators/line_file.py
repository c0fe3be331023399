"""Small file of lines, as the memory of a simulated device: appended, forced to the disk, and read at power-on.

An incomplete last line, left by a power failure, is removed, so a line is stored either whole or not at all.
"""

import os
from pathlib import Path


class LineFile:
    """File of ASCII lines. Only one object may have it open."""

    def __init__(self, path: Path) -> None:
        """Open the file, and create it where it is absent. Raises OSError where it cannot be written."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)

    def lines(self) -> list[str]:
        """Return all complete lines, oldest first, and remove an incomplete last line from the file."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            octets = file.read()
        whole = octets.rfind(b"\n") + 1
        os.ftruncate(self._descriptor, whole)
        return octets[:whole].decode("ascii").splitlines()

    def write(self, text: str) -> None:
        """Append one line, or several separated by line ends, in one write. They are durable when this returns."""
        os.write(self._descriptor, text.encode("ascii") + b"\n")
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
