"""The number of SQL statements for a group is constant, whatever the number of gateways, lanes, devices and batches."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches, lanes, quarantined_batches
from cloud.vehicles.ingest.missing import MISSING_AFTER_US
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.ingest.source import Delivery
from cloud.vehicles.ingest.tables import gateway_epochs, missing_batches
from protocols.observation import Observation
from protocols.uplink.clock_events import CLOCK_ESTIMATED
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceRef
from protocols.uplink.status import Mark, Status, StoreState
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.statement_count import CountingDatabase

MANY = 24
"""Gateways of the larger group: more than a group could treat one by one unnoticed."""


def fleet(first: int, count: int) -> list[GatewayInVehicle]:
    return [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in range(first, first + count)]


def of_devices(gateway: GatewayInVehicle, count: int, *, at_s: float, stored: bool = False) -> Envelope:
    """Return a batch of readings of `count` devices of this gateway; from the devices' memories if `stored`."""
    sections = [
        section(
            memory_of(gateway, at_s) if stored else readings(97.0, at_s=at_s),
            device=DeviceRef(f"{gateway.gateway}-{number}", "Invented device"),
            stored=stored,
        )
        for number in range(count)
    ]
    return gateway.send_sections(sections)


def memory_of(gateway: GatewayInVehicle, at_s: float) -> list[Observation]:
    """Return a reading that differs from those of other gateways and times."""
    return readings(float(int(gateway.gateway[3:])), at_s=at_s)


class Counted:
    """The ingest of a counting database, with gateways that join in groups."""

    def __init__(self, database: Database, quotas: IngestSection | None = None) -> None:
        self.counting = CountingDatabase(database)
        self.cloud = CloudUnderTest(self.counting, quotas=quotas)
        self._gateways = 0

    async def open(self) -> "Counted":
        await self.cloud.register()
        return self

    async def join(self, count: int) -> list[GatewayInVehicle]:
        """Register the next `count` gateways."""
        joined = fleet(self._gateways, count)
        self._gateways += count
        for one in joined:
            await self.cloud.register_gateway(one)
        return joined

    async def statements(self, arrivals: Sequence[Envelope | Delivery]) -> int:
        """Ingest one group; return the number of statements, those that only read included."""
        before = self.counting.statements + self.counting.reads.statements
        await self.cloud.take(*arrivals)
        return self.counting.statements + self.counting.reads.statements - before


@pytest.fixture
async def counted(database: Database) -> Counted:
    return await Counted(database).open()


def new_data(gateways: Sequence[GatewayInVehicle], each: int) -> list[Envelope]:
    return [
        one
        for gateway in gateways
        for one in (
            *(of_devices(gateway, each, at_s=number + 1.0, stored=number % 2 == 1) for number in range(each + 1)),
            gateway.send_event(),
            gateway.send_event(CLOCK_ESTIMATED),
            gateway.send(lane=Lane.WAVEFORM),
        )
    ]


async def test_first_batches_of_many_gateways_need_as_many_statements_as_those_of_one_gateway(counted: Counted):
    one = await counted.statements(new_data(await counted.join(1), 1))
    many = await counted.statements(new_data(await counted.join(MANY), 3))
    assert many == one
    assert one <= 36
    assert len(await counted.cloud.rows(lanes)) == 3 * (MANY + 1)
    assert len(await counted.cloud.rows(gateway_epochs)) == MANY + 1


async def test_later_batches_of_many_gateways_need_as_many_statements_as_those_of_one_gateway(counted: Counted):
    gateways = await counted.join(MANY)
    await counted.cloud.take(*new_data(gateways, 3))
    counted.cloud.clock.at_us += 60_000_000

    def group(some: Sequence[GatewayInVehicle], each: int, at_s: float) -> list[Envelope]:
        return [of_devices(one, each, at_s=at_s + number) for one in some for number in range(each)]

    one = await counted.statements(group(gateways[:1], 1, 30.0))
    many = await counted.statements(group(gateways[1:], 3, 50.0))
    assert many == one
    assert one <= 12
    # Within the seconds for which a process caches quotas, and without new last-seen times.
    again = await counted.statements(group(gateways, 3, 52.0))
    assert again <= 9


async def test_quotas_and_last_seen_times_of_all_gateways_are_due_in_the_same_group(counted: Counted):
    gateways = await counted.join(3)
    for second, one in enumerate(gateways):
        await counted.cloud.take(of_devices(one, 1, at_s=float(second)))
        counted.cloud.clock.at_us += 1_000_000
    quiet = await counted.statements([of_devices(one, 1, at_s=4.0) for one in gateways])
    counted.cloud.clock.at_us = NOW_US + 5_000_000
    due = await counted.statements([of_devices(one, 1, at_s=5.0) for one in gateways])
    counted.cloud.clock.at_us = NOW_US + 9_000_000
    assert await counted.statements([of_devices(one, 1, at_s=9.0) for one in gateways]) == quiet
    assert due > quiet


