"""A gateway's uplink for tests: a real store in a folder, a real identity, and timeouts of tenths of a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings, create_store
from gateway.security.identity import Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.lane_window import WindowSettings
from gateway.sync.uplink import Commands, Uplink, UplinkSettings
from gateway.transports.clock import SystemClock
from protocols.uplink.lanes import Lane
from protocols.uplink.reconnection import ReconnectSettings
from tests.builders.uplink_blocks import numeric_section
from tests.harness.broker import GATEWAY, TENANT, Broker

IMPATIENT = WindowSettings(ack_timeout_s=0.4, missing_after_s=0.05)
SOON = ReconnectSettings(first_s=0.05, cap_s=0.2, least_s=0.01, settled_after_s=0.5)
SMALL_STORE = BufferSettings(reserve_bytes=65_536, batch_s=0.0, commit_interval_s=0.001)


@dataclass(slots=True)
class TestGateway:
    """A gateway's open store, and its identity (its keys)."""

    __test__ = False

    folder: Path
    buffer: Buffer
    identity: Identity

    def uplink(
        self,
        broker: Broker,
        *,
        window: WindowSettings = IMPATIENT,
        tenant: str = TENANT,
        password_file: Path | None = None,
        commands: Commands | None = None,
    ) -> Uplink:
        """Return an uplink from this store to the broker; it is not running yet."""
        settings = UplinkSettings(
            mqtt_url=broker.url,
            username=self.identity.gateway,
            password_file=password_file or broker.password_file(self.identity.gateway),
            status_every_s=30.0,
            ask_again_s=0.3,
            reconnect=SOON,
            window=window,
        )
        clock = TrustedClock(SystemClock(), disciplined=lambda: 1)
        return Uplink(
            self.buffer, self.identity, settings, clock, tenant=tenant, gateway=self.identity.gateway, commands=commands
        )

    async def measure(self, batches: int, *, first: int = 0) -> None:
        """Append `batches` commits of three numerics each, numbered from `first`, and wait after each commit until it
        is durable."""
        for number in range(first, first + batches):
            await self.buffer.append_sections([numeric_section(3, first=3 * number)])

    def acked(self, lane: Lane = Lane.NUMERIC) -> int:
        return self.buffer.marks()[lane].acked

    def last(self, lane: Lane = Lane.NUMERIC) -> int:
        return self.buffer.marks()[lane].last

    def all_acked(self, lane: Lane = Lane.NUMERIC) -> bool:
        return self.acked(lane) == self.last(lane) > 0


@asynccontextmanager
async def gateway_store(
    folder: Path, *, gateway: str = GATEWAY, identity: Identity | None = None, settings: BufferSettings = SMALL_STORE
) -> AsyncIterator[TestGateway]:
    """Open the store and the identity in `folder`, which are created if absent; close the store at the end."""
    clock = SystemClock()
    folder.mkdir(parents=True, exist_ok=True)
    if identity is None:
        where = folder / "identity"
        identity = Identity.load(where) if where.exists() else Identity.create(where, gateway)
    path = folder / "buffer.sqlite"
    if not path.exists():
        create_store(path, gateway=gateway, key=identity.store_key, now_us=clock.wall_us())
    buffer = await Buffer.open(path, gateway=gateway, key=identity.store_key, settings=settings, clock=clock)
    try:
        yield TestGateway(folder, buffer, identity)
    finally:
        await buffer.close()


@asynccontextmanager
async def sending(uplink: Uplink) -> AsyncIterator[Uplink]:
    """Run the uplink until the block ends. If the uplink has failed by then, raise its error."""
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
