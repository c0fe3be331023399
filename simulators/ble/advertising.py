"""Advertising data of a simulated device: flags, services and name."""

from collections.abc import Sequence
from typing import Final

from bumble.core import AdvertisingData

LEGACY_OCTETS_MAX: Final = 31
_FLAGS = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
_HEADER = 2
"""Length and type of each AD structure."""


def advertising_data(services: Sequence[int], name: str) -> bytes:
    """Return advertising data: flags (general discoverable, LE only), services, and the part of the name that fits."""
    listed = b"".join(service.to_bytes(2, "little") for service in services)
    octets = name.encode("ascii")
    room = LEGACY_OCTETS_MAX - (_HEADER + 1) - (_HEADER + len(listed)) - _HEADER
    kind = AdvertisingData.COMPLETE_LOCAL_NAME if len(octets) <= room else AdvertisingData.SHORTENED_LOCAL_NAME
    return bytes(
        AdvertisingData(
            [
                (AdvertisingData.FLAGS, bytes([_FLAGS])),
                (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, listed),
                (kind, octets[:room]),
            ]
        )
    )
