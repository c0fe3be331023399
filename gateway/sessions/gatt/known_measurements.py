"""Stored measurements that this run of the gateway has made durable already, recognised by their content.

A device may resend its stored measurements after each connection, or have a record store that can only be requested as
a whole. Such a device would fill the store and the uplink with measurements that the cloud drops by their content
(DESIGN D3). So a measurement that is listed here is dropped before it is stored. A lost entry of the list does no harm,
so the list is bounded and not kept over a restart.

Live values are never compared: 97, 97, 97 are three readings. In a record store, values with a date that no working
clock could give (`credible_dates`) are distinguished by their record numbers as well.
"""

from collections.abc import Container, Sequence
from hashlib import blake2b
from typing import NamedTuple

from protocols.ble.interpretation import Measured
from protocols.bounded_map import BoundedMap
from protocols.observation import Observation

DEVICES_MAX = 64
MEASUREMENTS_MAX = 4096
"""Maximum number of measurements of one device that are kept: four times the memory of a good meter."""
_DIGEST_OCTETS = 8


class Candidate(NamedTuple):
    """A measurement with flags. `keyed`: for each of its observations, whether the cloud may recognise duplicates of
    the observation by its content; empty if this holds for none. A NamedTuple is used for speed, because a stream needs
    one for each notification."""

    measured: Measured
    keyed: tuple[bool, ...] = ()

    @property
    def is_keyed(self) -> bool:
        return bool(self.keyed) and all(self.keyed)


def candidates(measured: Sequence[Measured], keyed: Sequence[bool]) -> list[Candidate]:
    """Return each measurement with the flags of its observations. `keyed` has the flags for the observations of all
    measurements, in order."""
    found, at = [], 0
    for each in measured:
        found.append(Candidate(each, tuple(keyed[at : at + len(each.observations)])))
        at += len(each.observations)
    return found


def digest_of(observations: Sequence[Observation]) -> bytes:
    """Return a digest of a measurement without its time of reception: the same in each run, and at least as specific as
    the cloud's content key."""
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


def _digest(each: Candidate, *, from_memory: bool) -> bytes | None:
    """Return the digest by which a measurement is recognised. Return None if it has no content key and is not from a
    record store (`from_memory`). For a record without a content key, the digest also covers the record number."""
    if each.is_keyed:
        return digest_of(each.measured.observations)
    if not from_memory:
        return None
    number = each.measured.record
    return digest_of(each.measured.observations) + (b"" if number is None else number.to_bytes(8, "big"))


class KnownMeasurements:
    """Measurements of all devices that this run of the gateway has made durable, for all sessions of the gateway."""

    def __init__(self) -> None:
        self._devices: BoundedMap[str, BoundedMap[bytes, None]] = BoundedMap(DEVICES_MAX)

    def select_new(self, system_id: str, found: Sequence[Candidate], *, from_memory: bool = False) -> list[Candidate]:
        """Return the measurements that are not known to be durable, in order and without repetitions. `from_memory`:
        `found` comes from a record store. Measurements without a credible date are then recognised too, because a store
        that can only be requested as a whole sends them each time."""
        known: Container[bytes] = self._devices.get(system_id) or {}
        news: dict[bytes, Candidate] = {}
        for number, each in enumerate(found):
            digest = _digest(each, from_memory=from_memory) or number.to_bytes(4, "big")
            if digest not in known:
                news.setdefault(digest, each)
        return list(news.values())

    def remember(self, system_id: str, found: Sequence[Candidate], *, from_memory: bool = False) -> None:
        """Add measurements that are durable now. `from_memory`: `found` comes from a record store, so measurements
        without a credible date are added too."""
        worth = [digest for each in found if (digest := _digest(each, from_memory=from_memory)) is not None]
        if not worth:
            return
        known = self._devices.use(system_id, lambda: BoundedMap(MEASUREMENTS_MAX))
        for digest in worth:
            known[digest] = None
