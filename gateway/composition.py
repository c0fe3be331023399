"""Makes the parts of one gateway from the settings, and connects them. Only this module knows all parts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog

from gateway.buffer import Buffer, BufferSettings
from gateway.crew.handover import HandoverParts
from gateway.epcr.drafts import Drafts
from gateway.epcr.handover.handovers import Handovers, pseudonym_key
from gateway.epcr.handover.source import BufferSource
from gateway.epcr.handover.statements import HandoverStatements
from gateway.epcr.missions import Missions, Vehicle
from gateway.epcr.record_writer import RecordWriter
from gateway.live import LiveFeed
from gateway.security.identity import Identity
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.association.session import AssociationSession
from gateway.sessions.association.supervisor import Served, Supervisor
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.policy import ClockPolicy, ClockRules
from gateway.sessions.clocks.timekeeping import Timekeeping
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.acceptance import Acceptance
from gateway.sessions.devices.claims import Claims
from gateway.sessions.devices.description_reporter import DescriptionReporter
from gateway.sessions.devices.histories import DeviceHistories, HistoryWriter
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.sessions.session import Session
from gateway.sessions.tracing import Taps
from gateway.settings import ClocksSection, DevicesSection, MqttSection, Settings
from gateway.store_follower import StoreFollower
from gateway.sync.settings import UplinkSettings
from gateway.sync.uplink import Uplink
from gateway.transports.ble.backend import BleBackendUnusable
from gateway.transports.link import Link
from gateway.transports.serial_port import SerialPort
from gateway.transports.tcp import TcpListener
from protocols.clock_anchor import Anchors
from protocols.device_description import NO_DESCRIPTION, DeviceDescription
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings

if TYPE_CHECKING:
    from gateway.bluetooth import Bluetooth

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Parts:
    """The parts of one running gateway. `uplink` and `bluetooth` are None where the settings do not have them.
    `bluetooth_unusable`: the reason if a configured Bluetooth stack cannot be loaded, else ""."""

    buffer: Buffer
    clock: TrustedClock
    live: LiveFeed
    follower: StoreFollower
    journal: Journal
    drafts: Drafts
    missions: Missions
    history_writer: HistoryWriter
    supervisor: Supervisor
    acceptance: Acceptance
    context: SessionContext
    tcp: TcpListener | None
    uplink: Uplink | None
    bluetooth: "Bluetooth | None" = None
    bluetooth_unusable: str = ""

    @property
    def sessions(self) -> list[Session]:
        """Running sessions of all links: serial and TCP before Bluetooth; each group oldest first."""
        return [*self.supervisor.sessions, *(self.bluetooth.sessions if self.bluetooth is not None else ())]


def compose(
    settings: Settings,
    identity: Identity,
    buffer: Buffer,
    clock: TrustedClock,
    *,
    timekeeping: Timekeeping,
    live: LiveFeed,
) -> Parts:
    """Make every part except Bluetooth, and start none. `compose_bluetooth` adds Bluetooth after the
    store was loaded."""
    journal = Journal(buffer, clock, buffer)
    roster = Roster()
    histories = DeviceHistories(roster.is_verified)
    clocks = DeviceClocks()
    memory = SegmentIntake(buffer, clocks, journal)
    context = SessionContext(
        system_id=own_system_id(settings.gateway.id),
        store=buffer,
        roster=roster,
        live=live,
        clocks=clocks,
        clock=clock,
        claims=Claims(clock, roster),
        journal=journal,
        descriptions=DescriptionReporter(journal, clock),
        taps=Taps(),
        manager=manager_settings(settings.devices, settings.clocks),
        clock_rules=ClockRules(clock_policy(settings.clocks)),
        memory=memory,
        histories=histories,
    )

    def new_session(link: Link, number: int) -> AssociationSession:
        return AssociationSession(link, number, context)

    tcp = None if settings.tcp is None else TcpListener(settings.tcp.listen.host, settings.tcp.listen.port)
    supervisor = Supervisor(_sources(settings, clock, tcp), new_session, clock, journal)
    drafts = Drafts(buffer, clock, sign=identity.signing_key.sign, mission=_mission(settings))
    missions = _missions(settings, drafts, clock)
    sessions: Callable[[], list[Session]] = lambda: parts.sessions  # noqa: E731  it closes over what follows
    parts = Parts(
        buffer=buffer,
        clock=clock,
        live=live,
        follower=StoreFollower(
            buffer,
            clock,
            timekeeping=timekeeping,
            histories=histories,
            roster=roster,
            memory=memory,
            resent=context.resent,
        ),
        journal=journal,
        drafts=drafts,
        missions=missions,
        history_writer=HistoryWriter(histories, buffer, clock),
        supervisor=supervisor,
        acceptance=Acceptance(roster, buffer, journal, clock, sessions),
        context=context,
        tcp=tcp,
        uplink=_uplink(settings, identity, buffer, clock, missions),
    )
    return parts


async def compose_bluetooth(settings: Settings, parts: Parts) -> None:
    """Add Bluetooth to `parts` if the settings name it. If its stack cannot be loaded, log the reason and set
    `parts.bluetooth_unusable` to it."""
    if settings.bluetooth is None:
        return
    # Imported here: a vehicle without Bluetooth need not hold its stack and its services in memory.
    from gateway.bluetooth import compose_bluetooth as compose_stack

    try:
        parts.bluetooth = await compose_stack(settings, parts.context, parts.supervisor.next_number)
    except BleBackendUnusable as error:
        parts.bluetooth_unusable = error.diagnosis
        log.error("ble.unusable", why=error.diagnosis)


def handover_parts(
    settings: Settings, identity: Identity, parts: Parts, anchors: Callable[[], Anchors]
) -> HandoverParts:
    """Return the parts of the hand-over's pages. `anchors` returns those of the machine's boots."""
    zone = ZoneInfo(settings.clocks.zone)

    def describe(system_id: str) -> DeviceDescription:
        history = parts.context.histories.find(system_id)
        return NO_DESCRIPTION if history is None else history.description

    async def note(name: str, encounter: str) -> None:
        await parts.journal.record(name, None, encounter=encounter)

    return HandoverParts(
        handovers=Handovers(
            BufferSource(parts.buffer, anchors),
            tenant=settings.gateway.tenant,
            key=pseudonym_key(identity.store_key),
            now_us=parts.clock.wall_us,
            zone=zone,
        ),
        append=RecordWriter(parts.drafts, parts.clock).append,
        describe=describe,
        note=note,
        zone=zone,
        continued=parts.missions.continued,
        statements=HandoverStatements(
            parts.drafts,
            parts.buffer,
            parts.clock,
            docs_url=None if settings.crew is None else settings.crew.docs_url,
        ),
    )


def _sources(settings: Settings, clock: TrustedClock, tcp: TcpListener | None) -> list[Served]:
    sources = [Served(SerialPort(str(port.path), port.baud, port.framing, clock=clock)) for port in settings.serial]
    if tcp is not None and settings.tcp is not None:
        sources.append(Served(tcp, settings.tcp.sessions_max))
    return sources


def _uplink(
    settings: Settings, identity: Identity, buffer: Buffer, clock: TrustedClock, missions: Missions
) -> Uplink | None:
    if settings.mqtt is None:
        return None
    return Uplink(
        buffer,
        identity,
        uplink_settings(settings.mqtt, identity),
        clock,
        tenant=settings.gateway.tenant,
        gateway=settings.gateway.id,
        software=f"argus-gateway {version('argus')}",
        archive=buffer.archive,
        commands=missions,
    )


def _missions(settings: Settings, drafts: Drafts, clock: TrustedClock) -> Missions:
    names = settings.gateway
    return Missions(
        drafts,
        clock,
        Vehicle(tenant=names.tenant, gateway=names.id, vehicle=names.vehicle),
        keys=[] if settings.mqtt is None else settings.mqtt.mission_keys,
        is_synchronised=lambda: clock.synchronised,
    )


def _mission(settings: Settings) -> dict[str, str]:
    """Return what is known of every mission of this vehicle, by the element that states it."""
    return {
        "call.vehicle": settings.gateway.vehicle,
        "call.software_maker": "Argus",
        "call.software_name": "argus-gateway",
        "call.software_version": version("argus"),
    }


# ---- the settings of the parts, from the operator's file; each part has defaults for the rest


def own_system_id(gateway: str) -> bytes:
    """Return a locally administered system id (EUI-64) for the AARE, derived from the gateway's name."""
    identifier = bytearray(hashlib.sha256(b"argus gateway system id v1\0" + gateway.encode()).digest()[:8])
    identifier[0] = (identifier[0] | 0x02) & 0xFE
    return bytes(identifier)


