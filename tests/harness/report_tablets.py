"""A vehicle with report drafts on the crew's pages, and tablets whose members have signed in."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.buffer import Buffer
from gateway.crew.handover import HandoverParts
from gateway.epcr.call_observations import CallObservations
from gateway.epcr.drafts import Drafts
from gateway.epcr.missions import Missions
from gateway.live import LiveFeed
from gateway.security.crew_members import CrewMember
from gateway.transports.clock import SystemClock
from protocols.epcr.crew_role import CrewRole
from tests.builders.buffer_store import new_store, opened
from tests.builders.report_drafts import drafts_of, missions_of
from tests.harness.crew_app import PARAMEDIC, PIN, CountedCrewApp, new_crew_app, serving
from tests.harness.moved_clock import MovedClock

NURSE = CrewMember(id="usr_19", name="Ewa Zielińska", role=CrewRole.NURSE, pin="190019")
STUDENT = CrewMember(id="usr_20", name="Ola Wiśniewska", role=CrewRole.STUDENT, pin="200020")
MEMBERS = (PARAMEDIC, NURSE, STUDENT)
LOCK_AFTER_S = 6 * 3600.0
"""Longer than the time that a test lets pass."""
ENCOUNTER = "enc_0123456789abcdef0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: its status, and its body as JSON or, where it is no JSON, as text."""

    status: int
    body: Any


class Tablet:
    """A client of the crew's pages on one tablet."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, pin: str = PIN) -> None:
        self.session = session
        self.url = url
        self._pin = pin

    async def sign_in(self, member: CrewMember) -> None:
        for form in ({"pin": self._pin}, {"pin": member.pin, "member": member.id}):
            async with self.session.post(f"{self.url}/sign-in", data=form, allow_redirects=False) as reply:
                assert reply.status == 303

    async def get(self, path: str) -> Reply:
        async with self.session.get(f"{self.url}{path}", allow_redirects=False) as reply:
            return await _read(reply)

    async def post(self, path: str, body: Any, **options: Any) -> Reply:
        async with self.session.post(f"{self.url}{path}", json=body, allow_redirects=False, **options) as reply:
            return await _read(reply)

    async def open_report(self, encounter: str = ENCOUNTER) -> Reply:
        return await self.post("/drafts", {"encounter": encounter})

    async def append(self, *changes: dict[str, Any], encounter: str = ENCOUNTER) -> Reply:
        return await self.post(f"/drafts/{encounter}/changes", {"changes": list(changes)})

    async def record(self, encounter: str = ENCOUNTER) -> dict[str, Any]:
        reply = await self.get(f"/drafts/{encounter}")
        assert reply.status == 200
        found: dict[str, Any] = reply.body
        return found

    async def values(self, key: str, encounter: str = ENCOUNTER) -> list[str | None]:
        record = await self.record(encounter)
        return [each["value"] for field in record["fields"] if field["key"] == key for each in field["shown"]]


@dataclass(frozen=True, slots=True)
class ReportVehicle:
    """A vehicle's store, its drafts, and the server of its pages."""

    app: CountedCrewApp
    buffer: Buffer
    drafts: Drafts
    missions: Missions
    clock: SystemClock | MovedClock
    url: str

    @asynccontextmanager
    async def tablet(self, member: CrewMember | None = PARAMEDIC) -> AsyncIterator[Tablet]:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            tablet = Tablet(session, self.url)
            if member is not None:
                await tablet.sign_in(member)
            yield tablet


@asynccontextmanager
async def report_vehicle(
    folder: Path,
    *,
    clock: SystemClock | MovedClock | None = None,
    members: Sequence[CrewMember] = MEMBERS,
    handover: HandoverParts | None = None,
    feed: LiveFeed | None = None,
) -> AsyncIterator[ReportVehicle]:
    """Serve the crew's pages of a vehicle whose store is in `folder`; an existing store is opened again. `feed`: the
    live values; without it there are none."""
    clock = clock or MovedClock()
    path = folder / "buffer.db"
    async with opened(path if path.exists() else new_store(folder), clock=clock) as buffer:
        drafts = drafts_of(buffer, clock)
        observations = CallObservations(buffer, drafts)
        missions = missions_of(drafts, clock)
        app = new_crew_app(
            feed,
            clock=clock,
            members=members,
            lock_after_s=LOCK_AFTER_S,
            drafts=drafts,
            missions=missions,
            observations=observations,
            handover=handover,
        )
        async with serving(app) as url:
            yield ReportVehicle(app, buffer, drafts, missions, clock, url)


async def _read(reply: aiohttp.ClientResponse) -> Reply:
    text = await reply.text()
    try:
        return Reply(reply.status, json.loads(text))
    except ValueError:
        return Reply(reply.status, text)
