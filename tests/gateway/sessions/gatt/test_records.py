"""The stored records of a Bluetooth device are fetched once, despite lost links, full stores and restarts."""

from pathlib import Path

from gateway.sessions.gatt.record_fetching import FetchRules
from gateway.sessions.gatt.record_marks import TIMED_OUT_S
from protocols.ble.record_procedure import ANSWER_S
from protocols.ble.uuids import GLUCOSE
from protocols.uplink.lanes import Lane
from tests.builders.gateway_sessions import small_store
from tests.builders.gatt_devices import GLUCOSE_MEASUREMENT, Meter, system_id
from tests.builders.gatt_sessions import Fickle, GattGateway, fill, gatt_gateway
from tests.harness.eventually import eventually

METER = system_id(1).hex()


async def fetched(gateway: GattGateway, meter: Meter, times: int = 1) -> None:
    """Connect the meter, wait until its records are fetched, and lose the link; do this `times` times."""
    for _ in range(times):
        before = (await gateway.event_names()).count("records.fetched")
        gateway.session(meter.peer)

        async def told(before: int = before) -> bool:
            return (await gateway.event_names()).count("records.fetched") > before

        await eventually(told, what="the records are fetched")
        meter.peer.lose()
        await gateway.ended()


async def mark(gateway: GattGateway) -> int | None:
    marks = await gateway.buffer.fetched_records()
    return marks[0].through if marks else None


async def test_stored_record_is_fetched_once_over_several_connections(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3)
        await fetched(gateway, meter)
        meter.measure(4, 5)
        await fetched(gateway, meter, times=2)
        stored = await gateway.stored()
        assert [each.value for each in stored] == [101.0, 102.0, 103.0, 104.0, 105.0]
        assert all(each.stored for each in stored)
        assert await mark(gateway) == 5
        assert gateway.context.live.snapshot()[0].values == ()


async def test_restarted_gateway_fetches_only_the_records_it_has_not_stored(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(*range(1, 11))
        meter.peer.records_at_once = 4
        session = gateway.session(meter.peer)
        await eventually(lambda: session.counts.reports >= 3)
        kept = session.counts.reports
        assert await mark(gateway) == kept  # and here it is killed: no further commit
        for task in gateway.running:
            task.cancel()
    async with gatt_gateway(tmp_path) as gateway:
        meter.peer.clock = gateway.clock
        meter.peer.records_at_once = 1000
        meter.peer.lose()
        await fetched(gateway, meter)
        assert sorted(await gateway.values()) == [100.0 + number for number in range(1, 11)]
        assert await mark(gateway) == 10


async def test_link_loss_in_the_middle_of_a_record_transfer_loses_and_duplicates_no_record(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(*range(1, 31))
        meter.peer.records_at_once = 7
        for _ in range(6):
            session = gateway.session(meter.peer)
            await gateway.serving(session)
            await gateway.clock.settle()
            meter.peer.lose()
            await gateway.ended()
        meter.peer.records_at_once = 1000
        await fetched(gateway, meter)
        assert await gateway.values() == [100.0 + number for number in range(1, 31)]


async def test_all_records_are_fetched_from_a_meter_whose_sequence_numbers_restarted(tmp_path: Path):
    """All records are fetched when the numbers are lower than the last fetched number, and when the record with the
    last fetched number has another measurement."""
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3, 4, 5)
        await fetched(gateway, meter)
        meter.records.clear()
        meter.measure(1, 2, life=1)
        await fetched(gateway, meter)
        assert len(await gateway.stored()) == 7
        assert await mark(gateway) == 2
        meter.records.clear()
        meter.measure(1, 2, 3, life=2)
        await fetched(gateway, meter)
        assert len(await gateway.stored()) == 10
        assert await mark(gateway) == 3
        await gateway.event("records.began_anew")


async def test_only_new_records_of_a_meter_without_comparison_operators_are_stored(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock, compares=False)
        meter.measure(1, 2, 3)
        await fetched(gateway, meter, times=2)
        meter.measure(4)
        await fetched(gateway, meter)
        assert await gateway.values() == [101.0, 102.0, 103.0, 104.0]


async def test_no_record_is_fetched_when_the_operator_disables_fetching(tmp_path: Path):
    async with gatt_gateway(tmp_path, rules=FetchRules(fetch=False)) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1)
        session = gateway.session(meter.peer)
        await gateway.serving(session)
        await gateway.clock.settle()
        assert await gateway.stored() == []


async def test_records_dropped_from_a_full_queue_are_fetched_again(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3)
        await fetched(gateway, meter)
        meter.measure(*range(4, 24))
        meter.peer.queue_max = 8
        meter.peer.records_at_once = 0
        session = gateway.session(meter.peer)
        await gateway.serving(session)
        await gateway.clock.settle()
        meter.peer.more_records(20)  # twelve of them and the end of the transfer are lost
        await eventually(lambda: session.counts.lost > 0)
        meter.peer.more_records()
        await eventually(lambda: gateway.clock.next_wake_s is not None)

        async def whole() -> bool:
            return (await gateway.event("records.fetched")).fields["whole"] is False

        await eventually(whole)
        assert await mark(gateway) == 3
        meter.peer.queue_max = 4096
        meter.peer.records_at_once = 1000

        async def again() -> bool:
            return await mark(gateway) == 23

        await gateway.until(again, step_s=20.0)
        assert sorted(await gateway.values()) == [100.0 + number for number in range(1, 24)]


