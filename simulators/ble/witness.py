"""The witness of a Bluetooth device: what it measured and what became of it, written where a crash cannot reach it.

One line a characteristic value, forced to the disk:

    <what> <system id, hex> <number> <characteristic, hex> <octets, hex> <microseconds since 1970>

`kept`: measured and in the device's store. `notified`: handed to the radio for somebody who had subscribed; nobody
acknowledges that, so it may be lost on air. `confirmed`: the client's stack confirmed the indication, or the client
took the record in a transfer that it let end in success. A stack confirms before the gateway has committed, so a
gateway that is killed within that window loses a confirmed indication; a record is still in the store then.
`deleted`: the client had the record deleted. `dropped`: the store had no room for it. `spoilt`: sent damaged on
purpose.

The octets are the value exactly as it went on air, so a test compares with the cloud what was measured and not only
that something was. Times are the host's, for judging how close to a kill something happened.
"""

from pathlib import Path
from typing import Literal

from gateway.transports.clock import Clock
from simulators.ble.store import Values
from simulators.line_file import LineFile

What = Literal["kept", "notified", "confirmed", "deleted", "dropped", "spoilt"]


class BleWitness:
    """Appends to one file; several devices of one process may share it, a line is one write."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises OSError when the file cannot be written."""
        self._file = LineFile(path)
        self._clock = clock

    def tell(self, what: What, system_id: bytes, number: int, values: Values) -> None:
        """Blocks until the lines are on the disk."""
        at_us = self._clock.wall_us()
        self._file.write(
            "\n".join(
                f"{what} {system_id.hex()} {number} {characteristic:04x} {octets.hex()} {at_us}"
                for characteristic, octets in values
            )
        )

    def close(self) -> None:
        self._file.close()
