"""The cloud requests that the gateways of a small fleet cut their batches at the same time of the second."""

import pytest

from cloud.foundation.db import Database
from cloud.vehicles.ingest.cut_phase import PHASE_MS, WINDOW_S, CutPhase
from cloud.vehicles.ingest.live_queue import BATCHES_FULL
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle


def measured(*rates: float) -> CutPhase:
    """Return the phase after these rates of batches a second were measured in successive windows."""
    phase = CutPhase()
    phase.add(0, 0.0)
    for number, rate in enumerate(rates, start=1):
        phase.add(round(rate * WINDOW_S), number * WINDOW_S)
    return phase


def test_no_phase_is_requested_before_the_load_was_measured() -> None:
    phase = CutPhase()
    phase.add(1, 0.0)
    phase.add(1, WINDOW_S - 0.1)
    assert phase.requested_ms is None


@pytest.mark.parametrize(
    ("rates", "is_requested"),
    [
        ((20.0,), True),
        ((BATCHES_FULL * 0.7,), True),
        ((BATCHES_FULL * 0.8,), False),
        ((2_000.0,), False),
        ((BATCHES_FULL * 0.7, BATCHES_FULL * 0.9), True),
        ((BATCHES_FULL * 0.7, BATCHES_FULL * 1.1), False),
        ((2_000.0, BATCHES_FULL * 0.8), False),
        ((2_000.0, 20.0), True),
    ],
)
def test_phase_is_requested_while_the_batches_of_a_second_fit_into_one_group(
    rates: tuple[float, ...], is_requested: bool
) -> None:
    assert measured(*rates).requested_ms == (PHASE_MS if is_requested else None)


async def test_acknowledgements_have_the_requested_phase(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    monkeypatch.setattr(cloud.ingest.cut_phase, "requested_ms", 250)
    await cloud.take(gateway.send(97.0))
    assert [ack.cut_phase_ms for _, ack in cloud.handover.acks] == [250]
