"""Signals to the senders of missions: a mission is due.

A signal only shortens a wait: a sender that misses one finds the mission at its next poll. Within a process the bell
carries it, between processes PostgreSQL's NOTIFY.
"""

import asyncio

from cloud.foundation.process import Process

CHANNEL = "argus_missions"
"""PostgreSQL's channel. Its notifications have no text."""


class MissionBell:
    """Wakes the senders of this process. Ring it after the commit of a mission."""

    def __init__(self) -> None:
        self._attached: set[asyncio.Event] = set()

    def attach(self) -> asyncio.Event:
        """Return an event that each ring sets."""
        rung = asyncio.Event()
        self._attached.add(rung)
        return rung

    def ring(self, _text: str = "") -> None:
        for rung in self._attached:
            rung.set()


def mission_bell_of(_process: Process) -> MissionBell:
    """Create the bell of a process. Call it as `process.shared(mission_bell_of)`."""
    return MissionBell()
