"""Runs one gateway: links, sessions, buffer and uplink, with the crew's page and the control socket.

All parts run in one TaskGroup. A part that fails is recorded and started again (`keep_running`). Without a store,
devices stay connected, confirmed reports are not acknowledged, and the crew page shows that nothing is recorded.

Stopping is a sequence: accept no new links, release the devices, commit their last reports, let the uplink send these
and publish that the gateway is offline, then close the store. Each step has a deadline. The sum of the deadlines is far
below systemd's time-out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import structlog

from gateway.buffer import Buffer, StoreFull
from gateway.composition import Parts, buffer_settings, compose, compose_bluetooth, handover_parts
from gateway.console.console import Console
from gateway.console.control import ControlUnusable
from gateway.crew import CrewApp
from gateway.crew.local_name import LocalName
from gateway.crew.server_certificate import ServerCertificates, machine_names, network_addresses
from gateway.epcr.call_observations import CallObservations
from gateway.health import Heartbeat, Notifier, StoreHealth
from gateway.live import LiveFeed
from gateway.security.crew_members import CrewMembers
from gateway.security.crew_pin import CrewPin, CrewPinUnusable
from gateway.security.identity import Identity, IdentityUnusable
from gateway.security.vehicle_authority import AuthorityUnusable, VehicleAuthority, is_loopback, mdns_hosts
from gateway.sessions.association.supervisor import keep_running
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import BUILD_US, TrustedClock
from gateway.settings import CrewSection, Settings
from gateway.sync.uplink import Uplink
from gateway.transports.clock import Clock, SystemClock
from gateway.transports.tcp import TcpListener

RELEASE_ALL_S = 4.0
"""Time to release all devices at once, each within the session's RELEASE_S; then their links are cut."""
FLUSH_S = 2.0
"""Time that stopping waits for the cloud to acknowledge the last batches; the rest is sent after the next start."""
FAREWELL_S = 2.0
"""Time for the uplink to publish that the gateway is offline; then the broker publishes the will."""
PART_WAIT_S_MAX = 60.0
"""The longest wait before a part beside the devices (the crew page, the uplink's loop) is started again."""
CONTEST_EVERY_S = 1.0
"""Interval at which a contested identity is checked."""

log = structlog.get_logger()


