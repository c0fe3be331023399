"""A gateway whose store was restored from a disk image begins a new epoch (one life of the store).

While the gateway with the original store runs, a gateway with a copy of the store begins no new epoch, and reports the
store as contested.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.buffer import Buffer, create_store
from gateway.security.identity import Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.fork import RIVAL_S, ForkWatch
from gateway.sync.uplink import Uplink, UplinkSettings
from gateway.transports.clock import SystemClock
from protocols.uplink.lanes import Lane
from tests.builders.uplink_blocks import numeric_section
from tests.builders.uplink_gateway import IMPATIENT, SMALL_STORE, SOON, sending
from tests.harness.acking_cloud import AckingCloud
from tests.harness.broker import GATEWAY, TENANT, Broker, broker_running
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

CLOCK = TrustedClock(SystemClock(), disciplined=lambda: True)


@asynccontextmanager
async def in_service(
    path: Path, identity: Identity, broker: Broker, *, patience_s: float
) -> AsyncIterator[tuple[Buffer, Uplink]]:
    """Run a gateway's buffer and uplink on the store at `path`; yield the buffer and the uplink.

    `patience_s` is how long the uplink waits for a rival gateway with the same identity.
    """
    settings = UplinkSettings(
        mqtt_url=broker.url,
        username=GATEWAY,
        password_file=broker.password_file(GATEWAY),
        reconnect=SOON,
        window=IMPATIENT,
        fork_patience_s=patience_s,
    )
    buffer = await Buffer.open(
        path, gateway=GATEWAY, key=identity.store_key, settings=SMALL_STORE, clock=CLOCK, serving=True
    )
    keeping = asyncio.create_task(buffer.keep())
    uplink = Uplink(buffer, identity, settings, CLOCK, tenant=TENANT, gateway=GATEWAY, archive=buffer.archive)
    try:
        async with sending(uplink):
            yield buffer, uplink
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await buffer.close()


async def delivered(buffer: Buffer, batches: int, *, first: int = 0) -> None:
    for number in range(first, first + batches):
        await buffer.append_sections([numeric_section(3, first=3 * number)])
    await eventually(lambda: buffer.marks()[Lane.NUMERIC].acked == buffer.marks()[Lane.NUMERIC].last > 0)


@pytest.mark.broker
@pytest.mark.finding("reliability-B")
async def test_store_restored_from_a_disk_image_begins_a_new_epoch(tmp_path: Path) -> None:
    box, image = tmp_path / "box", tmp_path / "image"
    box.mkdir()
    identity = Identity.create(tmp_path / "identity", GATEWAY)
    path = box / "buffer.sqlite"
    create_store(path, gateway=GATEWAY, key=identity.store_key, now_us=CLOCK.wall_us())
    async with (
        broker_running(tmp_path / "broker") as broker,
        AckingCloud(broker, identity.public_key).serving() as cloud,
    ):
        async with in_service(path, identity, broker, patience_s=60.0) as (buffer, _):
            await delivered(buffer, 5)
            first = buffer.epoch
        shutil.copytree(box, image)
        async with in_service(path, identity, broker, patience_s=60.0) as (buffer, _):
            await delivered(buffer, 20, first=5)
        held = dict(cloud.held(Lane.NUMERIC, epoch=first))
        shutil.rmtree(box)
        image.rename(box)
        async with in_service(path, identity, broker, patience_s=0.5) as (buffer, uplink):
            await buffer.append_sections([numeric_section(3, first=900)])  # before the cloud reports its marks
            await eventually(lambda: buffer.epoch not in ("", first))
            await delivered(buffer, 1, first=400)
            assert not uplink.state.contested
            assert buffer.marks()[Lane.NUMERIC].last == 2, "what was measured before is in the new epoch"
            assert len(cloud.held(Lane.NUMERIC, epoch=buffer.epoch)) == 2
        assert cloud.held(Lane.NUMERIC, epoch=first) == held, "nothing of the old epoch was overwritten"
        assert not any(status.store == "contested" for status in cloud.statuses)


@pytest.mark.broker
@pytest.mark.finding("reliability-B")
async def test_gateway_with_a_copied_store_begins_no_new_epoch_while_the_original_gateway_runs(tmp_path: Path) -> None:
    box, clone = tmp_path / "box", tmp_path / "clone"
    box.mkdir()
    identity = Identity.create(tmp_path / "identity", GATEWAY)
    path = box / "buffer.sqlite"
    create_store(path, gateway=GATEWAY, key=identity.store_key, now_us=CLOCK.wall_us())
    async with broker_running(tmp_path / "broker") as broker, AckingCloud(broker, identity.public_key).serving():
        async with in_service(path, identity, broker, patience_s=2.0) as (buffer, _):
            await delivered(buffer, 5)
        shutil.copytree(box, clone)
        async with in_service(path, identity, broker, patience_s=2.0) as (buffer, _):
            await delivered(buffer, 20, first=5)
            epoch = buffer.epoch
            async with in_service(clone / "buffer.sqlite", identity, broker, patience_s=2.0) as (copied, rival):
                await eventually(lambda: rival.state.contested)
                assert copied.epoch == epoch
            assert buffer.epoch == epoch


async def test_fork_watch_reports_no_rival_gateway_when_none_appears_within_the_waiting_time() -> None:
    clock = MovedClock()
    watch = ForkWatch(clock, patience_s=100.0)
    alone = asyncio.create_task(watch.stay_alone())
    await clock.advance(500.0)
    assert not alone.done(), "nothing was found"
    watch.find()
    await clock.advance(0.0)
    await clock.advance(99.0)
    assert not alone.done()
    await clock.advance(1.5)
    await asyncio.wait_for(alone, 30)


async def test_mqtt_session_takeover_is_treated_as_a_rival_gateway_for_an_hour() -> None:
    clock = MovedClock()
    watch = ForkWatch(clock, patience_s=100.0)
    watch.take_over()
    watch.find()
    alone = asyncio.create_task(watch.stay_alone())
    await clock.advance(200.0)
    assert watch.has_rival
    assert not alone.done()
    await clock.advance(RIVAL_S)
    assert not watch.has_rival
    alone.cancel()
