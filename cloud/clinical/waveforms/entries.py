"""The entries of a packed object: envelopes with their length and checksum, alone or in compressed groups.

    entry     length (u32) · CRC-32 (u32) · envelope
    group     length (u32) · CRC-32 (u32) · zstd frame of whole entries

The highest bit of a length marks an erased envelope, and the next one a group. Reading is linear: a group states its
size before it is decompressed, and the groups of a range have a limit together.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import zstandard

from cloud.foundation.objects import ObjectDamaged
from protocols.uplink.limits import ENVELOPE_BYTES_MAX

ENTRIES_MAX = 8_192
"""Envelopes in one object. A live envelope has some kB, so an object has about thousand; the limit bounds the index of
an object of empty envelopes."""
GROUP_BYTES_MAX = (2 << 20) + (64 << 10)
"""Bytes of a group after decompression: a run (1 MiB), the envelope that exceeds it (1 MiB), and the heads of its
entries. A reader of one envelope decompresses its whole group."""
GROUPS_BYTES_MAX = 16 << 20
"""Bytes of all groups of an object or a range after decompression: four times those of the largest object that is
written, so a damaged or forged object cannot fill the memory."""


_ENTRY = struct.Struct("<II")
_ERASED = 1 << 31
"""The bit of an entry's length that marks an erased envelope. An envelope is far shorter."""
_GROUP = 1 << 30
"""The bit of an entry's length that marks a group. A group is far shorter."""
assert max(ENVELOPE_BYTES_MAX, GROUP_BYTES_MAX) < _GROUP
_GROUP_LEVEL = 9
"""Level of compression of a group. Level 3 takes 2 % more bytes and level 19 1 % less, and neither time matters beside
the transaction that deletes the rows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of an object. `position` is its first byte, and `size_bytes` its size with the length and the CRC-32;
    both are those of the group if it is in one."""

    position: int
    size_bytes: int
    envelope: bytes
    is_erased: bool = False
    in_group: bool = False


def encode_entry(envelope: bytes, *, is_erased: bool = False) -> bytes:
    mark = _ERASED if is_erased else 0
    return _ENTRY.pack(len(envelope) | mark, zlib.crc32(envelope)) + envelope


def encode_group(entries: Sequence[bytes]) -> bytes:
    """Return whole entries (`encode_entry`) as one group, which is an entry itself."""
    body = b"".join(entries)
    assert len(body) <= GROUP_BYTES_MAX, "the limits of a run keep a group below its limit"
    frame = zstandard.ZstdCompressor(level=_GROUP_LEVEL).compress(body)
    return _ENTRY.pack(len(frame) | _GROUP, zlib.crc32(frame)) + frame


def read_entries(data: bytes, *, limit: int = ENTRIES_MAX) -> Iterator[bytes]:
    """Yield the envelopes of a byte range that consists of whole entries, at most `limit`. Each is checked by its
    CRC-32 before it is yielded. An erased envelope is an error, since no run has one."""
    for entry in entries_of(data, limit=limit):
        if entry.is_erased:
            raise ObjectDamaged(f"(The entry at byte {entry.position} of the range is erased.)")
        yield entry.envelope


def entries_of(data: bytes, *, first: int = 0, limit: int = ENTRIES_MAX) -> Iterator[Entry]:
    """Yield the entries from the byte `first` on to the end of `data`, which are whole, at most `limit`. Each is
    checked by its CRC-32 before it is yielded. A group yields the entries that it consists of."""
    count = unpacked = 0
    for entry in _stored_entries(data, first, limit):
        inner = [entry]
        if entry.in_group:
            body = _decompress(entry)
            unpacked += len(body)
            if unpacked > GROUPS_BYTES_MAX:
                raise ObjectDamaged(f"(Its groups have more than {GROUPS_BYTES_MAX} bytes.)")
            inner = list(_stored_entries(body, 0, limit - count))
            if not inner or any(one.in_group for one in inner):
                raise ObjectDamaged(f"(The group at byte {entry.position} of the range has no envelope, or a group.)")
            inner = [replace(entry, envelope=one.envelope, is_erased=one.is_erased) for one in inner]
        for one in inner:
            if count == limit:
                raise ObjectDamaged(f"(Entry {count} of the range is one too many.)")
            yield one
            count += 1


def _stored_entries(data: bytes, first: int, limit: int) -> Iterator[Entry]:
    """Yield the entries as they are stored, at most `limit`. The `envelope` of a group is its zstd frame."""
    at, count = first, 0
    while at < len(data):
        if len(data) - at < _ENTRY.size:
            raise ObjectDamaged(f"(Entry {count} of the range is cut off after {len(data) - at} bytes.)")
        length, checksum = _ENTRY.unpack_from(data, at)
        size_bytes, is_erased, in_group = length & ~(_ERASED | _GROUP), bool(length & _ERASED), bool(length & _GROUP)
        begin = at + _ENTRY.size
        most = GROUP_BYTES_MAX if in_group and not is_erased else ENVELOPE_BYTES_MAX
        if size_bytes > most or (in_group and is_erased) or count == limit:
            raise ObjectDamaged(f"(Entry {count} of the range is longer than an envelope, or one too many.)")
        if size_bytes > len(data) - begin:
            raise ObjectDamaged(f"(Entry {count} of the range has {len(data) - begin} of {size_bytes} bytes.)")
        stored = data[begin : begin + size_bytes]
        if zlib.crc32(stored) != checksum:
            raise ObjectDamaged(f"(Entry {count} of the range has another CRC-32.)")
        yield Entry(at, _ENTRY.size + size_bytes, stored, is_erased, in_group)
        at, count = begin + size_bytes, count + 1


def _decompress(group: Entry) -> bytes:
    """Return the entries of a group. The decompressor allocates what the frame states, so that is compared first."""
    try:
        size_bytes = zstandard.frame_content_size(group.envelope)
        if not 0 <= size_bytes <= GROUP_BYTES_MAX:
            raise ObjectDamaged(f"(The group at byte {group.position} of the range is longer than its limit.)")
        body = zstandard.ZstdDecompressor().decompress(group.envelope, allow_extra_data=False)
    except zstandard.ZstdError:
        raise ObjectDamaged(f"(The group at byte {group.position} of the range cannot be decompressed.)") from None
    return body
