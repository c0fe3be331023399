"""`argus-cloud doctor`: examine the installation, print what is wrong, and how to repair it."""

import shutil
import stat
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cloud.access.retention import RetentionStore, StorageRecord, project
from cloud.access.tokens import SigningKeyStore, master_key_finding
from cloud.clinical.observations import AHEAD_LEAST, ObservationsSection, days_ahead, may_add_days
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, SqliteAddress, Transaction, open_database, read_address
from cloud.foundation.errors import DomainError
from cloud.foundation.events import Outbox
from cloud.foundation.findings import Finding, Level
from cloud.foundation.http import HostSection, HostsSection, HttpSection, is_loopback
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import load_master_key
from cloud.foundation.objects import examine_store, object_place_of, object_store_of
from cloud.foundation.observability import MetricsSection
from cloud.foundation.settings import Settings
from cloud.integrity_findings import integrity_findings
from cloud.step_findings import revision_sentence, step_findings
from cloud.vehicles.erasure import erasure_findings
from cloud.vehicles.fleet import (
    DESCRIPTORS,
    IN_FLIGHT_MESSAGES_MAX,
    RELOAD_FILE,
    RIGHTS_FILE,
    AuthorityStore,
    BrokerSection,
    MqttSection,
    RabbitmqSection,
    expiry_sentence,
)
from cloud.vehicles.ingest import (
    BrokerConnection,
    BrokerUnavailable,
    IngestFigures,
    IngestSettings,
    broker_address,
    broker_rights,
    examine_processes,
    examine_rabbitmq,
    read_figures,
    staged_findings,
)
from cloud.vehicles.packing import packing_findings
from cloud.work.jobs import job_findings
from cloud.work.provenance_keys import provenance_key_finding
from cloud.work.schedules import schedule_findings
from cloud.work.tree_heads import tree_head_findings

# With less room, the database's log and a backup no longer fit beside a day of batches.
DISK_FREE_OCTETS_LEAST = 1 << 30
LARGE_KINDS = ("waveforms", "batches")
"""Kinds of data of which most of the database consists."""
BROKER_S_MAX = 5.0
RELOAD_S_MAX = 60.0
"""Greatest age of the file that requests a reload. systemd reacts to it within a second, so it missed an older one."""


async def examine(settings: Settings, clock: Clock, ids: Ids) -> list[Finding]:
    """Examine every part of the installation. A broken part does not prevent the examination of the others."""
    findings = [finding async for finding in _database(settings, clock, ids)]
    findings.extend(await integrity_findings(settings))
    findings.extend(_files(settings))
    findings.append(await _objects(settings, ids))
    findings.extend(await _staged(settings, clock))
    if settings.find(RabbitmqSection) is not None:
        findings.extend(await examine_rabbitmq(settings))
    else:
        findings.append(await _broker(settings.find(MqttSection)))
        findings.extend(await examine_processes(settings))
        findings.extend(await _broker_rights(settings))
        findings.append(_broker_directory(settings, clock))
        findings.extend(_mosquitto_limits())
    findings.extend(_hosts(settings))
    findings.extend(_proxy(settings))
    findings.append(_metrics(settings))
    return findings


async def _database(settings: Settings, clock: Clock, ids: Ids) -> AsyncIterator[Finding]:
    try:
        database = await open_database(settings.database_url)
    except DomainError as error:
        yield Finding("database", Level.FAULT, error.sentence)
        return
    try:
        async with database.read() as tx:
            waiting, parked = await Outbox(ids).backlog(tx)
        newer = await revision_sentence(database)
        yield Finding("database", Level.OK, f"Reachable and migrated ({database.dialect}).{newer}")
        for finding in await step_findings(database, clock):
            yield finding
        for finding in await erasure_findings(database, clock):
            yield finding
        for finding in await job_findings(database, clock):
            yield finding
        for finding in await schedule_findings(database, clock):
            yield finding
        after_days = settings.section(ObservationsSection).compact_after_days
        has_objects = object_place_of(settings) is not None
        for finding in await packing_findings(database, clock, after_days, has_objects=has_objects):
            yield finding
        async with database.read() as tx:
            ahead, may_add = await days_ahead(tx, clock.now_us()), await may_add_days(tx)
        if not may_add:
            sentence = (
                "The account may not add partitions, so numerics stay single rows, which take several times the room. "
                "Grant it CREATE on the schema, and make it the owner of the tables."
            )
            yield Finding("partitions", Level.WARNING, sentence)
        elif ahead is not None:
            yield _partitions(ahead)
        if parked:
            yield Finding("events", Level.WARNING, f"{parked} events could not be handed on and were parked.")
        else:
            yield Finding("events", Level.OK, f"{waiting} events wait to be handed on.")
        async with database.read() as tx:
            yield _ingest(await read_figures(tx))
        async with database.read() as tx:
            yield await _growth(tx, settings)
            yield await _unlimited(tx)
        for gateway_id in await _ambiguous_gateways(database):
            sentence = (
                f"More than one tenant has a gateway {gateway_id}: the broker admits neither; "
                "register all but one under another id."
            )
            yield Finding("gateways", Level.FAULT, sentence)
        if settings.find(HostsSection) is not None:
            yield await _signing_keys(settings, database)
            yield await master_key_finding(settings, database)
            yield await provenance_key_finding(settings, database)
            for finding in await tree_head_findings(settings, database, clock):
                yield finding
    except DomainError as error:
        yield Finding("database", Level.FAULT, error.sentence)
    finally:
        await database.close()