async def test_records_refused_by_a_full_store_are_fetched_again_later(tmp_path: Path):
    async with gatt_gateway(tmp_path, store=Fickle) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(*range(1, 51))
        meter.peer.records_at_once = 10
        fickle = gateway.gatt.store
        assert isinstance(fickle, Fickle)
        fickle.full = True
        session = gateway.session(meter.peer)

        async def aborted() -> bool:
            return "records.fetch_aborted" in await gateway.event_names()

        await eventually(aborted)
        assert (await gateway.event("store.refused_values")).fields["kept"] is True
        assert session.counts.lost == 0
        assert await mark(gateway) is None
        fickle.full = False
        meter.peer.records_at_once = 1000

        async def there() -> bool:
            return await mark(gateway) == 50

        await gateway.until(there, step_s=10.0)
        assert await gateway.values() == [100.0 + number for number in range(1, 51)]


async def test_records_refused_by_a_full_store_are_not_counted_as_lost(tmp_path: Path):
    async with gatt_gateway(tmp_path, store_settings=small_store(1 << 20)) as gateway:
        await fill(gateway.buffer)
        meter = Meter(gateway.clock)
        meter.measure(1, 2)
        session = gateway.session(meter.peer)
        await eventually(lambda: session.counts.refused == 2)
        assert session.counts.lost == 0
        assert [each for each in await gateway.buffer.gaps() if each.lane is Lane.NUMERIC] == []
        assert len(meter.records) == 2


async def test_durable_records_are_deleted_from_the_meter_when_the_operator_enables_deletion(tmp_path: Path):
    async with gatt_gateway(tmp_path, rules=FetchRules(delete=True)) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3)
        gateway.session(meter.peer)

        async def deletions() -> list[object]:
            return [each.fields for each in await gateway.events() if each.name == "records.deleted"]

        await eventually(deletions)
        assert meter.records == {}
        meter.measure(4, 5)

        async def deleted_again() -> bool:
            return len(await deletions()) > 1

        await gateway.until(deleted_again, step_s=20.0)
        assert meter.records == {}
        assert await gateway.values() == [101.0, 102.0, 103.0, 104.0, 105.0]
        assert await deletions() == [{"store": "Glucose", "through": 3}, {"store": "Glucose", "through": 5}]


async def test_records_are_not_deleted_from_the_meter_when_one_of_them_is_malformed(tmp_path: Path):
    async with gatt_gateway(tmp_path, rules=FetchRules(delete=True)) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1, 2, 3)
        broken = meter.records[2]
        meter.records[2] = type(broken)(2, ((GLUCOSE_MEASUREMENT, b"\x02\x02"),))
        await fetched(gateway, meter)
        assert len(meter.records) == 3
        assert await gateway.values() == [101.0, 103.0]
        assert await mark(gateway) == 3


async def test_fetching_is_paused_after_three_record_transfers_that_did_not_end(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1)
        meter.peer.records_at_once = 0
        for _ in range(3):
            session = gateway.session(meter.peer)
            await gateway.serving(session)
            await gateway.clock.settle()
            await gateway.until(session.link.ended.is_set, step_s=ANSWER_S / 10)
            await gateway.ended()
            assert session.link.why == "its Glucose did not end a transfer of records"
        session = gateway.session(meter.peer)
        await gateway.serving(session)
        await gateway.clock.advance(ANSWER_S)
        assert session.state == "serving"
        meter.peer.records_at_once = 1000
        await gateway.until(lambda: session.counts.reports == 1, step_s=TIMED_OUT_S / 10)


async def test_new_records_of_a_connected_meter_are_fetched_periodically(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1)
        session = gateway.session(meter.peer)
        await eventually(lambda: session.counts.reports == 1)
        meter.measure(2)
        await gateway.until(lambda: session.counts.reports == 2, step_s=20.0)
        assert await gateway.values() == [101.0, 102.0]


async def test_busy_meter_gets_the_record_request_again_on_the_same_link(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        meter = Meter(gateway.clock)
        meter.measure(1)
        server = meter.peer.servers[GLUCOSE]
        server.busy = True
        session = gateway.session(meter.peer)
        await gateway.serving(session)
        await gateway.clock.settle()
        server.busy = False
        await gateway.until(lambda: session.counts.reports == 1, step_s=1.0)
        assert meter.peer.links == 1


async def test_last_fetched_record_number_is_kept_separately_for_each_device(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        first, second = Meter(gateway.clock, 1), Meter(gateway.clock, 2)
        first.measure(1, 2, 3)
        second.measure(1, 2)
        await fetched(gateway, first)
        await fetched(gateway, second)
        assert len(await gateway.stored()) == 5
        assert {(each.system_id, each.through) for each in await gateway.buffer.fetched_records()} == {
            (METER, 3),
            (system_id(2).hex(), 2),
        }
