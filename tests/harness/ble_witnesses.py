"""The measurements that simulated Bluetooth devices recorded in files, converted to the form of the cloud's export.

The files are written by `simulators.ble.witness`. The bytes of each line are decoded by the product's own interpreters,
which other tests compare with the worked examples of the Bluetooth specifications. Tests with this module check that
every measurement arrived once and unchanged.
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
    """One line of a device's witness file (see `simulators.ble.witness`); `what` is the kind of the line."""

    what: str
    system_id: str
    number: int
    characteristic: int
    octets: bytes
    at_us: int


def air_lines(folder: Path) -> Iterator[AirLine]:
    """Yield every line of the witness files in `folder`, file by file, the oldest line of a file first."""
    for path in sorted(folder.glob("*.air")):
        for line in path.read_text().splitlines():
            what, system_id, number, characteristic, octets, at_us = line.split(" ")
            yield AirLine(what, system_id, int(number), int(characteristic, 16), bytes.fromhex(octets), int(at_us))


def readings(line: AirLine) -> list[Reading]:
    """Return the readings that the characteristic value of this line contains."""
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
    """Count the readings in all witness lines of these kinds (`notified`, `confirmed` and so on)."""
    found: collections.Counter[Reading] = collections.Counter()
    for line in air_lines(folder):
        if line.what in whats:
            found.update(readings(line))
    return found


def on_air_in_cloud(rows: list[dict[str, Any]], system_ids: set[str]) -> collections.Counter[Reading]:
    """Count the readings of these devices in the rows of a cloud export, in the form of `witnessed_on_air`."""
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
    """Return a value in the form of the export: a special value by its name, a compound as a tuple of its parts."""
    if isinstance(value, tuple):
        return tuple(exported(part) for part in value)
    return value.value if isinstance(value, Special) else value


def _hashable(value: Any) -> Any:
    return tuple(value.values()) if isinstance(value, dict) else value
