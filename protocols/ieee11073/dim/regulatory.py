"""Reg-Cert-Data-List of a device: its certifications, and whether it is regulated (reference 20601 §8.1).

Only the two Continua structures have a confirmed layout. Any other entry is kept as bytes.
"""

from dataclasses import dataclass

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.mder import (
    U8,
    U16,
    AnyDefinedBy,
    Bits16,
    OpenIntEnum8,
    SequenceOf,
    decode,
    decode_list,
    sequence,
)

PROFILES_FROM = 4096
"""A certified class counts device profiles (partition 8) from here."""
_CLASSES_OF_TRANSPORT = 8192
_CERTIFIED_CLASSES, _REGULATION = 1, 2
_UNREGULATED = 0x8000


class AuthBody(OpenIntEnum8):
    """auth-body: the body that certified the device."""

    EMPTY = 0
    IEEE_11073 = 1
    CONTINUA = 2
    EXPERIMENTAL = 254
    RESERVED = 255


class CertifiedTransport(OpenIntEnum8):
    """Transport of a certified device class. The enum value is the number of the class divided by 8192."""

    CONTINUA_1_0 = 0
    USB = 1
    HDP = 2
    ZIGBEE = 3
    BLE = 4
    NFC = 5


@sequence
class RegCertData:
    """One entry of a Reg-Cert-Data-List, as sent."""

    auth_body: AuthBody
    struc_type: U8
    data: AnyDefinedBy


@sequence
class ContinuaClasses:
    """Continua structure 1: the version of the guidelines, and the certified device classes."""

    major: U8
    minor: U8
    classes: SequenceOf[U16]


@dataclass(frozen=True, slots=True)
class CertifiedClass:
    """A certified device class: a transport, and a device profile (a code of partition 8)."""

    transport: CertifiedTransport
    profile: int


@dataclass(frozen=True, slots=True)
class Certification:
    """One entry of a Reg-Cert-Data-List, with its data as sent (`octets`). `unregulated` None: not stated."""

    body: AuthBody
    structure: int
    octets: bytes
    version: tuple[int, int] | None = None
    classes: tuple[CertifiedClass, ...] = ()
    unregulated: bool | None = None


def certifications(data: bytes) -> tuple[Certification, ...]:
    """Decode a Reg-Cert-Data-List; an entry with malformed data keeps only its bytes. Raises `RemoteProtocolError`."""
    return tuple(_certification(entry) for entry in decode_list(RegCertData, data))


def _certification(entry: RegCertData) -> Certification:
    unread = Certification(entry.auth_body, entry.struc_type, entry.data)
    if entry.auth_body is not AuthBody.CONTINUA:
        return unread
    try:
        if entry.struc_type == _CERTIFIED_CLASSES:
            certified = decode(ContinuaClasses, entry.data)
            classes = tuple(
                CertifiedClass(
                    CertifiedTransport(number // _CLASSES_OF_TRANSPORT), number % _CLASSES_OF_TRANSPORT + PROFILES_FROM
                )
                for number in certified.classes
            )
            return Certification(
                entry.auth_body, entry.struc_type, entry.data, (certified.major, certified.minor), classes
            )
        if entry.struc_type == _REGULATION:
            flags = decode(_Regulation, entry.data).flags
            return Certification(entry.auth_body, entry.struc_type, entry.data, unregulated=bool(flags & _UNREGULATED))
    except RemoteProtocolError:
        pass
    return unread


@sequence
class _Regulation:
    """Continua structure 2: bit 0 (0x8000) is set for an unregulated device."""

    flags: Bits16
