"""E2E-CRC: the check that some services append to their values (Device Time: prepends) (reference BLE §8).

CRC-16 MCRF4XX, which is the serial line's frame check without its last inversion. It protects a value end to end; the
link's own check ends at the radio chip.
"""

from protocols.errors import RemoteProtocolError
from protocols.framing.hdlc import fcs16

CRC_BYTES = 2


def e2e_crc(data: bytes) -> int:
    return fcs16(data) ^ 0xFFFF


def checked(data: bytes, crc: int, *, clause: str) -> None:
    """Check `data`. Raises RemoteProtocolError where `crc` does not match."""
    if e2e_crc(data) != crc:
        raise RemoteProtocolError("the E2E-CRC does not fit the value", at=len(data), clause=clause)
