"""The gateway, put together: links → sessions → buffer → uplink, with the crew's page and the control socket beside
them.

The composition root: the only place that reads settings into parts, and the owner of the one TaskGroup under which all
of them run. A part that fails is recorded and started again (`keep_running`). A store that can no longer be trusted is
exchanged by the buffer for a spare one; while there is none, devices are served without confirmation and the crew page
says that nothing is recorded.

Stopping is a sequence, not a storm: no new links, devices are released in order, what they sent last is committed, the
uplink gets a moment to bring it away and says that we are gone, then the store closes. Each step has a deadline, the
whole stays far below systemd's patience.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from gateway.buffer import Buffer, StoreFull
from gateway.buffer.segments import FetchedSegment
from gateway.console.ble_view import bluetooth_json
from gateway.console.control import ControlServer, ControlUnusable
from gateway.console.device_view import report_json
from gateway.console.status import (
    Json,
    base_json,
    devices_json,
    port_json,
    session_json,
    set_aside_json,
    store_json,
    uplink_json,
)
from gateway.crew import CrewApp, CrewStatus
from gateway.crew.session import session_key
from gateway.crew.tablet import tablet_key
from gateway.health import Heartbeat, Notifier, StoreHealth
from gateway.live import LiveFeed
from gateway.part_settings import buffer_settings, clock_policy, manager_settings, own_system_id, uplink_settings
from gateway.security.crew_pin import CrewPin, CrewPinUnusable
from gateway.security.identity import Identity, IdentityUnusable
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.association.session import AssociationSession, Surroundings
from gateway.sessions.association.supervisor import Served, Supervisor, keep_running
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.policy import ClockRules
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.devices.acceptance import Acceptance
from gateway.sessions.devices.claims import Claims
from gateway.sessions.devices.known_devices import known_devices
from gateway.sessions.devices.report import DeviceReports
from gateway.sessions.devices.report_writer import ReportWriter
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.sessions.session import Session
from gateway.sessions.tracing import Taps
from gateway.settings import CrewSection, Settings
from gateway.sync.uplink import Uplink
from gateway.transports.ble.backend import BleBackendUnusable
from gateway.transports.clock import Clock, SystemClock
from gateway.transports.link import Link
from gateway.transports.serial_port import SerialPort
from gateway.transports.tcp import TcpListener
from protocols.uplink.gaps import GapReason

if TYPE_CHECKING:
    from gateway.bluetooth import Bluetooth

RELEASE_ALL_S = 4.0
"""All devices are released at once, each within the session's RELEASE_S; beyond this their links are cut."""
FLUSH_S = 2.0
"""How long stopping waits for the cloud to acknowledge the last batches; the rest is sent at the next start."""
FAREWELL_S = 2.0
"""How long the uplink may take to say that we are gone; then the broker's will says it."""
PART_WAIT_S_MAX = 60.0
"""The longest wait before a part beside the devices (the crew page, the uplink's loop) is started again."""
GAPS_EVERY_S = 10.0
"""How often the gap records are counted for people; each is opened for it."""
LOOK_EVERY_S = 1.0
"""Interval at which a contested identity and an exchanged store are checked."""

log = structlog.get_logger()


