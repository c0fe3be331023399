"""Report drafts of a gateway's store, with a signing key of the tests."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.buffer import Buffer
from gateway.epcr.drafts import Drafts
from gateway.transports.clock import Clock

SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = SIGNING_KEY.public_key().public_bytes_raw()
VEHICLE = "veh_42"


def drafts_of(buffer: Buffer, clock: Clock) -> Drafts:
    return Drafts(buffer, clock, sign=SIGNING_KEY.sign, mission={"call.vehicle": VEHICLE})
