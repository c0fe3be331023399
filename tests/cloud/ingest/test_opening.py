"""Opening a delivered message returns a result for any bytes, and never raises an error."""

import random

import pytest

from cloud.clinical.observations.rows import ObservationColumns
from cloud.vehicles.custody import Reason
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest.opening import Opened, Refused, UnreadablePayload, open_delivery
from protocols.uplink.envelope import encode_envelope
from tests.builders.ingest_cloud import Handover
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle
from tests.builders.ingest_kinds import every_kind
from tests.builders.ingest_nonsense import mutated, signed_nonsense

GATEWAY = GatewayInVehicle()
REGISTERED = RegisteredGateway(
    tenant_id="ten_test",
    id="gw_test",
    organization_id="org_test",
    vehicle_id="veh_test",
    public_key=GATEWAY.public_key,
    registered_at_us=NOW_US,
)


def opened(octets: bytes) -> Opened | Refused:
    return open_delivery(Handover().delivery(octets), REGISTERED)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_envelope_is_opened_or_refused_as_malformed_or_forged(seed: int):
    chance = random.Random(seed)
    whole = encode_envelope(GatewayInVehicle().send_sections(every_kind()))
    assert isinstance(opened(whole), Opened)
    for _ in range(250):
        found = opened(mutated(whole, chance))
        if isinstance(found, Refused):
            assert found.reason in (Reason.MALFORMED, Reason.FORGED)


@pytest.mark.parametrize("seed", range(4))
def test_signed_batch_with_random_payload_is_decoded_as_observations_or_marked_unreadable(seed: int):
    kinds = set[type]()
    for envelope in signed_nonsense(GatewayInVehicle(), random.Random(seed), count=250):
        found = opened(encode_envelope(envelope))
        assert isinstance(found, Opened)
        assert isinstance(found.content, ObservationColumns | UnreadablePayload)
        kinds.add(type(found.content))
    assert kinds == {ObservationColumns, UnreadablePayload}
