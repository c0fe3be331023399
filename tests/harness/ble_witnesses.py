"""The records that Bluetooth devices wrote of their own measurements (`simulators.ble.witness`), in the cloud's form.

The bytes of each line are decoded by the product's own interpreters, which other tests compare with the worked examples
of the reference. Tests with this module count whether every measurement arrived, once and unchanged.
"""

import collections
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.ble.interpretation import Measured, ServiceInterpreter
from protocols.ble.services import PROFILES
from protocols.observation import Special, Value

Reading = tuple[str, int, str | None, Any]
"""System id, handle, device time, value."""


@dataclass(frozen=True, slots=True)
class AirLine:
    """One line of a witness."""

    what: str
    system_id: str
    number: int
    characteristic: int
    octets: bytes
    at_us: int


def air_lines(folder: Path) -> Iterator[AirLine]:
    """Yield every line of every device, the oldest first for each."""
    for path in sorted(folder.glob("*.air")):
        for line in path.read_text().splitlines():
            what, system_id, number, characteristic, octets, at_us = line.split(" ")
            yield AirLine(what, system_id, int(number), int(characteristic, 16), bytes.fromhex(octets), int(at_us))


def readings(line: AirLine) -> list[Reading]:
    """Return the readings in one value."""
    interpreter = _interpreter_of(line.characteristic)
    events = [*interpreter.receive(line.characteristic, line.octets, 0.0), *interpreter.flush()]
    return [
        (
            line.system_id,
            observation.channel.handle,
            None if observation.device_time is None else observation.device_time.text(),
            exported(observation.value),
        )
        for event in events
        if isinstance(event, Measured)
        for observation in event.observations
    ]


def witnessed_on_air(folder: Path, *whats: str) -> collections.Counter[Reading]:
    """Count the readings of all lines of these kinds."""
    found: collections.Counter[Reading] = collections.Counter()
    for line in air_lines(folder):
        if line.what in whats:
            found.update(readings(line))
    return found


def on_air_in_cloud(rows: list[dict[str, Any]], system_ids: set[str]) -> collections.Counter[Reading]:
    """Count the same readings in an export of the cloud."""
    return collections.Counter(
        (row["device"]["system_id"], row["handle"], row["device_time"], _hashable(row["value"]))
        for row in rows
        if row["device"]["system_id"] in system_ids
    )


def _interpreter_of(characteristic: int) -> ServiceInterpreter:
    for profile in PROFILES.values():
        if profile.use(characteristic) is not None:
            return profile.interpreter()
    raise AssertionError(f"no service has 0x{characteristic:04X}")


def exported(value: Value | None) -> Any:
    """Return a value as the export shows it: a special value by its name, a compound as its parts in order."""
    if isinstance(value, tuple):
        return tuple(exported(part) for part in value)
    return value.value if isinstance(value, Special) else value


def _hashable(value: Any) -> Any:
    return tuple(value.values()) if isinstance(value, dict) else value
