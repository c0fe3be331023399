"""E2E-CRC: the checksum that some services append to their values; Device Time puts it first (reference BLE §8).

The algorithm is CRC-16 MCRF4XX: the frame check of the serial line without the final inversion. E2E-CRC protects a
value from the sensor to the client, while the radio chip checks and removes the CRC of the radio link.
"""

from protocols.errors import RemoteProtocolError
from protocols.framing.hdlc import fcs16

CRC_BYTES = 2


def e2e_crc(data: bytes) -> int:
    return fcs16(data) ^ 0xFFFF


def checked(data: bytes, crc: int, *, clause: str) -> None:
    """Compute the E2E-CRC of `data` and compare it with the received `crc`. Raises RemoteProtocolError, with `clause`
    as the violated clause, if they differ."""
    if e2e_crc(data) != crc:
        raise RemoteProtocolError("the E2E-CRC does not fit the value", at=len(data), clause=clause)
