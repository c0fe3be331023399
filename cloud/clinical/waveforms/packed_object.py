"""The packed object, versions 1 to 3: envelopes of one tenant as received, with an index.

An object is written once and read in three ways: the envelopes of a run by their byte range, the index from the end,
or everything from the beginning, which needs no database. `docs/waveform-objects.md` is the description for other
readers.

    header    "ARGW" · version (1 byte) · tenant · time of packing (i64, µs)
    entries   each: length (u32) · CRC-32 (u32) · envelope, or an erased envelope (version 2)
    index     zlib: runs, then the least and greatest sample of each channel by second and by minute (`summary`)
    trailer   offset of the index (u32) · number of entries (u32) · SHA-256 of all bytes before it · "WGRA"

An object of version 1 is written at ingest. Version 2 is written when an encounter is erased (`rewriting`): the highest
bit of an entry's length marks an erased envelope, whose payload is replaced by the SHA-256 of the payload. The chain
hash covers this SHA-256 and not the payload itself, so the hash and the signature of an erased envelope still verify.
Version 3 has the envelopes of numerics (`groups`): the next bit of the length marks a group, a zstd frame of whole
entries. An envelope of numerics has some hundred bytes, most of which are those of its neighbours.

Integers are little-endian. The CRC-32 detects damage of a range that is read alone, and the SHA-256 of the whole. Both
protect against faults, and the signatures in the envelopes against changes.

Every function is linear in the bytes that it gets, and raises `ObjectDamaged` for bytes that are no such object.
"""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cloud.clinical.waveforms.entries import ENTRIES_MAX, entries_of
from cloud.clinical.waveforms.summarising import Summarising, Summary
from cloud.clinical.waveforms.summary import ChannelSummary, read_summaries
from cloud.foundation.objects import ObjectDamaged
from protocols.errors import RemoteProtocolError
from protocols.provenance.hash_chain import HASH_BYTES
from protocols.uplink.envelope import Batch, Envelope, batch_hash, encode_envelope
from protocols.uplink.limits import ENVELOPE_BYTES_MAX, IDENTIFIER_LENGTH_MAX, SEQUENCE_MAX
from protocols.uplink.wire import WireReader, WireWriter

VERSION = 1
VERSION_WITH_ERASED = 2
VERSION_WITH_GROUPS = 3
PACKED_BYTES_MAX = 8_000_000
"""Limit of a whole object: large enough that requests and storage classes of an S3 service cost little (128 KB is
billed for any smaller object of its cheap classes), small enough to be put within a second."""
ENTRIES_BYTES_MAX = 5_500_000
"""Bytes of envelopes after which an object is closed; at most one more envelope (1 MiB) fits. The rest is for the
index, whose parts have limits of their own."""
INDEX_BYTES_MAX = 8_000_000
"""The index after decompression: `ENTRIES_MAX` runs, `BUCKETS_MAX` seconds of 24 bytes and `CHANNELS_MAX` channels."""
_MAGIC, _END = b"ARGW", b"WGRA"
_TRAILER = struct.Struct("<II32s4s")
TRAILER_BYTES = _TRAILER.size
_CLAUSE = "packed object"

_RUNS_BYTES_MAX = ENTRIES_MAX * (2 * IDENTIFIER_LENGTH_MAX + 24)
assert ENTRIES_BYTES_MAX + ENVELOPE_BYTES_MAX + _RUNS_BYTES_MAX + 4096 <= PACKED_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedRun:
    """Consecutive batches of one lane in an object: sequence numbers `sequence`…`sequence + batches - 1`, in the
    `size_bytes` bytes from `position` on."""

    gateway: str
    epoch: str
    sequence: int
    batches: int
    position: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedIndex:
    """The index of an object. `summarised` is False when some samples are in no summary, since the limit of an index
    was reached or the payload could not be decoded."""

    runs: Sequence[PackedRun]
    summaries: Sequence[ChannelSummary]
    summarised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedObject:
    """A whole object after all checks. `erased` are the erased envelopes (`erased_envelope`)."""

    tenant_id: str
    packed_at_us: int
    envelopes: Sequence[bytes]
    index: PackedIndex
    erased: Sequence[bytes] = ()


def erased_envelope(envelope: Envelope) -> bytes:
    """Return the bytes of an envelope whose payload is replaced by its SHA-256. `erased_hash` returns its hash."""
    batch = envelope.batch
    return encode_envelope(replace(envelope, batch=replace(batch, payload=hashlib.sha256(batch.payload).digest())))


def erased_hash(batch: Batch) -> bytes:
    """Return the chain hash of the batch of which an erased envelope was made."""
    return batch_hash(batch, batch.payload)


def encode_header(tenant_id: str, packed_at_us: int, *, version: int = VERSION) -> bytes:
    writer = WireWriter()
    writer.raw(_MAGIC)
    writer.u8(version)
    writer.text(tenant_id, limit_bytes=IDENTIFIER_LENGTH_MAX)
    writer.i64(packed_at_us)
    return writer.take()


