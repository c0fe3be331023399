"""Read the observations of an encounter in the order of its bundle, from any position on.

The order is: observations in rows before packed waveforms, so that the vital signs are in the first parts; then by
device, time, sequence and index. A position is that of the last observation before it, so a part needs no more memory
than a page, and a later part is found without reading the earlier ones.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from cloud.clinical.fhir.encounter_devices import EncounterDevice
from cloud.clinical.observations import ObservationReader, ReadObservation
from protocols.observation_record import ObservationRecord


class Position(NamedTuple):
    """Position of an observation in the order of a bundle. `lane` distinguishes observations of two gateways,
    and `place` is the index in the batch."""

    packed: bool
    device_id: str
    observed_at_us: int
    sequence: int
    place: int
    lane: str


class EncounterObservations:
    """The observations of one encounter, of these devices by id."""

    def __init__(self, reader: ObservationReader, encounter_id: str, devices: Sequence[EncounterDevice]) -> None:
        self._reader = reader
        self._encounter_id = encounter_id
        self._devices = devices

    async def read(
        self, after: Position | None
    ) -> AsyncGenerator[tuple[Position, EncounterDevice, ReadObservation], None]:
        """Yield the observations behind a position, None: all. An observation that was stored meanwhile and is before
        the position is in no later part; it is in the bundle when that is read from its beginning."""
        for packed in (False, True):
            for device in self._devices:
                if after is not None and (packed, device.device.id) < (after.packed, after.device_id):
                    continue
                resumed = (
                    after
                    if after is not None and (after.packed, after.device_id) == (packed, device.device.id)
                    else None
                )
                async for one in self._of_device(packed, device, resumed):
                    yield one

    async def _of_device(
        self, packed: bool, device: EncounterDevice, after: Position | None
    ) -> AsyncGenerator[tuple[Position, EncounterDevice, ReadObservation], None]:
        since_us = device.from_us if after is None else max(device.from_us, after.observed_at_us)
        async with aclosing(self._reader.read(device=device.device.id, since_us=since_us, packed=packed)) as found:
            async for one in found:
                record = one.record
                if device.until_us is not None and record.observed_at_us >= device.until_us:
                    return
                if record.encounter_id != self._encounter_id:
                    continue
                position = _position(packed, device.device.id, record)
                if after is None or _is_behind(position, after):
                    yield position, device, one


def _position(packed: bool, device_id: str, record: ObservationRecord) -> Position:
    lane = f"{record.gateway}/{record.epoch}/{record.lane.value}"
    return Position(packed, device_id, record.observed_at_us, record.sequence, record.index, lane)


def _is_behind(position: Position, after: Position) -> bool:
    """Return whether a position comes after another one of the same device. Two lanes may have the same time, sequence
    and index: then the second may be read again, which creates nothing at the receiver."""
    place, other = position[2:5], after[2:5]
    return place > other or (place == other and position.lane != after.lane)
