"""A limit on the processor time of other processes, which needs no rights beyond those of their owner.

They are all stopped for a part of every tenth of a second, and continue for the rest: what the quota of a control group
does. Such a group would need root, and a file system that a container may not have.
"""

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PERIOD_S = 0.1


class ProcessorShare:
    """Lets the processes `pids` and their descendants run for the part `share` of the time, between `start` and
    `end`."""

    def __init__(self, pids: Sequence[int], share: float) -> None:
        self._pids = pids
        self._share = share
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Return when all processes run again without a limit."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended.wait(PERIOD_S * self._share):
                self._send(signal.SIGSTOP)
                self._ended.wait(PERIOD_S * (1 - self._share))
                self._send(signal.SIGCONT)
        finally:
            self._send(signal.SIGCONT)

    def _send(self, what: signal.Signals) -> None:
        for pid in self._pids:
            _send_to_tree(pid, what)


def _send_to_tree(pid: int, what: signal.Signals) -> None:
    """Send a signal to a process and then to its descendants: a process that is stopped begins no further child."""
    with suppress(ProcessLookupError, FileNotFoundError):  # it has ended
        os.kill(pid, what)
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError, FileNotFoundError):
                for child in (task / "children").read_text().split():
                    _send_to_tree(int(child), what)
