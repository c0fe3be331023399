"""A cloud with gateways whose days pass: batches arrive, and the worker deletes what is past its period."""

from collections.abc import Sequence

from sqlalchemy import Table, func, select

from cloud.access.retention import Retention
from cloud.foundation.db import Database
from cloud.foundation.housekeeping import Housekeeping
from cloud.foundation.objects import ObjectStore
from cloud.foundation.retention import DAY_US
from cloud.vehicles.custody import ErasureSeals, lanes
from cloud.vehicles.verification.check import CustodyCheck
from cloud.vehicles.verification.lane_audit import LaneReport
from protocols.observation import Observation
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import PLETH, GatewayInVehicle, section
from tests.builders.parts import chores


class RetentionWorld:
    """The cloud under test, its gateways, and their common time."""

    seals: ErasureSeals | None = None

    def __init__(
        self,
        database: Database,
        *gateways: GatewayInVehicle,
        objects: ObjectStore | None = None,
        staged: bool = False,
    ) -> None:
        """With `staged`, live batches that arrive by `cloud.arrive` are staged in `objects`, as by default."""
        self.cloud = CloudUnderTest(database, objects=objects, staged=staged, removes=staged)
        self.database = database
        self.gateways = gateways
        self.retention = Retention(database, self.cloud.clock, self.cloud.ids)
        self.day = 0
        # The same objects all the time, as in a worker: they remember how far they have come.
        of_worker = chores(database, self.cloud.clock)
        self._chores = {one.name: one.work for one in of_worker}
        self.housekeeping = Housekeeping(database, self.cloud.clock, of_worker)

    async def begin(self) -> "RetentionWorld":
        await self.cloud.register(*self.gateways)
        return self

    def pass_days(self, days: int) -> None:
        """Move the time of the cloud and of the gateways."""
        self.day += days
        self.cloud.clock.at_us += days * DAY_US
        for gateway in self.gateways:
            gateway.now_us += days * DAY_US

    async def set_days(self, **days: int) -> None:
        """Set retention periods of the tenant, by kind."""
        for kind, period in days.items():
            await self.retention.set_period(OPERATOR, kind, period, shortening_confirmed=True)

    async def sweep(self, *kinds: str) -> int:
        """Delete everything that is past its period, as the worker does; return the number of chunks."""
        chunks = 0
        for kind in kinds or ("numerics", "waveforms", "batches", "vehicle_events", "care_records", "content_keys"):
            while await self._chunk(kind):
                chunks += 1
                assert chunks < 200, "the sweep does not end"
        return chunks

    async def compact(self) -> None:
        """Move the numerics that are due from single rows to minute rows, as the worker does."""
        while await self._chunk("numerics_compaction"):
            pass

    async def merge(self) -> None:
        """Merge the minute rows that are due, as the worker does."""
        while await self._chunk("numerics_merging"):
            pass

    async def keep_days(self) -> None:
        """Add and drop the partitions of days, as the worker does. SQLite has none."""
        while await self._chunk("observation_days"):
            pass

    async def _chunk(self, kind: str) -> int:
        async with self.database.transaction() as tx:
            return await self._chores[kind](tx, self.cloud.clock.now_us())

    async def reports(self, *, rows: bool = False) -> list[LaneReport]:
        check = CustodyCheck(
            self.database, self.cloud.clock, OPERATOR, objects=self.cloud.objects, seals=self.seals, with_rows=rows
        )
        return [report async for report in check.reports()]

    async def findings(self, *, rows: bool = True) -> list[tuple[str, str, int, int]]:
        """Return what the custody check finds in all lanes: lane, description, first and last sequence number."""
        return [
            (report.lane, one.what, one.first, one.last)
            for report in await self.reports(rows=rows)
            for one in report.findings
        ]

    async def sequences(self, table: Table, lane: Lane = Lane.NUMERIC) -> list[int]:
        """Return the sequence numbers of the rows of a table in the lanes with this name."""
        statement = select(table.c.sequence).join(lanes, lanes.c.lane_id == table.c.lane_id)
        async with self.database.read() as tx:
            found = await tx.execute(statement.where(lanes.c.lane == lane.value).order_by(table.c.sequence).distinct())
        return [row.sequence for row in found]

    async def count(self, table: Table) -> int:
        async with self.database.read() as tx:
            return int((await tx.execute(select(func.count()).select_from(table))).scalar())


def waveform(gateway: GatewayInVehicle, samples: int = 2_000) -> Envelope:
    """Return a batch with one block of samples."""
    block = Observation(
        channel=PLETH, value=None, samples=bytes(2 * samples), status=0, device_time=None, received_s=1.0
    )
    return gateway.send_sections([section([block], wall_offset_us=gateway.now_us)], lane=Lane.WAVEFORM)


def numerics(gateway: GatewayInVehicle, count: int = 3) -> Envelope:
    return gateway.send(*[float(90 + number) for number in range(count)])


def day_of(gateway: GatewayInVehicle) -> Sequence[Envelope]:
    """Return the batches of a short day: two of numerics, two of waveforms, one event."""
    return [numerics(gateway, 100), numerics(gateway, 100), waveform(gateway), waveform(gateway), gateway.send_event()]
