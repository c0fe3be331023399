"""Corrupt bytes, reproducible by a seed: damaged in transit, or signed by a faulty gateway."""

import random
from collections.abc import Sequence

from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.observations import DeviceObservations, encode_block
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.ingest_kinds import every_kind, waveforms
from tests.builders.uplink_bombs import body_of, sealed


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
    compression: alternately a block with every kind of value and a waveform block."""
    blocks = [(encode_block(sections), count_of(sections)) for sections in (every_kind(), waveforms())]
    envelopes = []
    for number in range(count):
        block, announced = blocks[number % len(blocks)]
        payload = sealed(mutated(body_of(block), chance), version=block[0])
        envelopes.append(gateway.send_raw(BatchKind.OBSERVATIONS, payload, count=announced))
    return envelopes


def count_of(sections: Sequence[DeviceObservations]) -> int:
    return sum(len(one.observations) for one in sections)
