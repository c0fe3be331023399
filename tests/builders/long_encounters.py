"""Encounters with very many numerics: four channels of a monitor, each with a value a second."""

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation
from protocols.uplink.envelope import Envelope
from tests.builders.encounter_reading import assigned
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import GatewayInVehicle, section

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
BATCH_SECONDS = 125
"""Seconds of a batch, of 500 values: as a gateway sends a backlog."""
GROUP = 4
"""Batches of a commit."""
CHANNELS = tuple(
    Channel(handle=number, type=code_of(type_), unit=code_of(unit))
    for number, (type_, unit) in enumerate(
        (
            ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT"),
            ("MDC_PULS_OXIM_PULS_RATE", "MDC_DIM_BEAT_PER_MIN"),
            ("MDC_ECG_HEART_RATE", "MDC_DIM_BEAT_PER_MIN"),
            ("MDC_AWAY_RESP_RATE", "MDC_DIM_RESP_PER_MIN"),
        ),
        start=1,
    )
)
BATCH_ROWS = BATCH_SECONDS * len(CHANNELS)


async def past_cloud(database: Database) -> tuple[CloudUnderTest, GatewayInVehicle]:
    """Return a cloud and a gateway of it. Their clocks stand still before now, so that a cloud that runs now exports
    the encounters."""
    clock, gateway = StoppedClock(SystemClock().now_us() - DAY_US), GatewayInVehicle()
    gateway.now_us = clock.at_us - 30 * DAY_US
    return await CloudUnderTest(database, clock=clock).register(gateway), gateway


async def add_encounter(cloud: CloudUnderTest, gateway: GatewayInVehicle, rows: int) -> str:
    """Ingest so many numerics, a multiple of `BATCH_ROWS`, and assign them to a new encounter; return its id. They
    begin at the gateway's time, which is set to their end."""
    begin_us, group = gateway.now_us, []
    for _ in range(rows // BATCH_ROWS):
        group.append(_batch(gateway))
        gateway.now_us += BATCH_SECONDS * SECOND_US
        if len(group) == GROUP:
            await cloud.take(*group)
            group.clear()
    await cloud.take(*group)
    cloud.clock.at_us += SECOND_US
    return await assigned(cloud, from_us=begin_us, until_us=gateway.now_us)


def _batch(gateway: GatewayInVehicle) -> Envelope:
    found = [
        Observation(
            channel=channel,
            value=60.0 + (second * 7 + channel.handle) % 40 / 2,
            samples=None,
            status=0,
            device_time=None,
            received_s=second + channel.handle / 16,
        )
        for second in range(BATCH_SECONDS)
        for channel in CHANNELS
    ]
    return gateway.send_sections([section(found, wall_offset_us=gateway.now_us)])
