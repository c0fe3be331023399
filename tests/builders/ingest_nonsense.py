"""Corrupt bytes, reproducible by a seed: damaged in transit, or signed by a faulty gateway."""

import random
import zlib

from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.observations import encode_block
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.ingest_kinds import every_kind


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to four random changes: a byte replaced, up to eight bytes removed, or up to eight
    inserted."""
    body = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(body))
        match chance.randrange(3):
            case 0:
                body[place] = chance.randrange(256)
            case 1:
                del body[place : place + chance.randint(1, 8)]
            case _:
                body[place:place] = chance.randbytes(chance.randint(1, 8))
    return bytes(body)


def signed_nonsense(gateway: GatewayInVehicle, chance: random.Random, *, count: int) -> list[Envelope]:
    """Return `count` batches with valid signature and compression, whose observation block is mutated before
    compression."""
    sections = every_kind()
    block = encode_block(sections)
    body = zlib.decompress(block[5:])
    told = sum(len(section.observations) for section in sections)
    envelopes = []
    for _ in range(count):
        nonsense = mutated(body, chance)
        payload = block[:1] + len(nonsense).to_bytes(4, "little") + zlib.compress(nonsense, 1)
        envelopes.append(gateway.send_raw(BatchKind.OBSERVATIONS, payload, count=told))
    return envelopes
