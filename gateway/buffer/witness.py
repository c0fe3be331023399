"""A file of lines "epoch lane sequence", one for each batch that was committed, flushed before a caller is notified.

A test instrument: after any number of kills, what stands here must be in the cloud exactly once. It never endangers
what it witnesses: when it cannot be written it says so once and the store goes on.
"""

import os
from pathlib import Path

import structlog

from protocols.uplink.lanes import Lane

log = structlog.get_logger()


class Witness:
    """Appends to `path`, which is made when it is not there."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: list[str] = []
        self._failed = False

    def note(self, epoch: str, lane: Lane, first: int, last: int) -> None:
        """The sequences `first`…`last` are committed."""
        self._lines.extend(f"{epoch} {lane.value} {sequence}\n" for sequence in range(first, last + 1))

    def flush(self) -> None:
        """Write what was noted, to the disk."""
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