class Gateway:
    """One run of the gateway. `tcp` has the listener's address once `run` serves."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, notifier: Notifier | None = None) -> None:
        self._settings = settings
        self._clock = TrustedClock(clock or SystemClock())
        self._notifier = notifier or Notifier({})
        self._time = Timekeeping(self._clock)
        self._heartbeat = Heartbeat(self._clock, self._notifier)
        self._store_health = StoreHealth(self._clock)
        self._began_s = self._clock.monotonic_s()
        self.live = LiveFeed()
        self.taps = Taps()
        self.roster = Roster()
        self.reports = DeviceReports(self.roster.is_verified)
        self.tcp: TcpListener | None = None
        self._gaps = self._quarantined = 0
        self._set_aside: list[Json] = []
        self._epoch = ""
        self._fetched: list[FetchedSegment] = []
        self._bluetooth: Bluetooth | None = None
        self._bluetooth_unusable = ""

    async def run(self, stop: asyncio.Event, serving: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop` is set, then end in order; `serving` is called once everything is up. Raises
        `IdentityUnusable`, `BufferUnusable` (only when another process writes to the store), `GatewayRuns`."""
        settings = self._settings
        identity = Identity.load(settings.identity_dir)
        if identity.gateway != settings.gateway.id:
            raise IdentityUnusable(
                f"{settings.identity_dir} is the identity of {identity.gateway}, not of {settings.gateway.id}. "
                "Nothing was started, since two names would share one chain. Correct [gateway] id or state_dir."
            )
        identity.seal()
        self.buffer = await Buffer.serve(
            settings.store_path,
            gateway=settings.gateway.id,
            key=identity.store_key,
            settings=buffer_settings(settings),
            clock=self._clock,
            witness=settings.buffer.witness_file,
        )
        try:
            with suppress(StoreFull):  # there is no store now; `_follow_store` reads a later one
                await self._remember()
            await self._compose(identity)
            await self._listen()
            async with self._answering():
                await self._serve(identity, stop, serving)
        finally:
            await asyncio.shield(self._close())

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Serve requests of the command line. On a disk that takes no socket there are none, and the devices are
        still served."""
        try:
            async with self._control().listening():
                yield
        except ControlUnusable as error:
            log.error("control.not_listening", why=str(error))
            yield

    def _control(self) -> ControlServer:
        bluetooth = self._bluetooth
        return ControlServer(
            self._settings.control_path,
            {"status": self._status, "devices": self._devices, "ports": self._ports, "ble": self._ble},
            self.taps,
            about={"device": self._device, "accept": self._accept, "revoke": self._revoke},
            conversations={} if bluetooth is None else bluetooth.desk.conversations,
        )

    async def _remember(self) -> None:
        """Take up what earlier runs learned: the time, the devices, their configurations."""
        self._epoch = self.buffer.epoch
        await self._time.load(self.buffer)
        self.reports.load(await self.buffer.device_reports())
        self._fetched = await self.buffer.fetched_segments()
        rows = sorted(await self.buffer.devices(), key=lambda each: each.last_seen_us)
        self.roster.load(
            [(each.system_id, each.config_id, each.octets) for each in await self.buffer.configurations()],
            known_devices(rows, self.reports.find, await self.buffer.ble_devices()),
        )

    async def _compose(self, identity: Identity) -> None:
        settings = self._settings
        self._journal = Journal(self.buffer, self._clock, self.buffer)
        self._report_writer = ReportWriter(self.reports, self.buffer, self._clock)
        clocks = DeviceClocks()
        self._memory = SegmentIntake(self.buffer, clocks, self._journal)
        self._memory.load(self._fetched)
        around = Surroundings(
            system_id=own_system_id(settings.gateway.id),
            store=self.buffer,
            roster=self.roster,
            live=self.live,
            clocks=clocks,
            clock=self._clock,
            claims=Claims(self._clock, self.roster),
            journal=self._journal,
            taps=self.taps,
            manager=manager_settings(settings.devices, settings.clocks),
            clock_rules=ClockRules(clock_policy(settings.clocks)),
            memory=self._memory,
            reports=self.reports,
        )

        def new_session(link: Link, number: int) -> AssociationSession:
            return AssociationSession(link, number, around)

        self._supervisor = Supervisor(self._sources(), new_session, self._clock, self._journal)
        self._acceptance = Acceptance(self.roster, self.buffer, self._journal, self._clock, lambda: self._sessions)
        self._bluetooth = await self._compose_bluetooth(around)
        self._uplink: Uplink | None = None
        if settings.mqtt is not None:
            self._uplink = Uplink(
                self.buffer,
                identity,
                uplink_settings(settings.mqtt, identity),
                self._clock,
                tenant=settings.gateway.tenant,
                gateway=settings.gateway.id,
                software=f"argus-gateway {version('argus')}",
                archive=self.buffer,
            )

    async def _compose_bluetooth(self, around: Surroundings) -> "Bluetooth | None":
        """None where none is wanted, or where its stack cannot even be loaded: that is told, and no reason not to serve
        what is on a wire."""
        settings = self._settings
        if settings.bluetooth is None:
            return None
        # Only here: a vehicle without Bluetooth need not carry its stack and its services in memory.
        from gateway.bluetooth import composed

        try:
            return await composed(settings, around, self.buffer, self._supervisor.next_number)
        except BleBackendUnusable as error:
            self._bluetooth_unusable = error.diagnosis
            log.error("ble.unusable", why=error.diagnosis)
            return None

    async def _listen(self) -> None:
        """Listen before anybody is told that we serve. A taken address is no reason not to serve the other links: the
        supervisor goes on trying."""
        if self.tcp is None:
            return
        try:
            await self.tcp.start()
        except OSError as error:
            log.error("tcp.not_listening", address=self.tcp.name, why=error.strerror)

    def _sources(self) -> list[Served]:
        settings = self._settings
        sources = [
            Served(SerialPort(str(port.path), port.baud, port.framing, clock=self._clock)) for port in settings.serial
        ]
        if settings.tcp is not None:
            self.tcp = TcpListener(settings.tcp.listen.host, settings.tcp.listen.port)
            sources.append(Served(self.tcp, settings.tcp.sessions_max))
        return sources

    async def _serve(self, identity: Identity, stop: asyncio.Event, serving: Callable[[], None]) -> None:
        await self._journal.write("gateway.started", None, software=version("argus"), epoch=self.buffer.epoch)
        parts: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("heartbeat", self._heartbeat.run),
            ("store", self.buffer.keep),
            ("memory", self._follow_store),
            ("recovery", self.buffer.recover_set_aside),
            ("look", self._look),
            ("clock", lambda: self._time.follow(self.buffer, self._clock_changed)),
            ("clock kept", lambda: self._time.persist(self.buffer, self._store_health.answered)),
            ("gaps", self._count_gaps),
            ("reports", self._report_writer.run),
            ("journal", self._journal.run),
        ]
        if self._bluetooth is not None:
            parts += self._bluetooth.parts
        if self._settings.crew is not None:
            crew = self._settings.crew
            parts.append(("crew", lambda: self._crew(identity, crew)))
        async with asyncio.TaskGroup() as group:
            sessions = group.create_task(self._supervisor.run())
            uplink = self._uplink
            sending = group.create_task(self._part("uplink", uplink.run)) if uplink is not None else None
            beside = [group.create_task(self._part(name, part)) for name, part in parts]
            asked = group.create_task(_until(stop))
            serving()
            self._notifier.ready()
            await asked
            self._notifier.stopping()
            await self._end_sessions(sessions)
            if sending is not None:
                await self._flush(sending)
            for task in (sessions, *beside, *([] if sending is None else [sending])):
                task.cancel()

    async def _part(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        await keep_running(name, part, self._clock, self._journal, PART_WAIT_S_MAX)

    async def _end_sessions(self, sessions: asyncio.Task[None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_ALL_S):
                releases = [self._supervisor.release_all()]
                if self._bluetooth is not None:
                    releases.append(self._bluetooth.release_all())
                await asyncio.gather(*releases)
                await asyncio.wait([sessions])
        sessions.cancel()
        await asyncio.wait([sessions])
        await self._journal.close()
        await self._journal.write("gateway.stopped", None)

    async def _flush(self, sending: asyncio.Task[None]) -> None:
        """Give the uplink a moment for what was committed last, then let it say goodbye."""
        uplink = self._uplink
        assert uplink is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                while uplink.state.connected and any(mark.backlog_batches for mark in self.buffer.marks().values()):
                    await self._clock.sleep_until(self._clock.monotonic_s() + 0.02)
        sending.cancel()
        await asyncio.wait([sending], timeout=FAREWELL_S)

    async def _follow_store(self) -> None:
        """Follow a store that was mounted late, or a spare one: load its facts, and store those that only memory
        holds."""
        while True:
            if self.buffer.epoch not in ("", self._epoch):
                with suppress(StoreFull):
                    await self._remember()
                    self._memory.load(self._fetched)
                    if self._bluetooth is not None:
                        await self._bluetooth.follow(self.buffer)
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)

    async def _look(self) -> None:
        """Record when another gateway claims our identity."""
        contested = False
        while True:
            was, contested = contested, self._uplink is not None and self._uplink.state.contested
            if contested and not was:
                await self._journal.write("gateway.identity_contested", None)
            await self._clock.sleep_until(self._clock.monotonic_s() + LOOK_EVERY_S)

    def _clock_changed(self) -> None:
        if self._uplink is not None:
            self._uplink.clock_changed()

    async def _count_gaps(self) -> None:
        """Count lost data and set-aside stores. Retention only removes batches that the cloud has, which is no loss."""
        while True:
            with suppress(StoreFull):  # no store now: what was counted last still holds
                self._gaps = sum(each.gap.why is not GapReason.RETENTION for each in await self.buffer.gaps())
                self._quarantined = await self.buffer.quarantined()
            self._set_aside = [set_aside_json(each) for each in await asyncio.to_thread(self.buffer.set_aside)]
            await self._clock.sleep_until(self._clock.monotonic_s() + GAPS_EVERY_S)

    async def _crew(self, identity: Identity, section: CrewSection) -> None:
        """The crew's page. Without a PIN there is none, and that is said once, not every five seconds."""
        try:
            pin = CrewPin.load(self._settings.pin_path)
        except CrewPinUnusable as error:
            log.error("crew.unusable", why=str(error))
            return
        page = CrewApp(
            live=self.live,
            status=self._crew_status,
            pin=pin,
            key=session_key(identity.store_key, pin.text),
            tablet_key=tablet_key(identity.store_key),
            vehicle=self._settings.gateway.vehicle,
            host=section.listen.host,
            port=section.listen.port,
            clock=self._clock,
            boots=self._time.boots,
            host_names=frozenset(name.lower() for name in section.host_names),
        )
        try:
            await page.start()
            await page.close_overdue_connections()
        finally:
            await page.stop()

    def _crew_status(self) -> CrewStatus:
        marks = self.buffer.marks().values()
        return CrewStatus(
            online=self._uplink is not None and self._uplink.state.connected,
            backlog=sum(mark.backlog_observations for mark in marks),
            acknowledged=sum(mark.acked for mark in marks),
            store_ok=self.buffer.store_state == "ok" and not self._store_health.hangs,
            recording=self.buffer.store_state != "full",
            gaps=self._gaps,
            set_aside=len(self._set_aside),
        )

    async def _status(self) -> Json:
        now_s = self._clock.monotonic_s()
        return {
            **base_json(self._settings, epoch=self.buffer.epoch, clock=self._clock, marks=self.buffer.marks()),
            "running": True,
            "uptime_s": round(now_s - self._began_s, 1),
            "store": store_json(
                self.buffer,
                gaps=self._gaps,
                quarantined=self._quarantined,
                set_aside=self._set_aside,
                silent_s=self._store_health.silent_s,
            ),
            "event_loop": {"longest_stall_s": round(self._heartbeat.longest_stall_s, 3)},
            "uplink": None if self._uplink is None else uplink_json(self._uplink.state),
            "captures": self.taps.listeners,
            "bluetooth": self._bluetooth_status(),
            "sessions": [session_json(session, now_s) for session in self._sessions],
        }

    @property
    def _sessions(self) -> list[Session]:
        return [*self._supervisor.sessions, *(self._bluetooth.sessions if self._bluetooth is not None else ())]

    def _bluetooth_status(self) -> Json | None:
        if self._bluetooth is not None:
            return self._bluetooth.status()
        wanted = self._settings.bluetooth
        return None if wanted is None else bluetooth_json(wanted[1].adapter, self._bluetooth_unusable, [])

    async def _ble(self) -> Json:
        if self._bluetooth is not None:
            return await self._bluetooth.answer()
        return {"bluetooth": False, "why": self._bluetooth_unusable or None}

    async def _devices(self) -> Json:
        return {"devices": devices_json(self.roster.devices(), self._sessions)}

    async def _ports(self) -> Json:
        supervisor, now_s = self._supervisor, self._clock.monotonic_s()
        return {
            "ports": [
                port_json(port, supervisor.watch.noise_on(port), supervisor.sessions, now_s)
                for port in supervisor.ports
            ]
        }

    async def _device(self, system_id: str) -> Json:
        report = self.reports.find(system_id)
        if report is None:
            return {"report": None}
        octets = None if report.config_id is None else self.roster.find(bytes.fromhex(system_id), report.config_id)
        return {"report": report_json(report, octets, self._sessions)}

    async def _accept(self, system_id: str) -> Json:
        return {"changed": await self._acceptance.accept(system_id)}

    async def _revoke(self, system_id: str) -> Json:
        return {"changed": await self._acceptance.revoke(system_id)}

    async def _close(self) -> None:
        """The last durable writes, whatever ended us."""
        if self.buffer.failure is None:
            with suppress(Exception):
                await self._time.write(self.buffer)
                await self._report_writer.write(all_of_them=True)
        await self.buffer.close()


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()
