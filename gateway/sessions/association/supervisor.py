"""Accept links from every source of devices and run a session on each, again and again, whatever fails.

A session that raises is a bug or a failing disk: the error is recorded, and the link is opened again after
BACKOFF_S_MIN to BACKOFF_S_MAX. The delay doubles with each failure and is reset after a session that lasted. A failed
session never stops another device or the gateway.

**Too many connections.** `places` decides which connection is closed. When devices hold all places, the new connection
is closed. But if the new connection proves to be an accepted device, it takes the place of a device that is not
accepted, where there is one. In each case an event records which connection was closed. Closing a replaced connection
may take a second, and the new connection does not wait for that.

`line_watch` detects the faults of a serial line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from gateway.sessions.association.line_watch import LineWatch
from gateway.sessions.association.places import PATIENCE_S, admit, displaced_by, replaced_candidate
from gateway.sessions.association.session import AssociationSession
from gateway.sessions.journal import Journal
from gateway.transports.clock import Clock
from gateway.transports.link import Link, LinkSource
from gateway.transports.serial_port import SerialPort
from protocols.waits import GrowingWait

BACKOFF_S_MIN = 0.1
BACKOFF_S_MAX = 5.0
"""Longest delay before a restart: a crew that plugs a device in again expects it to work within seconds."""
LASTED_S = 10.0
"""Run time after which a session, or a part, was healthy: its next failure counts as a first one."""
CLOSED_BACKOFF_S = 0.05
"""Delay before a link that ended at once (its other end is closed) is opened again: at most twenty times a second."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Served:
    """Source of links and the maximum number of sessions on it. The default is 2, because the previous session of a
    serial port may still be ending when the next one begins."""

    source: LinkSource
    sessions_max: int = 2


@dataclass(frozen=True, slots=True)
class _OpenLinks:
    """Sessions on the links of one source. `places` maps link numbers to the sessions that count against
    `sessions_max`, `candidates` maps them to the sessions that have no such place yet; both oldest first."""

    sessions_max: int
    tasks: asyncio.TaskGroup
    places: dict[int, AssociationSession] = field(default_factory=dict)
    candidates: dict[int, AssociationSession] = field(default_factory=dict)


class RestartWait:
    """Delays between attempts: growing with each failure, reset by an attempt that ran for at least `LASTED_S`."""

    def __init__(self, wait_s_max: float = BACKOFF_S_MAX) -> None:
        self._wait = GrowingWait(BACKOFF_S_MIN, wait_s_max)

    def next_s(self, ran_s: float) -> float:
        """Return the delay in seconds before the next attempt, after an attempt that ran for `ran_s` seconds."""
        if ran_s >= LASTED_S:
            self._wait.reset()
        return self._wait.next_s()


async def keep_running(
    name: str,
    part: Callable[[], Awaitable[None]],
    clock: Clock,
    journal: Journal,
    wait_s_max: float = BACKOFF_S_MAX,
) -> None:
    """Run `part` until it returns. When it raises, record the error and run it again after at most `wait_s_max`."""
    wait = RestartWait(wait_s_max)
    while True:
        began_s = clock.monotonic_s()
        try:
            await part()
        except Exception as error:
            now_s = clock.monotonic_s()
            wait_s = wait.next_s(now_s - began_s)
            # A refusal by the system (an address that is taken) is logged by its reason; anything else is a bug, and is
            # logged by its trace.
            refused = isinstance(error, OSError)
            why = str(error) if refused else type(error).__name__
            log.error("part.failed", part=name, wait_s=wait_s, why=why, exc_info=not refused)
            await journal.record("part.failed", None, part=name, error=type(error).__name__)
            await clock.sleep_until(now_s + wait_s)
        else:
            return


