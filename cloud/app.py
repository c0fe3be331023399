"""The cloud put together: which slices there are, what runs in a process, and in what order it stops.

`serve` runs everything in one process; `--only` splits it by role, since the parts meet in the database alone. Stopping
is a request (SIGTERM), then a deadline, then cancellation: first nothing new is accepted, then ingest finishes the
group in hand and answers it, the relay its event, and the database is closed last.
"""

import asyncio
import gc
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

import structlog

from cloud.access import apps, audit, identity, oauth, standing, tenancy, tokens
from cloud.access.audit import Audit
from cloud.access.identity.lockout import FailureStore
from cloud.access.identity.sessions import SessionStore
from cloud.access.oauth.redemption import sweep_codes
from cloud.access.tokens.place import load_master_key
from cloud.clinical import assignments, devices, epcr, incidents, observations
from cloud.clinical.devices import DeviceSilence
from cloud.foundation import events, http
from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.db.statistics import refresh_statistics
from cloud.foundation.errors import DomainError
from cloud.foundation.events import Outbox, Relay
from cloud.foundation.health import BrokerCheck, Check, DatabaseCheck, StoppingCheck
from cloud.foundation.housekeeping import WATCHES_EVERY_S, Chore, Housekeeping
from cloud.foundation.http.idempotency import sweep_keys
from cloud.foundation.http.rate_store import sweep_rates
from cloud.foundation.http.spans import sweep_spans
from cloud.foundation.ids import Ids, UlidIds
from cloud.foundation.integrity import IntegrityWatch, integrity_sampler
from cloud.foundation.observability.heartbeat import Heartbeat, make_heartbeat
from cloud.foundation.observability.metrics import Metrics, MetricsServer, Sampler
from cloud.foundation.observability.samplers import broker_sampler, events_sampler, revocation_sampler
from cloud.foundation.observability.service_manager import notify
from cloud.partners import webhooks
from cloud.partners.webhooks import DeliveryWorker
from cloud.roles import Role
from cloud.settings import MqttSection, Settings, SettingsUnusable
from cloud.surface import Surface, make_surface
from cloud.vehicles import custody, fleet, ingest
from cloud.vehicles.fleet import GatewaySilence, ingest_group
from cloud.vehicles.fleet.broker_directory import BrokerDirectory, BrokerUpkeep, RevocationListCheck, expiry_of
from cloud.vehicles.fleet.broker_login import cloud_login
from cloud.vehicles.ingest import BrokerAddress, IngestSettings, QuotaSettings, RunningIngest, make_ingest
from cloud.vehicles.ingest.broker_control import RightsLink
from cloud.vehicles.ingest.samplers import ingest_sampler, left_out_sampler

log = structlog.get_logger()

SLICES: tuple[ModuleType, ...] = (
    tenancy,
    fleet,
    devices,
    incidents,
    epcr,
    assignments,
    events,
    ingest,
    observations,
    custody,
    standing,
    apps,
    identity,
    oauth,
    tokens,
    audit,
    http,
    webhooks,
)
"""Every capability of the cloud, each a folder. Importing them declares all tables on `foundation.db.metadata`."""

# Longer than a commit of a full group and a slow request together, shorter than systemd's patience (90 s).
STOP_S_MAX = 20.0


@dataclass(frozen=True)
class Parts:
    """What the roles of this process need. None: the role is not played here."""

    integrity: IntegrityWatch
    surface: Surface | None
    ingest: RunningIngest | None
    relay: Relay | None
    deliveries: DeliveryWorker | None
    housekeeping: Housekeeping | None
    watches: Housekeeping | None
    upkeep: BrokerUpkeep | None
    metrics: MetricsServer | None


