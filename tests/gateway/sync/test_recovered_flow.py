"""The cloud gets every readable batch of a damaged store, under the epoch of the damaged store."""

import asyncio
from pathlib import Path

import pytest

from gateway.buffer import Buffer, create_store
from gateway.buffer.recovered_store import unsent_paths
from gateway.security.identity import Identity
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sync.uplink import Uplink, UplinkSettings
from gateway.transports.clock import SystemClock
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.damaged_stores import damage_leaf_page
from tests.builders.uplink_blocks import numeric_section, section, waveform
from tests.builders.uplink_gateway import IMPATIENT, SMALL_STORE, SOON, sending
from tests.harness.acking_cloud import AckingCloud
from tests.harness.broker import GATEWAY, TENANT, broker_running
from tests.harness.eventually import eventually

pytestmark = pytest.mark.broker


@pytest.mark.finding("edge-C1")
@pytest.mark.finding("reliability-A2")
async def test_damaged_lane_does_not_stop_the_upload_of_other_lanes(tmp_path: Path) -> None:
    clock = TrustedClock(SystemClock(), disciplined=lambda: True)
    identity = Identity.create(tmp_path / "identity", GATEWAY)
    path = tmp_path / "buffer.sqlite"
    create_store(path, gateway=GATEWAY, key=identity.store_key, now_us=clock.wall_us())
    async with broker_running(tmp_path / "broker") as broker:
        settings = UplinkSettings(
            mqtt_url=broker.url,
            username=GATEWAY,
            password_file=broker.password_file(GATEWAY),
            reconnect=SOON,
            window=IMPATIENT,
        )
        buffer = await Buffer.open(
            path, gateway=GATEWAY, key=identity.store_key, settings=SMALL_STORE, clock=clock, serving=True
        )
        keeping = [asyncio.create_task(buffer.keep()), asyncio.create_task(buffer.archive.run())]
        try:
            for number in range(60):
                await buffer.append_sections([numeric_section(3, first=3 * number), section(waveform(bytes(900)))])
            first, marks = buffer.epoch, buffer.marks()
            damage_leaf_page(path, Lane.WAVEFORM)
            async with AckingCloud(broker, identity.public_key).serving() as cloud:
                uplink = Uplink(
                    buffer, identity, settings, clock, tenant=TENANT, gateway=GATEWAY, archive=buffer.archive
                )
                async with sending(uplink):

                    def complete() -> bool:
                        return all(
                            sorted(cloud.held(lane, epoch=first)) == list(range(1, marks[lane].last + 1))
                            for lane in (Lane.NUMERIC, Lane.WAVEFORM)
                        )

                    await eventually(complete, within_s=40)
                    await buffer.append_sections([numeric_section(3, first=900)])
                    await eventually(lambda: cloud.held(Lane.NUMERIC, epoch=buffer.epoch))
                    await eventually(lambda: not unsent_paths(path))
                    assert buffer.archive.unsent() == 0
                    assert buffer.epoch != first
                    assert not uplink.state.contested
            assert cloud.forged == 0
            gaps = [decode_gap(e.batch.payload) for e in cloud.received if e.batch.kind is BatchKind.GAP]
            assert {gap.why for gap in gaps} == {GapReason.DAMAGED}
            lost = {(gap.from_sequence, gap.through_sequence) for gap in gaps}
            assert len(lost) <= 2
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            await buffer.close()
