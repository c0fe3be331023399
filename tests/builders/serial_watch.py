"""A line watch (the gateway's check of its serial lines for faults) over the ports of running sessions; the test
triggers each check and reads the recorded events.
"""

import time
from dataclasses import dataclass, field

from gateway.sessions.association.line_watch import LOOK_EVERY_S, LineWatch
from gateway.sessions.journal import Journal
from protocols.uplink.events import GatewayEvent
from tests.builders.gateway_sessions import Sessions
from tests.harness.moved_clock import MovedClock


@dataclass(slots=True)
class EventList:
    """A list that records appended events, in place of the gateway's store."""

    events: list[GatewayEvent] = field(default_factory=list)

    async def append_event(self, event: GatewayEvent) -> None:
        self.events.append(event)


class Watched:
    """A line watch that checks the ports when the test calls `look`. `told` are the names of the recorded events,
    `sentences` the reasons in them."""

    def __init__(self, gateway: Sessions) -> None:
        self.clock = MovedClock(time.monotonic())
        self._store = EventList()
        supervisor = gateway.supervisor
        journal = Journal(self._store, self.clock)
        self._watch = LineWatch(supervisor.ports, lambda: supervisor.sessions, self.clock, journal)

    async def look(self) -> None:
        await self.clock.advance(LOOK_EVERY_S)
        await self._watch.look()

    @property
    def told(self) -> list[str]:
        return [event.name for event in self._store.events]

    @property
    def sentences(self) -> list[str]:
        return [str(event.fields.get("why", "")) for event in self._store.events]
