"""Compose ingest from its parts, run it, and report its state to readiness and metrics."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from cloud.clinical.devices import Devices, SilenceSection
from cloud.clinical.observations import ArrivingMinutes, Numbers, ObservationsSection
from cloud.foundation.arrivals import Installation, Settle
from cloud.foundation.checks import BrokerCheck, Check
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.events import Outbox
from cloud.foundation.garbage import tune_garbage_collector
from cloud.foundation.ids import Ids
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import ObjectStore, object_store_of
from cloud.foundation.process import Process, Role
from cloud.foundation.settings import SettingsUnusable
from cloud.foundation.tracing import Spans, spans_of
from cloud.vehicles.fleet import BrokerSection, MqttSection, RabbitmqSection, RevocationListCheck, ingest_group
from cloud.vehicles.ingest.broker import BrokerAddress, ClusterAddress, broker_address, cluster_address
from cloud.vehicles.ingest.broker_link import BrokerLink
from cloud.vehicles.ingest.group import GroupWriter
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_source import MqttSource
from cloud.vehicles.ingest.numerics_packing import NumericsPacker
from cloud.vehicles.ingest.quotas import QuotaBook
from cloud.vehicles.ingest.samplers import broker_sampler, ingest_sampler, left_out_sampler
from cloud.vehicles.ingest.service import Ingest
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.staging import Stage
from cloud.vehicles.ingest.take_over import TakeOvers
from cloud.vehicles.ingest.take_up import TakeUp
from cloud.vehicles.ingest.waveform_packing import WaveformPacker
from cloud.vehicles.missions import MissionBell, MissionKeys, MissionSender, mission_bell_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunningIngest:
    """The parts of ingest in one process, connected to one broker."""

    source: BrokerLink
    ingest: Ingest
    take_up: TakeUp
    take_overs: TakeOvers | None = None
    """None with RabbitMQ, where the worker ends the connections of gateways that it may not admit."""
    missions: MissionSender | None = None
    """None without a master key, with which missions are signed."""

    async def run(self) -> None:
        """Receive, store and acknowledge batches until cancelled; reconnect after the broker or the database is lost.
        On cancellation the loop `ingest.run` ends before the other tasks: it commits and acknowledges its current group
        while those tasks keep the broker connection open."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.source.run(), name="ingest-broker")
            if self.take_overs is not None:
                tasks.create_task(self.take_overs.run(), name="ingest-take-overs")
            tasks.create_task(self.take_up.run(), name="ingest-take-up")
            if self.missions is not None:
                tasks.create_task(self.missions.run(self.source.send), name="ingest-missions")
            await self.ingest.run(self.source, self.source)

    def unready(self) -> str | None:
        """Return why batches cannot arrive at the moment, or None."""
        return None if self.source.connected else f"the broker is not connected ({self.source.last_error})"

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Run until `stopping` is set; then store and acknowledge the group that is being written, and return."""
        tune_garbage_collector()
        async with asyncio.TaskGroup() as tasks:
            ingesting = tasks.create_task(self.run(), name="ingest")
            await stopping.wait()
            ingesting.cancel()


def make_ingest(
    database: Database,
    broker: BrokerAddress | ClusterAddress,
    clock: Clock,
    ids: Ids,
    settings: IngestSettings | None = None,
    objects: ObjectStore | None = None,
    spans: Spans | None = None,
    master: Callable[[], MasterKey] | None = None,
    bell: MissionBell | None = None,
) -> RunningIngest:
    """Compose ingest from its parts without starting it. The kind of `broker` chooses the source of batches. Waveforms
    are packed into `objects`; None: they get rows. `spans` records the traced batches. `master` loads the master key;
    None: no missions are sent. `bell` wakes the sender of missions; None: it polls only."""
    settings = settings or IngestSettings()
    devices, outbox, numbers, quotas = Devices(ids), Outbox(ids), Numbers(), QuotaBook(settings.quotas)
    minutes = ArrivingMinutes(settings.minutes_after_days) if settings.minutes_after_days else None
    writer = GroupWriter(devices=devices, outbox=outbox, numbers=numbers, clock=clock, quotas=quotas, minutes=minutes)
    in_cluster = isinstance(broker, ClusterAddress)
    stage = None if objects is None else Stage(objects, database, clock, ids, settings, lanes_move=in_cluster)
    moved = _leave if stage is None else stage.settled.forget
    source: BrokerLink
    if isinstance(broker, ClusterAddress):
        from cloud.vehicles.ingest.amqp_source import AmqpSource  # loads aio-pika, which other set-ups do not need

        source, take_overs = AmqpSource(broker, clock=clock, settings=settings, moved=moved), None
    else:
        source = MqttSource(broker, clock=clock, settings=settings, moved=moved)
        take_overs = TakeOvers(broker)
    shut_out = _leave_to_worker if take_overs is None else take_overs.request
    return RunningIngest(
        source=source,
        ingest=Ingest(
            database=database,
            writer=writer,
            clock=clock,
            packer=None if objects is None else WaveformPacker(objects, clock, ids),
            settings=settings,
            shut_out=shut_out,
            spans=spans,
            stage=stage,
            removes=True,
            numerics=None
            if objects is None or minutes is None
            else NumericsPacker(database, objects, clock, ids, minutes),
        ),
        take_up=TakeUp(database=database, devices=devices, outbox=outbox, numbers=numbers, quotas=quotas, clock=clock),
        take_overs=take_overs,
        missions=None if master is None else MissionSender(database, clock, MissionKeys(master), bell),
    )


def settle_of(installation: Installation) -> Settle:
    """Return the function that writes the rows of staged batches: by the ingest of this process, if it has one. It does
    not depend on the own settings, since those of the process that stages may differ; without staged batches it takes
    one look-up. That of a console command reports batches whose rows cannot be written; a process logs them, and
    `doctor` names them."""
    if isinstance(installation, Process):
        running = installation.shared(_running)
        return installation.shared(_bare_ingest).settle if running is None else running.ingest.settle
    return _bare_ingest(installation).settle_or_report


def _bare_ingest(installation: Installation) -> Ingest:
    """Make an ingest that receives nothing, to write what others have staged."""
    clock, ids = installation.clock, installation.ids
    settings = IngestSettings(quotas=installation.settings.section(IngestSection))
    objects = object_store_of(installation.settings)
    return Ingest(
        database=installation.database,
        writer=GroupWriter(
            devices=Devices(ids),
            outbox=Outbox(ids),
            numbers=Numbers(),
            clock=clock,
            quotas=QuotaBook(settings.quotas),
        ),
        clock=clock,
        packer=None if objects is None else WaveformPacker(objects, clock, ids),
        settings=settings,
        stage=None if objects is None else Stage(objects, installation.database, clock, ids, settings),
    )


def _running(process: Process) -> RunningIngest | None:
    """Make the ingest of a process; None without the ingest role or `[mqtt]`."""
    mqtt = process.settings.find(MqttSection)
    if Role.INGEST not in process.roles or mqtt is None:
        return None
    section = process.settings.section(IngestSection)
    # The last-seen time of a device is written with the rows, so it must not be late enough to seem a silence.
    silence_s = process.settings.section(SilenceSection).device_s
    limits = IngestSettings(
        quotas=section,
        stage_s=min(section.stage_s, silence_s / 4),
        minutes_after_days=process.settings.section(ObservationsSection).compact_after_days,
    )
    objects = object_store_of(process.settings)
    return make_ingest(
        process.database,
        _address(process, mqtt),
        process.clock,
        process.ids,
        limits,
        objects,
        process.shared(spans_of),
        process.master,
        process.shared(mission_bell_of),
    )


def _leave() -> None:
    """Do nothing: without an object store nothing is staged."""


def _leave_to_worker(_gateway_id: str) -> None:
    """Do nothing: the worker deletes the gateway's user in RabbitMQ, which ends its connection."""


