"""Stored measurements that this run of the gateway has made durable already, known by their content.

A device that sends its memory again after each connection, or a record store that can only be asked for all of it,
would fill the store and the uplink with what the cloud then drops (DESIGN D3: a stored measurement is known by its
content). What is remembered here is dropped before it costs anything. Forgetting is harmless, so it is bounded and not
kept over a restart. Live values are never looked at: 97, 97, 97 are three readings.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from protocols.ble.interpretation import Measured
from protocols.observation import Observation

DEVICES_MAX = 64
MEASUREMENTS_MAX = 4096
"""Of one device: four times what a good meter keeps."""
_DIGEST_OCTETS = 8


def digest_of(observations: Sequence[Observation]) -> bytes:
    """What a measurement says, without when it came. The same in each run; as particular as the cloud's key at
    least."""
    digest = blake2b(digest_size=_DIGEST_OCTETS)
    for observation in observations:
        channel, time = observation.channel, observation.device_time
        said = (
            channel.handle,
            (channel.type.partition, channel.type.code),
            None if channel.unit is None else (channel.unit.partition, channel.unit.code),
            channel.person,
            [(each.partition, each.code) for each in channel.supplemental_types],
            observation.value,
            observation.status,
            None if time is None else (time.kind.value, time.octets),
        )
        digest.update(repr(said).encode())
        digest.update(observation.samples or b"")
    return digest.digest()


class KnownMeasurements:
    """For all sessions of one gateway."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, OrderedDict[bytes, None]] = OrderedDict()

    def news(self, system_id: str, measured: Sequence[Measured], *, from_memory: bool = False) -> list[Measured]:
        """Those that are not known to be durable, in order; a repetition among them goes too. `from_memory`: also what
        has no date may be known, because a memory that can only be asked for all of it gives it each time."""
        known = self._devices.get(system_id) or OrderedDict[bytes, None]()
        found: dict[bytes, Measured] = {}
        for number, each in enumerate(measured):
            digest = digest_of(each.observations) if each.stored or from_memory else number.to_bytes(4, "big")
            if digest not in known:
                found.setdefault(digest, each)
        return list(found.values())

    def durable(self, system_id: str, measured: Sequence[Measured], *, from_memory: bool = False) -> None:
        """These are in the store now."""
        worth = [each for each in measured if each.stored or from_memory]
        if not worth:
            return
        known = self._devices.setdefault(system_id, OrderedDict())
        self._devices.move_to_end(system_id)
        for each in worth:
            known[digest_of(each.observations)] = None
        while len(known) > MEASUREMENTS_MAX:
            known.popitem(last=False)
        while len(self._devices) > DEVICES_MAX:
            self._devices.popitem(last=False)