def build(
    settings: Settings,
    roles: Collection[Role],
    database: Database,
    clock: Clock,
    ids: Ids,
    stopping: asyncio.Event,
    heartbeat: Heartbeat,
) -> Parts:
    """Wire the parts; nothing has started. Raises `SettingsUnusable` when a role lacks its section."""
    integrity = IntegrityWatch(database, clock)
    checks: list[Check] = [DatabaseCheck(database), integrity, StoppingCheck(stopping)]
    metrics = Metrics()
    samplers: list[tuple[str, Sampler]] = [
        ("event loop", heartbeat.sample),
        ("integrity", integrity_sampler(integrity)),
        ("events", events_sampler(database, Outbox(ids))),
        ("ingest", ingest_sampler(database)),
        ("webhooks", webhooks.webhooks_sampler(database, clock)),
    ]
    running = None
    if Role.INGEST in roles and settings.mqtt is not None:
        limits = IngestSettings(quotas=QuotaSettings(**settings.ingest.model_dump()))
        running = make_ingest(database, ingest_address(settings, settings.mqtt), clock, ids, limits)
        source = running.source
        checks.append(BrokerCheck(lambda: source.connected))
        if settings.broker is not None:
            checks.append(RevocationListCheck(settings.broker.directory, clock))
        samplers.append(("broker", broker_sampler(lambda: source.connected)))
        samplers.append(("broker queue", left_out_sampler(lambda: source.left_out)))
    elif Role.INGEST in roles and len(roles) == 1:
        raise SettingsUnusable("([mqtt] is required to ingest.)")
    surface = None
    if Role.API in roles:
        if settings.hosts is None:
            raise SettingsUnusable(
                "([hosts.auth], [hosts.api], [hosts.sandbox] and [hosts.docs] are required to serve.)"
            )
        surface = make_surface(settings, database, clock, ids, checks, metrics)
    relay = deliveries = housekeeping = watching = upkeep = None
    if Role.WORKER in roles:
        deliveries = webhooks.make_worker(settings, database, clock, ids)
        relay = Relay(database, Outbox(ids), webhooks.subscribers(clock, ids), clock, deliveries.wake)
        housekeeping = Housekeeping(database, clock, chores(clock))
        watching = Housekeeping(database, clock, watches(settings, clock, ids), WATCHES_EVERY_S)
        if settings.broker is not None:
            folder = settings.broker.directory
            login = None if settings.mqtt is None else cloud_login(settings.mqtt)
            directory = BrokerDirectory(database, clock, lambda: load_master_key(settings), folder, login)
            rights = None if settings.mqtt is None else RightsLink(broker_address(settings.mqtt))
            upkeep = BrokerUpkeep(directory, clock, rights)
            samplers.append(("broker directory", revocation_sampler(lambda: expiry_of(folder), clock.now_us)))
    figures = None if settings.metrics is None else MetricsServer(metrics, settings.metrics.listen, samplers)
    return Parts(integrity, surface, running, relay, deliveries, housekeeping, watching, upkeep, figures)


def chores(clock: Clock) -> Sequence[Chore]:
    """List the expiring rows of the slices' tables."""
    return (
        Chore("idempotency_keys", sweep_keys),
        Chore("rate_buckets", sweep_rates),
        Chore("spans", sweep_spans),
        Chore("audit_entries", Audit(clock).sweep),
        Chore("outbox_events", Outbox(UlidIds(clock)).sweep),
        Chore("authorization_codes", sweep_codes),
        Chore("sign_in_sessions", SessionStore().sweep),
        Chore("sign_in_failures", FailureStore().sweep),
        *webhooks.chores(),
    )


def watches(settings: Settings, clock: Clock, ids: Ids) -> Sequence[Chore]:
    """What somebody waits for."""
    now_us, gateway_us, device_us = clock.now_us(), settings.silence.gateway_us, settings.silence.device_us
    return (
        Chore("silent_gateways", GatewaySilence(ids, gateway_us).tell, now_us + gateway_us),
        Chore("silent_devices", DeviceSilence(ids, device_us).tell, now_us + device_us),
        *webhooks.watches(clock, ids),
        # Once a look: where our account does not own a table, PostgreSQL leaves it out with no more than a warning.
        Chore("statistics", refresh_statistics, repeats=False),
    )