def jobs(process: Process) -> Jobs:
    """Return the ingest loop, readiness checks and metrics of a process. A process without the ingest role or `[mqtt]`
    has only the metrics. Raises `SettingsUnusable` when ingest is the only role and `[mqtt]` is missing."""
    samplers = [("ingest", ingest_sampler(process.database))]
    broker, running = process.settings.find(BrokerSection), process.shared(_running)
    if running is None:
        if set(process.roles) == {Role.INGEST}:
            raise SettingsUnusable("([mqtt] is required to ingest.)")
        return Jobs(samplers=samplers)
    source = running.source
    checks: list[Check] = [BrokerCheck(lambda: source.connected)]
    if broker is not None:
        checks.append(RevocationListCheck(broker.directory, process.clock))
    return Jobs(
        loops=[Loop("ingest", running.run_until)],
        checks=checks,
        samplers=[
            *samplers,
            ("broker", broker_sampler(lambda: source.connected)),
            ("broker queue", left_out_sampler(lambda: source.left_out)),
        ],
    )


def _address(process: Process, mqtt: MqttSection) -> BrokerAddress | ClusterAddress:
    """Return the broker address. With mosquitto it has the group name of this installation's ingest processes;
    without the master key the group is random, and the process receives every batch instead of its share. Raises
    `SettingsUnusable`."""
    rabbitmq = process.settings.find(RabbitmqSection)
    if rabbitmq is not None:
        return cluster_address(mqtt, rabbitmq)
    address = broker_address(mqtt)
    try:
        return replace(address, group=ingest_group(process.master()))
    except DomainError as error:
        log.error("ingest.group_unknown", code=error.code)
        return address
