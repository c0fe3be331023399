"""E2E-CRC: the check that some services put behind (Device Time: before) their values (reference BLE §8).

CRC-16 MCRF4XX, which is the serial line's frame check without its last inversion. It guards a value end to end, since
the link's own check ends where the radio chip does.
"""

from protocols.errors import RemoteProtocolError
from protocols.framing.hdlc import fcs16

CRC_BYTES = 2


def e2e_crc(data: bytes) -> int:
    return fcs16(data) ^ 0xFFFF


def with_crc(data: bytes) -> bytes:
    """Append the check to `data`, least significant byte first."""
    return data + e2e_crc(data).to_bytes(CRC_BYTES, "little")


def checked(data: bytes, crc: int, *, clause: str) -> None:
    """Check `data`. Raises RemoteProtocolError where `crc` is not theirs."""
    if e2e_crc(data) != crc:
        raise RemoteProtocolError("the E2E-CRC does not fit the value", at=len(data), clause=clause)