def _partitions(ahead: int) -> Finding:
    if ahead < AHEAD_LEAST:
        sentence = (
            f"Partitions of observations exist for {ahead} days ahead. A process with the worker role adds them; does "
            "one run, and may its account create tables?"
        )
        return Finding("partitions", Level.WARNING, sentence)
    return Finding("partitions", Level.OK, f"Partitions of observations exist for {ahead} days ahead.")


def _ingest(figures: IngestFigures) -> Finding:
    if figures.lanes_missing:
        sentence = f"Published batches of {figures.lanes_missing} lanes never arrived; see `argus-cloud ingest lanes`."
        return Finding("ingest", Level.WARNING, sentence)
    if figures.gateways_over_quota:
        sentence = (
            f"{figures.gateways_over_quota} gateways are over a quota, {figures.parked_batches} batches are parked; "
            "see `argus-cloud ingest quotas`."
        )
        return Finding("ingest", Level.WARNING, sentence)
    return Finding("ingest", Level.OK, "No gateway is over its quota, and no published batch is missing.")


async def _signing_keys(settings: Settings, database: Database) -> Finding:
    try:
        master = load_master_key(settings)
        async with database.read() as tx:
            keys = await SigningKeyStore().list(tx)
        current = next((key for key in keys if key.is_current), None)
        if current is None:
            return Finding("signing keys", Level.OK, "None yet; the first start of the api role makes them.")
        current.private(master)
    except DomainError as error:
        return Finding("signing keys", Level.FAULT, error.sentence)
    return Finding("signing keys", Level.OK, f"{current.kid} signs, and the master key opens it.")


def _files(settings: Settings) -> list[Finding]:
    findings = []
    address = read_address(settings.database_url)
    if isinstance(address, SqliteAddress):
        findings.append(_private(address.path, "database file", "patients' values"))
        findings.append(_room(address.path.parent))
    mqtt = settings.find(MqttSection)
    if mqtt is not None and mqtt.password_file is not None:
        findings.append(_private(mqtt.password_file, "broker password", "a password"))
    return findings


async def _staged(settings: Settings, clock: Clock) -> list[Finding]:
    try:
        return await staged_findings(object_store_of(settings), clock)
    except DomainError:  # the finding of the object store has the reason
        return []


async def _objects(settings: Settings, ids: Ids) -> Finding:
    try:
        store = object_store_of(settings)
    except DomainError as error:
        return Finding("objects", Level.FAULT, error.sentence)
    return await examine_store(store, ids)


def _private(path: Path, part: str, holds: str) -> Finding:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Finding(part, Level.FAULT, f"{path} cannot be looked at: {error.strerror}.")
    if stat.S_IMODE(mode) & 0o077:
        return Finding(part, Level.FAULT, f"{path} holds {holds} and others may read it; run chmod 600 on it.")
    return Finding(part, Level.OK, f"{path} is ours alone.")


def _room(folder: Path) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("disk", Level.FAULT, f"{folder} cannot be looked at: {error.strerror}.")
    if free < DISK_FREE_OCTETS_LEAST:
        return Finding(
            "disk", Level.WARNING, f"Only {free >> 20} MB are free in {folder}; make room before it is full."
        )
    return Finding("disk", Level.OK, f"{free >> 30} GB are free in {folder}.")