def broker_address(mqtt: MqttSection) -> BrokerAddress:
    """Where ingest connects, with the password read from its file. Raises `SettingsUnusable`."""
    login = cloud_login(mqtt)
    return BrokerAddress(
        url=mqtt.url,
        username=mqtt.username if login is None else login.username,
        password=None if login is None else login.password,
        ca_file=None if mqtt.ca_file is None else str(mqtt.ca_file),
    )


def ingest_address(settings: Settings, mqtt: MqttSection) -> BrokerAddress:
    """The broker address of ingest, with the installation's group. A lost master key stops no batch: the worker is then
    in a group of its own, where it receives every batch instead of its share. Raises `SettingsUnusable`."""
    address = broker_address(mqtt)
    try:
        return replace(address, group=ingest_group(load_master_key(settings)))
    except DomainError as error:
        log.error("ingest.group_unknown", code=error.code)
        return address


async def serve(settings: Settings, roles: Collection[Role], clock: Clock | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises `DomainError` when it cannot start."""
    clock = clock or SystemClock()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    heartbeat = make_heartbeat(clock)
    # From the first moment to the last: the watchdog also watches the end.
    beating = asyncio.create_task(heartbeat.run(), name="heartbeat")
    try:
        await _serve(settings, roles, clock, stopping, heartbeat)
    finally:
        beating.cancel()


async def _serve(
    settings: Settings, roles: Collection[Role], clock: Clock, stopping: asyncio.Event, heartbeat: Heartbeat
) -> None:
    database = await open_database(settings.database_url)
    try:
        parts = build(settings, roles, database, clock, UlidIds(clock), stopping, heartbeat)
        try:
            if parts.metrics is not None:
                await parts.metrics.start()
            if parts.surface is not None:
                await parts.surface.tokens.start()
                await parts.surface.server.start()
            await _run(parts, stopping)
            log.info("cloud.stopped")
        finally:
            if parts.surface is not None:
                await parts.surface.server.stop()
            if parts.metrics is not None:
                await parts.metrics.stop()
    finally:
        await database.close()


async def _run(parts: Parts, stopping: asyncio.Event) -> None:
    """Everything at once until a stop is asked for; a part that fails ends them all, and the supervisor starts anew."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(parts.integrity.run(stopping), name="integrity")]
        if parts.relay is not None:
            running.append(tasks.create_task(parts.relay.run(stopping), name="relay"))
        if parts.deliveries is not None:
            running.append(tasks.create_task(parts.deliveries.run(stopping), name="deliveries"))
        if parts.housekeeping is not None:
            running.append(tasks.create_task(parts.housekeeping.run(stopping), name="housekeeping"))
        if parts.watches is not None:
            running.append(tasks.create_task(parts.watches.run(stopping), name="watches"))
        if parts.upkeep is not None:
            running.append(tasks.create_task(parts.upkeep.run(stopping), name="broker-upkeep"))
        finishing = asyncio.Event()  # set when the last request was answered
        if parts.surface is not None:
            running.append(tasks.create_task(parts.surface.spans.run(finishing), name="spans"))
            if parts.surface.limits is not None:
                running.append(tasks.create_task(parts.surface.limits.run(finishing), name="limits"))
        ingesting = None
        if parts.ingest is not None:
            ingesting = tasks.create_task(parts.ingest.run(), name="ingest")
            running.append(ingesting)
            # What the start left in memory stays to the end. Each group of decoded observations looks like growth to
            # the collector, which would walk all of that again: full collections cost decoding half of its speed
            # (tests/bench/decode.py). So it is cleaned once and then left out.
            gc.collect()
            gc.freeze()
        log.info("cloud.started", parts=[task.get_name() for task in running])
        notify("READY=1")
        await stopping.wait()
        log.info("cloud.stop_requested")
        notify("STOPPING=1")
        if parts.surface is not None:
            await parts.surface.server.stop()
        finishing.set()
        if ingesting is not None:
            ingesting.cancel()  # it finishes and answers the group that it is writing
        if running:
            _, late = await asyncio.wait(running, timeout=STOP_S_MAX)
            for task in late:
                log.warning("cloud.part_cancelled", part=task.get_name())
                task.cancel()
