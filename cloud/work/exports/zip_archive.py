"""ZIP archives that are written in parts, from any byte on (PKWARE APPNOTE 6.3.10).

The standard library writes an archive only from its beginning. Here each member is made on its own, and the directory
at the end is made from what is known of the members, so an export that resumes needs no earlier member.

Members are stored without compression, and their time is the earliest that the format has. So a member that is made
again, perhaps by another version of a compressor, has the same bytes.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

SIZE_MAX = 0xFFFFFFFF
"""Largest size and offset of the format before ZIP64; the number itself means "see the ZIP64 field"."""
COUNT_MAX = 0xFFFF
"""The same for the number of members."""

_VERSION, _VERSION_64 = 20, 45  # that a reader needs, without and with ZIP64
_MADE_BY = 3 << 8 | _VERSION_64  # Unix, for the permissions
_UTF8 = 1 << 11
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1  # midnight, 1 January 1980
_OWNER_ONLY = 0o100600 << 16
_EXTRA_64 = 1

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_OFFSET_64 = struct.Struct("<2HQ")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. `offset` is the byte of the archive at which it begins."""

    name: str
    crc32: int
    size_bytes: int
    offset: int


def member_of(name: str, data: bytes, offset: int) -> tuple[Member, bytes]:
    """Return a file as a member that begins at `offset`, and the bytes that it has there."""
    assert len(data) < SIZE_MAX, "a part of an export has some megabytes"
    member = Member(name, zlib.crc32(data), len(data), offset)
    path = name.encode()
    head = _LOCAL.pack(
        *(b"PK\3\4", _VERSION, _UTF8, _STORED, _TIME, _DATE),
        *(member.crc32, member.size_bytes, member.size_bytes, len(path), 0),
    )
    return member, b"".join((head, path, data))


def directory_of(members: Sequence[Member], at_bytes: int) -> bytes:
    """Return the end of an archive with these members: the directory, which begins at the byte `at_bytes`."""
    entries = b"".join(map(_entry, members))
    size_bytes, count = len(entries), len(members)
    more = b""
    if at_bytes >= SIZE_MAX or size_bytes >= SIZE_MAX or count >= COUNT_MAX:
        rest = _END_64.size - 12  # the bytes behind its own size field
        end = _END_64.pack(b"PK\6\6", rest, _MADE_BY, _VERSION_64, 0, 0, count, count, size_bytes, at_bytes)
        more = end + _LOCATOR_64.pack(b"PK\6\7", 0, at_bytes + size_bytes, 1)
    shown = min(count, COUNT_MAX)
    end = _END.pack(b"PK\5\6", 0, 0, shown, shown, min(size_bytes, SIZE_MAX), min(at_bytes, SIZE_MAX), 0)
    return b"".join((entries, more, end))


def _entry(member: Member) -> bytes:
    """Return the entry of a member in the directory."""
    path = member.name.encode()
    version, extra = _VERSION, b""
    if member.offset >= SIZE_MAX:
        version, extra = _VERSION_64, _OFFSET_64.pack(_EXTRA_64, 8, member.offset)
    head = _CENTRAL.pack(
        *(b"PK\1\2", _MADE_BY, version, _UTF8, _STORED, _TIME, _DATE),
        *(member.crc32, member.size_bytes, member.size_bytes, len(path), len(extra), 0),
        *(0, 0, _OWNER_ONLY, min(member.offset, SIZE_MAX)),
    )
    return b"".join((head, path, extra))