class Gateway:
    """One run of the gateway. `buffer`, `tcp` and `console` are set before `run` calls `serving`."""

    buffer: Buffer
    console: Console

    def __init__(self, settings: Settings, *, clock: Clock | None = None, notifier: Notifier | None = None) -> None:
        self._settings = settings
        self._clock = TrustedClock(clock or SystemClock())
        self._notifier = notifier or Notifier({})
        self._time = Timekeeping(self._clock)
        self._heartbeat = Heartbeat(self._clock, self._notifier)
        self._store_health = StoreHealth(self._clock)
        self._began_s = self._clock.monotonic_s()
        self.live = LiveFeed()
        self.tcp: TcpListener | None = None

    async def run(self, stop: asyncio.Event, serving: Callable[[], None] = lambda: None) -> None:
        """Run the gateway until `stop` is set, then stop its parts in order. `serving` is called once all parts have
        started. Raises `IdentityUnusable` and `GatewayRuns`. Raises `BufferUnusable` only where another process writes
        to the store."""
        settings = self._settings
        identity = Identity.load(settings.identity_dir)
        if identity.gateway != settings.gateway.id:
            raise IdentityUnusable(
                f"{settings.identity_dir} is the identity of {identity.gateway}, not of {settings.gateway.id}. "
                "Nothing was started, since two names would share one chain. Correct [gateway] id or state_dir."
            )
        identity.seal()
        self.buffer = await Buffer.open(
            settings.store_path,
            gateway=settings.gateway.id,
            key=identity.store_key,
            settings=buffer_settings(settings),
            clock=self._clock,
            witness=settings.buffer.witness_file,
            serving=True,
        )
        parts = compose(settings, identity, self.buffer, self._clock, timekeeping=self._time, live=self.live)
        try:
            with suppress(StoreFull):  # there is no store now; the follower loads a later one
                await parts.follower.load()
            await compose_bluetooth(settings, parts)
            self.tcp = parts.tcp
            self.console = Console(settings, parts, self._heartbeat, self._store_health, self._began_s)
            await self._listen()
            async with self._serving_console():
                await self._serve(identity, parts, stop, serving)
        finally:
            await asyncio.shield(self._close(parts))

    @asynccontextmanager
    async def _serving_console(self) -> AsyncIterator[None]:
        """Listen on the control socket inside the block. The block runs even where the socket cannot be made."""
        try:
            async with self.console.server().listening():
                yield
        except ControlUnusable as error:
            log.error("control.not_listening", why=str(error))
            yield

    async def _listen(self) -> None:
        """Listen on TCP before `serving` is called. An address in use is only logged: the other links work, and the
        supervisor retries."""
        if self.tcp is None:
            return
        try:
            await self.tcp.start()
        except OSError as error:
            log.error("tcp.not_listening", address=self.tcp.name, why=error.strerror)

    async def _serve(self, identity: Identity, parts: Parts, stop: asyncio.Event, serving: Callable[[], None]) -> None:
        buffer, uplink, bluetooth = parts.buffer, parts.uplink, parts.bluetooth
        await parts.journal.record("gateway.started", None, software=version("argus"), epoch=buffer.epoch)

        async def follow_exchange() -> None:
            if bluetooth is not None:
                await bluetooth.follow(buffer)

        def change_clock() -> None:
            if uplink is not None:
                uplink.announce_clock()

        loops: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("heartbeat", self._heartbeat.run),
            ("store", buffer.keep),
            ("memory", lambda: parts.follower.follow(follow_exchange)),
            ("recovery", buffer.archive.run),
            ("look", lambda: _watch_contest(parts)),
            ("clock", lambda: self._time.follow(buffer, change_clock)),
            ("clock kept", lambda: self._time.persist(buffer, self._store_health.note_response)),
            ("gaps", parts.follower.count),
            ("reports", parts.history_writer.run),
            ("journal", parts.journal.run),
            ("drafts", parts.drafts.follow),
            ("descriptions", parts.context.descriptions.run),
        ]
        if bluetooth is not None:
            loops += bluetooth.parts
        if self._settings.crew is not None:
            crew = self._settings.crew
            loops.append(("crew", lambda: self._serve_crew(identity, crew, parts)))
            if crew.mdns and not is_loopback(crew.listen.host):
                loops.append(("local name", self._local_name(crew).run))

        async def keep(name: str, loop: Callable[[], Awaitable[None]]) -> None:
            await keep_running(name, loop, self._clock, parts.journal, PART_WAIT_S_MAX)

        async with asyncio.TaskGroup() as group:
            sessions = group.create_task(parts.supervisor.run())
            sending = None if uplink is None else group.create_task(keep("uplink", uplink.run))
            beside = [group.create_task(keep(name, loop)) for name, loop in loops]
            stopping = group.create_task(_wait(stop))
            serving()
            self._notifier.ready()
            await stopping
            self._notifier.stopping()
            await _end_sessions(parts, sessions)
            if uplink is not None and sending is not None:
                await self._flush(buffer, uplink, sending)
            for task in (sessions, *beside, *([] if sending is None else [sending])):
                task.cancel()

    async def _flush(self, buffer: Buffer, uplink: Uplink, sending: asyncio.Task[None]) -> None:
        """Cut the open batches, wait at most FLUSH_S until the cloud has acknowledged all batches, then stop the
        uplink."""
        with suppress(TimeoutError, StoreFull):
            async with asyncio.timeout(FLUSH_S):
                await buffer.flush()
                while uplink.state.connected and any(mark.backlog_batches for mark in buffer.marks().values()):
                    await self._clock.sleep_until(self._clock.monotonic_s() + 0.02)
        sending.cancel()
        await asyncio.wait([sending], timeout=FAREWELL_S)

    async def _serve_crew(self, identity: Identity, section: CrewSection, parts: Parts) -> None:
        """Run the crew page until cancelled. Without a usable PIN, log that and return."""
        try:
            pin = CrewPin.load(self._settings.pin_path)
        except CrewPinUnusable as error:
            log.error("crew.unusable", why=str(error))
            return
        names = frozenset(section.host_names)
        tls = None
        if not is_loopback(section.listen.host):
            try:
                tls = self._server_certificates(identity, names)
            except (AuthorityUnusable, OSError) as error:
                log.error("crew.unusable", why=str(error))
                return
        page = CrewApp(
            live=self.live,
            status=self.console.crew_status,
            pin=pin,
            members=CrewMembers(identity.secrets),
            store_key=identity.store_key,
            vehicle=self._settings.gateway.vehicle,
            host=section.listen.host,
            port=section.listen.port,
            clock=self._clock,
            boots=self._time.boots,
            store=parts.buffer,
            host_names=names,
            lock_after_s=section.lock_after_s,
            drafts=parts.drafts,
            missions=parts.missions,
            observations=CallObservations(parts.buffer, parts.drafts, lambda: self._time.boots.anchors),
            handover=handover_parts(self._settings, identity, parts, lambda: self._time.boots.anchors),
            pairing=self.console.pairing_parts(),
            tls=tls,
        )
        try:
            await page.start()
            async with asyncio.TaskGroup() as group:
                group.create_task(page.serve())
                if tls is not None:
                    group.create_task(tls.run())
        finally:
            await page.stop()

    def _local_name(self, section: CrewSection) -> LocalName:
        return LocalName(
            mdns_hosts(),
            gateway=self._settings.gateway.id,
            port=section.listen.port,
            clock=self._clock,
            addresses=network_addresses,
        )

    def _server_certificates(self, identity: Identity, names: frozenset[str]) -> ServerCertificates:
        """Return the certificates of the crew page. A vehicle of an earlier version gets its authority now."""
        names |= machine_names()
        authority = VehicleAuthority.load(identity.secrets)
        if authority is None:
            authority = VehicleAuthority.create(
                identity.secrets, self._settings.gateway.vehicle, names, now_us=self._clock.wall_us(), built_us=BUILD_US
            )
            log.warning("crew.authority_made", fingerprint=authority.fingerprint)
        return ServerCertificates(authority, names, self._clock)

    async def _close(self, parts: Parts) -> None:
        """Store the state of the clock and the device histories if the store works. Then close the store, however the
        run ended."""
        if self.buffer.failure is None:
            with suppress(Exception):
                await self._time.write(self.buffer)
                await parts.history_writer.write(all_of_them=True)
        await self.buffer.close()


async def _watch_contest(parts: Parts) -> None:
    """Record an event each time that another gateway begins to claim this gateway's identity. Never returns."""
    contested = False
    while True:
        was, contested = contested, parts.uplink is not None and parts.uplink.state.contested
        if contested and not was:
            await parts.journal.record("gateway.identity_contested", None)
        await parts.clock.sleep_until(parts.clock.monotonic_s() + CONTEST_EVERY_S)


async def _end_sessions(parts: Parts, sessions: asyncio.Task[None]) -> None:
    """Release all devices within RELEASE_ALL_S, then record that the gateway stopped."""
    with suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_ALL_S):
            releases = [parts.supervisor.release_all()]
            if parts.bluetooth is not None:
                releases.append(parts.bluetooth.release_all())
            await asyncio.gather(*releases)
            await asyncio.wait([sessions])
    sessions.cancel()
    await asyncio.wait([sessions])
    await parts.journal.close()
    await parts.journal.record("gateway.stopped", None)


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()