async def _growth(tx: Transaction, settings: Settings) -> Finding:
    """Project from the daily sizes of the database when its disk is full."""
    address = read_address(settings.database_url)
    free = shutil.disk_usage(address.path.parent).free if isinstance(address, SqliteAddress) else None
    found = project(await StorageRecord().recent(tx), free)
    if found is None:
        return Finding(
            "growth", Level.OK, "The worker records the size of the data daily; the growth is known tomorrow."
        )
    per_day = f"{abs(found.bytes_per_day) >> 20} MB a day over {found.days} days"
    if found.bytes_per_day <= 0:
        return Finding(
            "growth", Level.OK, f"The data have {found.size_bytes >> 20} MB and did not grow in {found.days} days."
        )
    grew = f"The data have {found.size_bytes >> 20} MB and grew by {per_day}"
    if found.full_in_days is None:
        return Finding("growth", Level.OK, f"{grew}; compare this with the free space of the PostgreSQL server.")
    grew += f", so at this rate the disk is full in {found.full_in_days} days"
    if not found.is_short:
        return Finding("growth", Level.OK, f"{grew}.")
    return Finding("growth", Level.WARNING, f"{grew}; add space, or shorten periods with argus-cloud retention set.")


async def _unlimited(tx: Transaction) -> Finding:
    """Warn of data from vehicles that are kept without end, as those of tenants from before retention existed."""
    store = RetentionStore()
    tenants = {kind: count for kind in LARGE_KINDS if (count := await store.unlimited_tenants(tx, kind))}
    if not tenants:
        return Finding("retention", Level.OK, "Every tenant has a retention period for waveforms and batches.")
    named = ", ".join(f"{kind} of {count} tenants" for kind, count in tenants.items())
    sentence = f"Kept without end: {named}. The database grows until a period is set: argus-cloud retention set."
    return Finding("retention", Level.WARNING, sentence)


async def _broker(mqtt: MqttSection | None) -> Finding:
    if mqtt is None:
        return Finding("broker", Level.WARNING, "No [mqtt] is set, so nothing comes from the vehicles.")
    try:
        connection = await BrokerConnection.open(
            broker_address(mqtt),
            client_id="argus-doctor",
            settings=IngestSettings(connect_s=BROKER_S_MAX),
            heard=_nothing,
        )
    except DomainError as error:
        return Finding("broker", Level.FAULT, error.sentence)
    except BrokerUnavailable as error:
        return Finding("broker", Level.FAULT, f"{mqtt.url}: {error}; is it running? Do user name and password fit?")
    await connection.close()
    if connection.receive_max < IN_FLIGHT_MESSAGES_MAX:
        sentence = (
            f"{mqtt.url} has at most {connection.receive_max} messages in flight to each client, so a fleet costs the "
            f"cloud several times as much; run argus-cloud broker config again and restart mosquitto "
            f"(max_inflight_messages {IN_FLIGHT_MESSAGES_MAX})."
        )
        return Finding("broker", Level.WARNING, sentence)
    return Finding("broker", Level.OK, f"{mqtt.url} lets us in.")


async def _broker_rights(settings: Settings) -> list[Finding]:
    """Check that mosquitto's dynamic-security plugin responds, if the settings have both `[mqtt]` and `[broker]`."""
    mqtt = settings.find(MqttSection)
    if mqtt is None or settings.find(BrokerSection) is None:
        return []
    try:
        async with broker_rights(broker_address(mqtt)) as rights:
            known = await rights.clients()
    except DomainError as error:
        return [Finding("broker rights", Level.FAULT, error.sentence)]
    except BrokerUnavailable as error:
        sentence = (
            f"{mqtt.url}: {error}. Run argus-cloud broker config and broker refresh again and restart "
            "mosquitto; without its dynamic-security plugin it would not judge the subscriptions of vehicles."
        )
        return [Finding("broker rights", Level.FAULT, sentence)]
    return [Finding("broker rights", Level.OK, f"mosquitto judges every request; {len(known)} gateways have rights.")]


async def _ambiguous_gateways(database: Database) -> Sequence[str]:
    async with database.read() as tx:
        return await AuthorityStore().ambiguous(tx)


