"""Decoders and interpreters of Bluetooth values raise `RemoteProtocolError` and nothing else, on any bytes.

The observations of an interpreter fit into the store, and decoded values can be encoded again. `make fuzz` decodes a
million damaged values. Each value goes through its codec, and through its service's interpreter as one of many values
of a connection.
"""

import pytest

from protocols.ble.interpretation import GattEvent, Measured, ServiceInterpreter
from protocols.ble.services import CODECS, PROFILES
from protocols.errors import RemoteProtocolError
from protocols.observation import Observation
from protocols.uplink.observations import DeviceObservations, DeviceRef, decode_block, encode_block
from tests.builders.ble_values import corpus, mutated
from tests.builders.fuzz_counts import SEED, count, seeded

SHARDS = 4
COUNT = count(10_000)
"""Values of one shard: 6 000 in `make test`."""
CONNECTION_VALUES_MAX = 40
EVENTS_OF_A_VALUE_MAX = 600
"""More events than any value of 512 bytes can contain; an interpreter that returns more invents some."""

SAMPLES: dict[int, list[bytes]] = {}
for value in corpus():
    SAMPLES.setdefault(value.characteristic, []).append(value.octets)


def stored(observations: list[Observation]) -> list[Observation]:
    """Encode the observations as the store does, decode them, and return the result."""
    section = DeviceObservations(
        device=DeviceRef("1122334455667788", "fuzzed"),
        boot_id="boot",
        wall_offset_us=0,
        wall_synchronised=True,
        device_offset_us=None,
        uncertainty_us=0,
        stored=False,
        observations=observations,
    )
    return [each for block in decode_block(encode_block([section])) for each in block.observations]


def through_codec(characteristic: int, octets: bytes) -> bool:
    """Return whether the bytes can be decoded; if so, check that encoding and decoding the value again does not change
    it."""
    codec = CODECS[characteristic]
    try:
        found = codec.decode(octets)
    except RemoteProtocolError:
        return False
    assert codec.decode(codec.encode(found)) == found
    return True


def through_interpreter(
    interpreter: ServiceInterpreter, characteristic: int, octets: bytes, *, described: bool
) -> list[GattEvent]:
    try:
        if described:
            return list(interpreter.learn(characteristic, octets))
        return list(interpreter.receive(characteristic, octets, 1.0))
    except RemoteProtocolError:
        return []


@pytest.mark.parametrize("shard", range(SHARDS))
def test_random_characteristic_values_are_decoded_or_refused(shard: int) -> None:
    print(f"\nfuzz: {COUNT} values, seed {SEED}, shard {shard}")
    services = list(PROFILES.values())
    values = read = observed = connection = 0
    while values < COUNT:
        connection += 1
        random = seeded("ble", shard, connection)
        profile = services[(shard + connection) % len(services)]
        characteristics = [each.uuid for each in profile.characteristics if each.uuid in SAMPLES]
        interpreter = profile.interpreter()
        events: list[GattEvent] = []
        for _ in range(min(random.randrange(1, CONNECTION_VALUES_MAX), COUNT - values)):
            characteristic = random.choice(characteristics)
            octets = random.choice(SAMPLES[characteristic])
            values += 1
            if random.random() < 0.9:
                octets = mutated(octets, random)
            read += through_codec(characteristic, octets)
            made = through_interpreter(interpreter, characteristic, octets, described=random.random() < 0.2)
            assert len(made) <= EVENTS_OF_A_VALUE_MAX
            events += made
        events += interpreter.flush()
        observations = [each for event in events if isinstance(event, Measured) for each in event.observations]
        assert stored(observations) == observations
        observed += len(observations)
    print(f"fuzz: {connection} connections, {read} values read, {values - read} refused, {observed} observations")
    assert values == COUNT
    assert read
    assert observed