async def test_statuses_of_many_gateways_need_as_many_statements_as_that_of_one_gateway(counted: Counted):
    gateways = await counted.join(MANY + 1)
    await counted.cloud.take(*new_data(gateways, 1))

    def statuses(some: Sequence[GatewayInVehicle]) -> list[Delivery]:
        return [
            counted.cloud.handover.status_delivery(
                Status(
                    gateway=one.gateway,
                    epoch=one.epoch,
                    online=True,
                    at_us=NOW_US,
                    boot_id="boot-1",
                    software="1.0",
                    marks={Lane.NUMERIC: Mark(1, 99, 0, ((1, 20),))},
                    store=StoreState.CONTESTED,
                )
            )
            for one in some
        ]

    for _ in range(3):  # missing, reported as missing, and as before
        one = await counted.statements(statuses(gateways[:1]))
        many = await counted.statements(statuses(gateways[1:]))
        assert many == one
        assert one <= 14
        counted.cloud.clock.at_us += MISSING_AFTER_US
    kinds = [kind for kind, _ in await counted.cloud.events()]
    assert kinds.count("ingest.missing") == kinds.count("gateway.connected") == MANY + 1
    assert len(await counted.cloud.rows(missing_batches)) == MANY + 1
    acks = counted.cloud.handover.acks
    assert len(acks) >= 3 * 4 * (MANY + 1)
    assert [ack.through_hash is not None for _, ack in acks[-4:]] == [ack.through_sequence > 0 for _, ack in acks[-4:]]


async def test_bad_batches_of_many_gateways_need_as_many_statements_as_those_of_one_gateway(counted: Counted):
    gateways = await counted.join(MANY + 1)
    held = {one.gateway: one.many(3) for one in gateways}
    await counted.cloud.take(*(batch for sent in held.values() for batch in sent))

    def bad(some: Sequence[GatewayInVehicle]) -> list[Envelope | Delivery]:
        return [arrival for one in some for arrival in of_one(one)]

    def of_one(one: GatewayInVehicle) -> list[Envelope | Delivery]:
        first, second, third, _, fifth, sixth, seventh = one.many(7)
        stored = held[one.gateway]
        forged = replace(seventh, signature=bytes(64))
        return [
            stored[1],  # a duplicate
            one.signed(replace(stored[2].batch, created_at_us=1)),  # a conflict
            one.signed(replace(first.batch, previous_hash=bytes(32))),  # a broken link
            one.gap([second, third]),
            one.signed(replace(fifth.batch, kind=BatchKind.OBSERVATIONS, payload=b"\x09not a block")),
            sixth,  # out of order: `fourth` is missing
            forged,
            counted.cloud.handover.delivery(b"garbage of " + one.gateway.encode(), gateway=one.gateway),
            counted.cloud.handover.delivery(b"garbage", gateway=f"{one.gateway}-unknown"),
        ]

    one = await counted.statements(bad(gateways[:1]))
    many = await counted.statements(bad(gateways[1:]))
    assert many == one
    assert one <= 30
    reasons = [row.reason for row in await counted.cloud.rows(quarantined_batches)]
    assert {reason: reasons.count(reason) for reason in set(reasons)} == {
        "conflict": MANY + 1,
        "chain_broken": 3 * (MANY + 1),  # the altered batch, and those after the altered ones
        "unreadable": MANY + 1,
        "forged": MANY + 1,
        "malformed": 2 * (MANY + 1),
    }


async def test_batches_over_the_quotas_of_many_gateways_need_as_many_statements_as_those_of_one_gateway(
    database: Database,
):
    quotas = IngestSection.model_construct(rows_burst=1, rows_per_hour=1, parked_bytes_max=4_000)
    counted = await Counted(database, quotas).open()
    gateways = await counted.join(MANY + 1)
    await counted.cloud.take(*(one.send() for one in gateways))

    def over(some: Sequence[GatewayInVehicle]) -> list[Envelope]:
        return [batch for one in some for batch in one.many(6)]

    one = await counted.statements(over(gateways[:1]))
    many = await counted.statements(over(gateways[1:]))
    assert many == one
    kinds = [(kind, fields["quota"]) for kind, fields in await counted.cloud.events() if kind == "ingest.quota_reached"]
    assert sorted(set(kinds)) == [("ingest.quota_reached", "parked"), ("ingest.quota_reached", "rows")]
    assert len(kinds) == 2 * (MANY + 1)


async def test_group_of_several_batches_of_a_lane_is_stored_as_its_batches_one_by_one(counted: Counted):
    """Duplicates, conflicts, gaps, holes and broken links within one group are judged as in groups of one batch."""
    singly, together = await counted.join(2)
    stored: list[list[tuple[object, ...]]] = []
    for gateway in (singly, together):
        sent = gateway.many(12)
        rival = gateway.signed(replace(sent[1].batch, created_at_us=1))
        broken = gateway.signed(replace(sent[6].batch, previous_hash=bytes(32)))
        arrivals = [sent[0], sent[1], rival, sent[1], sent[3], gateway.gap(sent[4:6]), broken, sent[9], sent[8]]
        for group in [[one] for one in arrivals] if gateway is singly else [arrivals]:
            await counted.cloud.take(*group)
        own = [row.lane_id for row in await counted.cloud.rows(lanes, lanes.c.gateway_id == gateway.gateway)]
        rows = await counted.cloud.rows(batches, batches.c.lane_id.in_(own))
        aside = await counted.cloud.rows(quarantined_batches, quarantined_batches.c.gateway_id == gateway.gateway)
        (lane,) = await counted.cloud.rows(lanes, lanes.c.gateway_id == gateway.gateway)
        stored.append(
            [
                (lane.through_sequence, lane.ahead, lane.contested_us is not None),
                *((row.sequence, row.link, row.content) for row in rows),
                *sorted((row.reason, row.sequence, row.times) for row in aside),
            ]
        )
    assert stored[0] == stored[1]
    assert stored[0][0] == (2, "4-7 9-10", True)
