"""Put ingest together and run it: what `cloud/app.py` starts beside the hosts, and what readiness asks."""

import asyncio
from dataclasses import dataclass

from cloud.clinical.devices import Devices
from cloud.clinical.observations.numbering import Numbers
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.events import Outbox
from cloud.foundation.ids import Ids
from cloud.vehicles.ingest.broker import BrokerAddress
from cloud.vehicles.ingest.group import GroupWriter
from cloud.vehicles.ingest.mqtt_source import MqttSource
from cloud.vehicles.ingest.quotas import QuotaBook
from cloud.vehicles.ingest.service import Ingest
from cloud.vehicles.ingest.settings import IngestSettings
from cloud.vehicles.ingest.take_over import TakeOvers
from cloud.vehicles.ingest.take_up import TakeUp


@dataclass(frozen=True, slots=True)
class RunningIngest:
    """One process's ingest from one broker."""

    source: MqttSource
    ingest: Ingest
    take_overs: TakeOvers
    take_up: TakeUp

    async def run(self) -> None:
        """Receive, store and answer until cancelled. A lost broker or database is waited for and is no end.

        Ingest is awaited in the body, so a cancellation reaches it first: the group in hand is made durable and
        answered over a connection that is still there.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.source.run(), name="ingest-broker")
            tasks.create_task(self.take_overs.run(), name="ingest-take-overs")
            tasks.create_task(self.take_up.run(), name="ingest-take-up")
            await self.ingest.run(self.source, self.source)

    def unready(self) -> str | None:
        """Why batches cannot arrive at the moment, None when they can."""
        return None if self.source.connected else f"the broker is not connected ({self.source.last_error})"


def make_ingest(
    database: Database, broker: BrokerAddress, clock: Clock, ids: Ids, settings: IngestSettings | None = None
) -> RunningIngest:
    """Everything that ingest needs, wired; nothing has started."""
    settings = settings or IngestSettings()
    devices, outbox, numbers, quotas = Devices(ids), Outbox(ids), Numbers(), QuotaBook(settings.quotas)
    writer = GroupWriter(devices=devices, outbox=outbox, numbers=numbers, clock=clock, quotas=quotas)
    take_overs = TakeOvers(broker)
    return RunningIngest(
        source=MqttSource(broker, clock=clock, settings=settings),
        ingest=Ingest(database=database, writer=writer, clock=clock, settings=settings, shut_out=take_overs.request),
        take_overs=take_overs,
        take_up=TakeUp(database=database, devices=devices, outbox=outbox, numbers=numbers, quotas=quotas, clock=clock),
    )


async def run_ingest(
    database: Database, broker: BrokerAddress, clock: Clock, ids: Ids, settings: IngestSettings | None = None
) -> None:
    """Ingest until cancelled."""
    await make_ingest(database, broker, clock, ids, settings).run()