def _broker_directory(settings: Settings, clock: Clock) -> Finding:
    broker = settings.find(BrokerSection)
    if broker is None:
        return Finding(
            "broker lists",
            Level.WARNING,
            "No [broker] is set: the cloud refuses a gateway that is shut out, but the broker still admits it.",
        )
    folder = broker.directory
    if not (folder / RIGHTS_FILE).exists():
        sentence = (
            f"{folder} has no {RIGHTS_FILE}, so mosquitto admits neither the cloud nor a vehicle after its next start; "
            "run argus-cloud broker refresh, and restart mosquitto if it runs already."
        )
        return Finding("broker lists", Level.FAULT, sentence)
    if (folder / RELOAD_FILE).exists() and _age_s(folder / RELOAD_FILE) > RELOAD_S_MAX:
        sentence = f"mosquitto has not read the latest lists in {folder}; is argus-broker-reload.path enabled?"
        return Finding("broker lists", Level.WARNING, sentence)
    due = expiry_sentence(folder, clock.now_us())
    if due is not None:
        expired, sentence = due
        return Finding("broker lists", Level.FAULT if expired else Level.WARNING, sentence)
    return Finding("broker lists", Level.OK, f"mosquitto reads {folder}.")


def _mosquitto_limits(processes: Path = Path("/proc")) -> Iterator[Finding]:
    """Yield a warning for each mosquitto process whose limit of open files, and so of connections, is below
    `DESCRIPTORS`."""
    for comm in processes.glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() != "mosquitto":
                continue
            limits = comm.with_name("limits").read_text()
        except OSError:
            continue
        line = next((each for each in limits.splitlines() if each.startswith("Max open files")), "")
        numbers = [int(word) for word in line.split() if word.isdecimal()]
        if len(numbers) == 2 and numbers[0] < min(DESCRIPTORS, numbers[1]):
            sentence = (
                f"mosquitto may open {numbers[0]} files, so about as many vehicles can connect and the others cannot; "
                "install the drop-in of argus-cloud broker config."
            )
            yield Finding("broker limits", Level.WARNING, sentence)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0  # mosquitto has just read the lists, so the file was removed


def _nothing(*_: object) -> None:
    """Do nothing: the doctor subscribes to no topic, so no message arrives."""


def _hosts(settings: Settings) -> list[Finding]:
    hosts = settings.find(HostsSection)
    if hosts is None:
        return [Finding("hosts", Level.WARNING, "No [hosts] are set, so `serve` can only ingest or work.")]
    plain = [
        host.public_url for host in (hosts.auth, hosts.api, hosts.sandbox, hosts.docs) if _is_plain(host.public_url)
    ]
    if plain:
        return [Finding("hosts", Level.WARNING, f"{', '.join(plain)}: tokens would travel without TLS; use https.")]
    return [Finding("hosts", Level.OK, "All public addresses are https or on this machine.")]


def _proxy(settings: Settings) -> list[Finding]:
    """Check whether clients come through a reverse proxy that `http.trusted_proxies` does not name."""
    hosts = settings.find(HostsSection)
    if hosts is None:
        return []
    proxies = settings.section(HttpSection).trusted_proxies
    if proxies:
        named = ", ".join(proxies)
        return [Finding("proxy", Level.OK, f"{named} may name the client's address in X-Forwarded-For.")]
    if not any(_is_behind_proxy(host) for host in (hosts.auth, hosts.api, hosts.sandbox, hosts.docs)):
        return [Finding("proxy", Level.OK, "Clients connect directly, so the connection names their address.")]
    sentence = (
        "The hosts listen on this machine alone and are known by other addresses, so clients come through a proxy, "
        "but http.trusted_proxies is empty: all clients count as one address for limits. Set trusted_proxies to the "
        "proxy's address, and let the proxy set X-Forwarded-For."
    )
    return [Finding("proxy", Level.WARNING, sentence)]


def _is_behind_proxy(host: HostSection) -> bool:
    return is_loopback(str(host.listen)) and not is_loopback(urlsplit(host.public_url).netloc)


def _is_plain(public_url: str) -> bool:
    return public_url.startswith("http:") and not public_url.startswith(
        ("http://127.", "http://localhost", "http://[::1]")
    )


def _metrics(settings: Settings) -> Finding:
    metrics = settings.find(MetricsSection)
    if metrics is None:
        return Finding("metrics", Level.OK, "No [metrics] are set, so no figures are offered.")
    listen = metrics.listen
    if not is_loopback(str(listen)):
        sentence = f"{listen} tells the figures of all tenants to whoever reaches it; keep it on a network of your own."
        return Finding("metrics", Level.WARNING, sentence)
    return Finding("metrics", Level.OK, f"Figures are offered at http://{listen}/metrics, to this machine alone.")