def manager_settings(devices: DevicesSection, clocks: ClocksSection) -> ManagerSettings:
    """Return the manager's settings: the operator's values, otherwise the standard's defaults."""
    return ManagerSettings(
        accept_standard_configurations=devices.known_configurations,
        clock_read_every_s=float(clocks.read_every_s),
        memory=PmStoreSettings(fetch=devices.fetch_memory, clear=devices.clear_memory),
    )


def uplink_settings(mqtt: MqttSection, identity: Identity) -> UplinkSettings:
    return UplinkSettings(
        mqtt_url=mqtt.url,
        username=mqtt.username,
        password_file=mqtt.password_file,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        read_secret=identity.secrets.take,
    )


def buffer_settings(settings: Settings) -> BufferSettings:
    return BufferSettings(
        retention_s=settings.buffer.retention_h * 3600.0,
        open_records_s=settings.buffer.open_reports_days * 86_400.0,
        disk_budget_bytes=settings.buffer.disk_budget_mb << 20,
    )


def clock_policy(clocks: ClocksSection) -> ClockPolicy:
    return ClockPolicy(
        set_clocks=clocks.set_devices,
        offset_s_max=clocks.offset_s_max,
        pause_s_min=clocks.pause_min * 60.0,
        zone=ZoneInfo(clocks.zone),
    )
