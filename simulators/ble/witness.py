"""The witness of a Bluetooth device: its measurements and their fate, in a file that no crash can affect.

One line for each characteristic value, forced to the disk:

    <what> <system id, hex> <number> <characteristic, hex> <bytes, hex> <microseconds since 1970>

`kept`: measured and in the device's store. `notified`: passed to the radio for a subscriber; a notification has no
acknowledgement, so it may be lost on air. `confirmed`: the client's stack confirmed the indication, or the client
received the record in a transfer that ended in success. A stack confirms before the gateway has committed, so a gateway
that is killed within that window loses a confirmed indication; a record is still in the store then. `deleted`: the
client deleted the record. `dropped`: the store had no room for it. `spoilt`: sent damaged on purpose.

The bytes are the value exactly as sent on air, so a test compares the values in the cloud with the measured ones and
not only their number. Times are the host's, to show how close to a kill an event was.
"""

from pathlib import Path
from typing import Literal

from gateway.transports.clock import Clock
from simulators.ble.store import Values
from simulators.line_file import LineFile

What = Literal["kept", "notified", "confirmed", "deleted", "dropped", "spoilt"]


class BleWitness:
    """Appends to one file. Several devices of one process may share it; a line is one write."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Open the file. Raises OSError when it cannot be written."""
        self._file = LineFile(path)
        self._clock = clock

    def write(self, what: What, system_id: bytes, number: int, values: Values) -> None:
        """Write the lines; return when they are on the disk."""
        at_us = self._clock.wall_us()
        self._file.write(
            "\n".join(
                f"{what} {system_id.hex()} {number} {characteristic:04x} {octets.hex()} {at_us}"
                for characteristic, octets in values
            )
        )

    def close(self) -> None:
        self._file.close()
