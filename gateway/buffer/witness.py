"""A file of lines "epoch lane sequence", one for each batch that was committed, flushed before a caller is notified.

A test instrument: after any number of kills, each line must be in the cloud exactly once. It never endangers what it
witnesses: when it cannot be written it logs that once and the store continues.
"""

import os
from pathlib import Path

import structlog

from protocols.uplink.lanes import Lane

log = structlog.get_logger()


class Witness:
    """Appends to `path`, which is created when it is missing."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: list[str] = []
        self._failed = False

    def note(self, epoch: str, lane: Lane, first: int, last: int) -> None:
        """Add the lines of the committed sequences `first`…`last`."""
        self._lines.extend(f"{epoch} {lane.value} {sequence}\n" for sequence in range(first, last + 1))

    def flush(self) -> None:
        """Write the added lines to the disk."""
        octets = "".join(self._lines).encode()
        self._lines.clear()
        if not octets:
            return
        try:
            os.write(self._descriptor, octets)
            os.fdatasync(self._descriptor)
        except OSError as error:
            if not self._failed:
                log.warning("buffer.witness_failed", reason=error.strerror)
            self._failed = True

    def close(self) -> None:
        os.close(self._descriptor)
