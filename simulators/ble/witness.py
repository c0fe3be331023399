"""Witness file of a Bluetooth device: a log of its measurements that survives a crash. Tests compare it with the cloud.

Each characteristic value is one line, forced to the disk:

    <what> <system id, hex> <number> <characteristic, hex> <bytes, hex> <microseconds since 1970>

- `kept`: measured, and in the device's store;
- `notified`: passed to the radio for a subscriber; a notification has no acknowledgement, so it may be lost on air;
- `confirmed`: the client's stack confirmed the indication, or the client received the record in a transfer that ended
  in success. A stack confirms before the gateway has committed, so a gateway that is killed in between loses a
  confirmed indication; a record is still in the device's store then;
- `deleted`: the client deleted the record;
- `dropped`: the store was full;
- `spoilt`: sent damaged on purpose.

The bytes are exactly as sent. Times are the host's.
"""

from pathlib import Path
from typing import Literal

from gateway.transports.clock import Clock
from simulators.ble.store import Values
from simulators.line_file import LineFile

What = Literal["kept", "notified", "confirmed", "deleted", "dropped", "spoilt"]


class BleWitness:
    """Writer of one witness file, which lists the measurements of Bluetooth devices. Devices of one process may share
    it, because each write appends whole lines."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file. Raises OSError where it cannot be written."""
        self._file = LineFile(path)
        self._clock = clock

    def write(self, what: What, system_id: bytes, number: int, values: Values) -> None:
        """Write one line for each of the values, and return when they are on the disk."""
        at_us = self._clock.wall_us()
        self._file.write(
            "\n".join(
                f"{what} {system_id.hex()} {number} {characteristic:04x} {octets.hex()} {at_us}"
                for characteristic, octets in values
            )
        )

    def close(self) -> None:
        self._file.close()
