"""Report drafts of a gateway's store, with a signing key of the tests."""

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.buffer import Buffer
from gateway.epcr.drafts import Drafts
from gateway.epcr.missions import Missions, Vehicle
from gateway.transports.clock import Clock
from tests.builders.missions import CALL, CLOUD_PUBLIC_KEY

SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = SIGNING_KEY.public_key().public_bytes_raw()
VEHICLE = "veh_42"


def drafts_of(buffer: Buffer, clock: Clock) -> Drafts:
    return Drafts(buffer, clock, sign=SIGNING_KEY.sign, mission={"call.vehicle": VEHICLE})


def missions_of(
    drafts: Drafts,
    clock: Clock,
    *,
    keys: Sequence[bytes] = (CLOUD_PUBLIC_KEY,),
    is_synchronised: Callable[[], bool] = lambda: True,
) -> Missions:
    """Return the missions of the vehicle that `tests.builders.missions.CALL` is for."""
    vehicle = Vehicle(CALL.tenant, CALL.gateway, CALL.vehicle)
    return Missions(drafts, clock, vehicle, keys=keys, is_synchronised=is_synchronised)
