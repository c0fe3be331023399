"""Signals to the workers: a job was enqueued, a job was cancelled.

A signal only shortens a wait. A worker that misses one finds the change at its next poll or renewal of leases, so no
signal is ever waited for. Within a process the bell carries it, between processes PostgreSQL's NOTIFY.
"""

from collections.abc import Callable

from cloud.foundation.process import Process

CHANNEL = "argus_jobs"
"""PostgreSQL's channel. The text is the id of a cancelled job, or empty when jobs were enqueued."""


class JobBell:
    """Passes signals to the worker of this process, if it has one. Ring after the commit of the change."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[str], None]] = []

    def attach(self, listener: Callable[[str], None]) -> None:
        """Call `listener` at each signal, with the id of a cancelled job or an empty text for enqueued jobs."""
        self._listeners.append(listener)

    def ring(self, cancelled: str = "") -> None:
        for listener in self._listeners:
            listener(cancelled)


def bell_of(_process: Process) -> JobBell:
    """Create the bell of a process. Call it as `process.shared(bell_of)`."""
    return JobBell()
