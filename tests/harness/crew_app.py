"""The crew page's server on a free port, without the rest of the gateway."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from gateway.crew import CrewApp, CrewStatus
from gateway.crew.ended_sessions import SmallStore
from gateway.crew.handover import HandoverParts
from gateway.crew.languages import Language
from gateway.crew.pairing import PairingParts
from gateway.crew.server_certificate import ServerCertificates
from gateway.epcr.call_observations import CallObservations
from gateway.epcr.drafts import Drafts
from gateway.epcr.missions import Missions
from gateway.live import LiveFeed
from gateway.security.crew_members import CrewMember, CrewMembers
from gateway.security.crew_pin import CrewPin
from gateway.security.secret_store import SecretStore
from gateway.transports.clock import SystemClock
from protocols.epcr.crew_role import CrewRole
from tests.harness.moved_clock import MovedClock

PIN = "204060"
STORE_KEY = b"k" * 32
PARAMEDIC = CrewMember(id="usr_17", name="Anna Nowak", role=CrewRole.PARAMEDIC, pin="170017")
ALL_SENT = CrewStatus(online=True, backlog=0, acknowledged=7, store_ok=True, recording=True, gaps=0, set_aside=0)


class SentEvents:
    """The number of events that the gateway has sent on the newest live stream, so that a test can wait until the page
    has handled them."""

    def __init__(self) -> None:
        self.count = 0
        self._streams = 0

    async def counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the messages of `stream`. Its events are counted from 0 until a newer stream begins."""
        self._streams += 1
        number, self.count = self._streams, 0
        async for message in stream:
            if number == self._streams:
                self.count += message.count(b"\n\n")
            yield message


class FixedMembers(CrewMembers):
    """Crew members that a test chose, without a file."""

    def __init__(self, members: Sequence[CrewMember]) -> None:
        super().__init__(SecretStore(Path("/nonexistent"), STORE_KEY, gateway="gw_test"))
        self.chosen = {each.id: each for each in members}

    def all(self) -> Mapping[str, CrewMember]:
        return self.chosen


class CountedCrewApp(CrewApp):
    """The crew page's server, which counts the events that it sends in `sent`."""

    def __init__(self, sent: SentEvents, **options: Any) -> None:
        super().__init__(**options)
        self._sent = sent

    def events(self, wanted: Sequence[str], words: Language, *, twelve: bool) -> AsyncIterator[bytes]:
        return self._sent.counted(super().events(wanted, words, twelve=twelve))


async def enter_pin(page: Page, url: str) -> None:
    """Open the crew page at `url` and sign in with the PIN on the keypad."""
    await page.goto(url)
    for digit in PIN:
        await page.get_by_role("button", name=digit, exact=True).click()
    await page.get_by_role("button", name="Enter").click()
    await page.wait_for_url(f"{url}/")


def new_crew_app(
    feed: LiveFeed | None = None,
    *,
    status: CrewStatus | Callable[[], CrewStatus] = ALL_SENT,
    clock: SystemClock | MovedClock | None = None,
    store: SmallStore | None = None,
    host_names: frozenset[str] = frozenset(),
    sent: SentEvents | None = None,
    members: Sequence[CrewMember] | CrewMembers = (),
    lock_after_s: float = 300.0,
    drafts: Drafts | None = None,
    missions: Missions | None = None,
    observations: CallObservations | None = None,
    handover: HandoverParts | None = None,
    pairing: PairingParts | None = None,
    tls: ServerCertificates | None = None,
) -> CountedCrewApp:
    """Make the crew page's server on a free port.

    Without `feed` the page has no values; `status` is the gateway state that it shows. `host_names` are the accepted
    values of the Host header besides the machine's own names. `sent` counts the events of the live stream. `members`
    are the crew members, whose sessions are locked `lock_after_s` after their last use. Without `drafts` and
    `observations` there are no reports, and without `pairing` no pairing. `tls`: serve it over TLS.
    """
    return CountedCrewApp(
        sent or SentEvents(),
        live=feed or LiveFeed(),
        status=status if callable(status) else lambda: status,
        pin=CrewPin(PIN),
        members=members if isinstance(members, CrewMembers) else FixedMembers(members),
        store_key=STORE_KEY,
        vehicle="AMB-42",
        host="127.0.0.1",
        port=0,
        clock=clock or SystemClock(),
        store=store,
        host_names=host_names,
        lock_after_s=lock_after_s,
        drafts=drafts,
        missions=missions,
        observations=observations,
        handover=handover,
        pairing=pairing,
        tls=tls,
    )


@asynccontextmanager
async def serving(app: CrewApp) -> AsyncIterator[str]:
    """Serve the crew page; yield its address."""
    await app.start()
    serving = asyncio.create_task(app.serve())
    try:
        yield f"http://127.0.0.1:{app.port}"
    finally:
        serving.cancel()
        await app.stop()


@asynccontextmanager
async def crew_app(feed: LiveFeed | None = None, **options: Any) -> AsyncIterator[str]:
    """Serve the crew page of `new_crew_app` with these options; yield its address."""
    async with serving(new_crew_app(feed, **options)) as url:
        yield url