class Supervisor:
    """Supervisor that runs a session on each link of `sources`. Call `release_all` before cancelling `run`, so that the
    sessions end in order."""

    def __init__(
        self,
        sources: Sequence[Served],
        new_session: Callable[[Link, int], AssociationSession],
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._sources = sources
        self._new_session = new_session
        self._clock = clock
        self._journal = journal
        self._sessions: dict[int, AssociationSession] = {}
        self._opened = 0
        self._stopping = False
        self.watch = LineWatch(self.ports, lambda: self.sessions, clock, journal)

    @property
    def ports(self) -> list[SerialPort]:
        return [served.source for served in self._sources if isinstance(served.source, SerialPort)]

    @property
    def sessions(self) -> list[AssociationSession]:
        """The running sessions, oldest first."""
        return list(self._sessions.values())

    def next_number(self) -> int:
        """Return the number of a new link. Other supervisors call this method too, because link numbers are unique in
        the whole gateway."""
        self._opened += 1
        return self._opened

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(keep_running("line watch", self.watch.run, self._clock, self._journal))
            async with asyncio.TaskGroup() as sources:
                for served in self._sources:
                    serve = partial(self._serve, served)
                    sources.create_task(keep_running(served.source.name, serve, self._clock, self._journal))
            watching.cancel()

    async def release_all(self) -> None:
        """Accept no new links, and release every device within RELEASE_S. `run` returns after all sessions have
        recorded their ends."""
        self._stopping = True
        for served in self._sources:
            await served.source.close()
        await asyncio.gather(*(session.release() for session in self.sessions), return_exceptions=True)

    async def _serve(self, served: Served) -> None:
        wait = RestartWait()
        async with asyncio.TaskGroup() as tasks:
            links = _OpenLinks(served.sessions_max, tasks)
            while not self._stopping:
                asked_s = self._clock.monotonic_s()
                try:
                    link = await served.source.accept()
                except OSError as error:
                    # Handled inside the group, so that open links do not end when no further link can be opened.
                    if not self._stopping:
                        now_s = self._clock.monotonic_s()
                        await self._journal.record("source.failed", None, source=served.source.name, why=error.strerror)
                        await self._clock.sleep_until(now_s + wait.next_s(now_s - asked_s))
                    continue
                self._admit(link, links)

    def _admit(self, link: Link, links: _OpenLinks) -> None:
        """Start a session on a new link, or close the link if there is no place for it. If the link replaces another
        session, close that session."""
        room = admit(link.name, links.places.values(), links.sessions_max, self._clock.monotonic_s())
        holders = links.candidates if room.as_candidate else links.places
        displaced = replaced_candidate(link.name, links.candidates.values()) if room.as_candidate else room.displaced
        if displaced is not None:
            del holders[displaced.number]
            links.tasks.create_task(self._displace(displaced))
        if not room.admitted:
            links.tasks.create_task(self._refuse(link, room.why, len(links.places)))
            return
        session = self._new_session(link, self.next_number())
        holders[session.number] = self._sessions[session.number] = session
        running = links.tasks.create_task(self._run(session, links))
        if room.as_candidate:
            judging = links.tasks.create_task(self._judge_candidate(session, links))
            running.add_done_callback(lambda _: judging.cancel())

    async def _judge_candidate(self, candidate: AssociationSession, links: _OpenLinks) -> None:
        """Give the device of a candidate (link without a place) up to `PATIENCE_S` to associate. Then give the
        candidate a place or close its link."""
        with suppress(TimeoutError):
            async with self._clock.timeout_at(candidate.opened_s + PATIENCE_S):
                await candidate.associated.wait()
        if links.candidates.pop(candidate.number, None) is None:
            return
        room = displaced_by(candidate, links.places.values(), links.sessions_max)
        # In separate tasks, because closing the candidate's link ends this task.
        if not room.admitted:
            links.tasks.create_task(self._refuse(candidate.link, room.why, len(links.places)))
            return
        links.places[candidate.number] = candidate
        if room.displaced is not None:
            del links.places[room.displaced.number]
            links.tasks.create_task(self._displace(room.displaced))

    async def _run(self, session: AssociationSession, links: _OpenLinks) -> None:
        """Run one session to its end. An error of the session is recorded and not raised."""
        log.info("link.opened", link=session.link.name, connection=session.number)
        wait_s = CLOSED_BACKOFF_S
        try:
            await session.run()
        except Exception as error:
            wait_s = BACKOFF_S_MIN
            log.exception("session.failed", link=session.link.name)
            await self._journal.record("session.failed", None, link=session.link.name, error=type(error).__name__)
        finally:
            links.places.pop(session.number, None)
            links.candidates.pop(session.number, None)
            self._sessions.pop(session.number, None)
            log.info("link.closed", link=session.link.name, connection=session.number)
        if not self._stopping:
            await self._clock.sleep_until(self._clock.monotonic_s() + wait_s)

    async def _displace(self, session: AssociationSession) -> None:
        await session.link.close()
        await self._journal.record("link.displaced", None, link=session.link.name)

    async def _refuse(self, link: Link, why: str, sessions: int) -> None:
        await link.close()
        await self._journal.record("link.refused", None, link=link.name, why=why, sessions=sessions)
