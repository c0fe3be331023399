"""`fhir.bundle`: the transaction bundle of an encounter with 20 000 observations, from records in memory to bytes.

The observations are those of a monitored patient: four numerics a second with a corrected device time, and a blood
pressure every twenty seconds. A run makes all parts, as the cloud and the vehicle do. The reference writes the same
bundles with `orjson.dumps` from dictionaries that exist already.

`fhir.bundle.sqlite` reads the observations from the cloud's database, as a request does, part after part.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
import structlog

from cloud.clinical.devices import Devices
from cloud.clinical.epcr import VisibleRecords
from cloud.clinical.fhir import Bundles
from cloud.foundation.db import migrate, open_database
from cloud.foundation.master_key import MasterKey
from protocols.device_time import absolute_time_at
from tests.bench.frame import Done, Figure, plain_figure
from tests.builders.encounter_reading import assigned
from tests.builders.fhir_encounters import (
    NOW_US,
    PRESSURE,
    SECOND_US,
    GeneratedEncounter,
    device,
    encounter_facts,
    observed,
    visible,
)
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.received_batches import RECEIVED

NAMES = ("fhir.bundle.sqlite",)
OBSERVATIONS = 20_000
BATCH = 200
_NUMERICS = (
    ("MDC_PULS_OXIM_SAT_O2", "MDC_DIM_PERCENT"),
    ("MDC_PULS_OXIM_PULS_RATE", "MDC_DIM_BEAT_PER_MIN"),
    ("MDC_TTHOR_RESP_RATE", "MDC_DIM_RESP_PER_MIN"),
    ("MDC_AWAY_CO2_ET", "MDC_DIM_MMHG"),
)


def measure_bundle() -> tuple[Callable[[], int], Callable[[], int]]:
    encounter = _encounter()
    documents = [orjson.loads(part) for part in encounter.parts()]

    def ours() -> int:
        parts = list(encounter.parts())
        assert len(parts) == len(documents) == 5
        return OBSERVATIONS

    def reference() -> int:
        for document in documents:
            orjson.dumps(document)
        return OBSERVATIONS

    return ours, reference


def _encounter() -> GeneratedEncounter:
    facts = device("multiparameter")
    records = []
    for number in range(OBSERVATIONS):
        at_us = NOW_US + number * 250_000
        shared = {
            "at_us": at_us,
            "index": number,
            "device_time": absolute_time_at(at_us - 3 * SECOND_US),
            "received_at_us": at_us + 12_000,
        }
        if number % 80 == 0:
            value = (120.0 + number % 7, 80.0, 93.5)
            record = observed(value, type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=PRESSURE, **shared)
        else:
            type_, unit = _NUMERICS[number % len(_NUMERICS)]
            record = observed(60.0 + number % 40 / 4, type_=type_, unit=unit, **shared)
        records.append((record, facts))
    return GeneratedEncounter(encounter_facts(), visible(), records)


def measure_sqlite() -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        done = asyncio.run(_read(f"sqlite:///{Path(folder) / 'cloud.db'}"))
    rates = sorted(one.units / one.elapsed_s for one in done)
    return plain_figure(NAMES[0], "observations/s", rates[len(rates) // 2], (rates[0], rates[-1]))


async def _read(url: str) -> list[Done]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    await migrate(url, create=True)
    database = await open_database(url)
    try:
        gateway = GatewayInVehicle()
        cloud = await CloudUnderTest(database).register(gateway)
        for number in range(OBSERVATIONS // BATCH):
            await cloud.take(gateway.send(*(float(60 + (number + one) % 40) for one in range(BATCH))))
        encounter_id = await assigned(cloud)
        bundles = Bundles(database, Devices(cloud.ids), RECEIVED, VisibleRecords(lambda: MasterKey(bytes(32))), None)
        return [await _run(bundles, encounter_id) for _ in range(4)][1:]
    finally:
        await database.close()


async def _run(bundles: Bundles, encounter_id: str) -> Done:
    loop = asyncio.get_running_loop()
    begun_s, after = loop.time(), None
    while True:
        part = await bundles.part(OPERATOR, encounter_id, after)
        part.encode(None)
        after = part.position
        if after is None:
            return Done(OBSERVATIONS, loop.time() - begun_s)
