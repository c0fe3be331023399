"""A test instrument: a file with a line "epoch lane sequence" for each batch, flushed before a caller is notified.

After any number of kills, the batch of each line must be in the cloud exactly once. When the file cannot be written,
that is logged once and the store continues.
"""

import os
from pathlib import Path

import structlog

from protocols.uplink.lanes import Lane

log = structlog.get_logger()


class Witness:
    """The witness file at `path`, open for appending; created where it is missing."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lines: list[str] = []
        self._failed = False

    def note(self, epoch: str, lane: Lane, first: int, last: int) -> None:
        """Add lines for the committed sequence numbers `first`…`last`. `flush` writes them."""
        self._lines.extend(f"{epoch} {lane.value} {sequence}\n" for sequence in range(first, last + 1))

    def flush(self) -> None:
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
