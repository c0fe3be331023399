"""E2E-CRC: the check that some services put behind (Device Time: before) their values (reference BLE §8).

CRC-16 MCRF4XX, which is the serial line's frame check without its last inversion. It guards a value end to end, since
the link's own check ends where the radio chip does.
"""

from protocols.errors import RemoteProtocolError
from protocols.framing.hdlc import fcs16

CRC_OCTETS = 2


def e2e_crc(octets: bytes) -> int:
    return fcs16(octets) ^ 0xFFFF


def with_crc(octets: bytes) -> bytes:
    """Append the check to `octets`, least significant byte first."""
    return octets + e2e_crc(octets).to_bytes(CRC_OCTETS, "little")


def checked(octets: bytes, crc: int, *, clause: str) -> None:
    """Check `octets`. Raises RemoteProtocolError where `crc` is not theirs."""
    if e2e_crc(octets) != crc:
        raise RemoteProtocolError("the E2E-CRC does not fit the value", at=len(octets), clause=clause)