def encode_object(
    header: bytes,
    entries: Sequence[bytes],
    runs: Sequence[PackedRun],
    summary: Summary,
    *,
    envelopes: int | None = None,
) -> bytes:
    """Return a whole object. `entries` are in the order of `runs`, and the positions of the runs count from the
    beginning of `header`. `envelopes` is their number if the entries are groups. The summary is left out if the object
    would exceed its limit."""
    count = len(entries) if envelopes is None else envelopes
    body = b"".join((header, *entries))
    packed_index = _encode_index(runs, summary)
    if len(body) + len(packed_index) + TRAILER_BYTES > PACKED_BYTES_MAX:
        without = Summarising()
        without.leave_out()
        packed_index = _encode_index(runs, without.end())
    packed = b"".join((body, packed_index, struct.pack("<II", len(body), count)))
    data = b"".join((packed, hashlib.sha256(packed).digest(), _END))
    assert len(data) <= PACKED_BYTES_MAX, "the limits of the entries keep an object below its limit"
    return data


def decode_object(data: bytes) -> PackedObject:
    """Check and decode a whole object."""
    try:
        return _decode_object(data)
    except RemoteProtocolError as error:
        raise ObjectDamaged(f"({error})") from None


def index_range(trailer: bytes, size_bytes: int) -> tuple[int, int]:
    """Return the first byte and the number of bytes of the index of an object of `size_bytes` bytes, whose last
    `TRAILER_BYTES` bytes are `trailer`."""
    if len(trailer) != TRAILER_BYTES:
        raise ObjectDamaged(f"(It ends within the trailer of a {_CLAUSE}.)")
    offset, _, _, end = _TRAILER.unpack(trailer)
    if end != _END:
        raise ObjectDamaged(f"(It is cut off, or no {_CLAUSE}.)")
    if offset > size_bytes - TRAILER_BYTES:
        raise ObjectDamaged("(Its index would begin behind its end.)")
    return offset, size_bytes - TRAILER_BYTES - offset


def decode_index(packed: bytes, *, seconds: bool = True) -> PackedIndex:
    """Decode the bytes of the range that `index_range` named; with `seconds` False, without the extremes by second."""
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(packed, INDEX_BYTES_MAX)
    except zlib.error:
        raise ObjectDamaged("(Its index cannot be decompressed.)") from None
    if not inflater.eof or inflater.unused_data:
        raise ObjectDamaged("(Its index is cut off, or longer than its limit.)")
    reader = WireReader(body, clause=_CLAUSE)
    try:
        runs = [_read_run(reader) for _ in range(reader.varint(ENTRIES_MAX))]
        summarised = bool(reader.u8())
        summaries = read_summaries(reader, seconds=seconds)
        reader.end()
    except RemoteProtocolError as error:
        raise ObjectDamaged(f"({error})") from None
    return PackedIndex(runs=runs, summaries=summaries, summarised=summarised)


def _encode_index(runs: Sequence[PackedRun], summary: Summary) -> bytes:
    writer = WireWriter()
    writer.varint(len(runs))
    for run in runs:
        writer.text(run.gateway, limit_bytes=IDENTIFIER_LENGTH_MAX)
        writer.text(run.epoch, limit_bytes=IDENTIFIER_LENGTH_MAX)
        for number in (run.sequence, run.batches, run.position, run.size_bytes):
            writer.varint(number)
    writer.u8(summary.complete)
    summary.write(writer)
    return zlib.compress(writer.take(), 1)


def _decode_object(data: bytes) -> PackedObject:
    if len(data) > PACKED_BYTES_MAX:
        raise ObjectDamaged(f"({len(data)} bytes; at most {PACKED_BYTES_MAX} are allowed.)")
    trailer = data[-TRAILER_BYTES:]
    first, index_bytes = index_range(trailer, len(data))
    _, count, digest, _ = _TRAILER.unpack(trailer)
    if hashlib.sha256(memoryview(data)[: -len(_END) - HASH_BYTES]).digest() != digest:
        raise ObjectDamaged("(Its SHA-256 is not that in its trailer.)")
    reader = WireReader(data[:first], clause=_CLAUSE)
    if reader.take(len(_MAGIC)) != _MAGIC:
        raise reader.wrong("the first bytes are not those of a packed object")
    version = reader.u8()
    if version not in (VERSION, VERSION_WITH_ERASED, VERSION_WITH_GROUPS):
        raise reader.wrong(f"version {version}; this program reads {VERSION} to {VERSION_WITH_GROUPS}. Upgrade it")
    tenant_id, packed_at_us = reader.text(IDENTIFIER_LENGTH_MAX), reader.i64()
    entries = list(entries_of(data[:first], first=first - reader.rest_bytes))
    if len(entries) != count:
        raise reader.wrong(f"{len(entries)} entries instead of {count}")
    erased = [entry.envelope for entry in entries if entry.is_erased]
    if erased and version == VERSION:
        raise reader.wrong(f"an erased entry in version {VERSION}")
    if version < VERSION_WITH_GROUPS and any(entry.in_group for entry in entries):
        raise reader.wrong(f"a group in version {version}")
    return PackedObject(
        tenant_id=tenant_id,
        packed_at_us=packed_at_us,
        envelopes=[entry.envelope for entry in entries if not entry.is_erased],
        index=decode_index(data[first : first + index_bytes]),
        erased=erased,
    )


def _read_run(reader: WireReader) -> PackedRun:
    return PackedRun(
        gateway=reader.text(IDENTIFIER_LENGTH_MAX),
        epoch=reader.text(IDENTIFIER_LENGTH_MAX),
        sequence=reader.varint(SEQUENCE_MAX),
        batches=reader.varint(ENTRIES_MAX),
        position=reader.varint(PACKED_BYTES_MAX),
        size_bytes=reader.varint(PACKED_BYTES_MAX),
    )
