"""Header and compressed body of an observation block: version · u32 length of the body · compressed body.

Version 1 holds any observations, and zlib compresses its body. Version 2, the waveform block, holds arrays of samples
only, and zstd compresses its body. The header states the length of the body, so a reader refuses a block above its
limit before it decompresses anything, and decompression stops at the stated length. `observations` defines the bodies.
"""

import struct
import zlib

import zstandard

from protocols.errors import RemoteProtocolError
from protocols.uplink.limits import BLOCK_BYTES_MAX, BlockTooLarge, LimitExceeded

MIXED = 1
"""Version of a block with any observations. Numerics and alarms stay in this version, which every cloud can decode."""

WAVEFORMS = 2
"""Version of a block whose observations are all arrays of samples."""

CLAUSES = {MIXED: "uplink observation block v1", WAVEFORMS: "uplink observation block v2"}
"""Names of the encodings, for the text of errors."""

_SMALL_BYTES_MAX = 4096
_SMALL, _LARGE = (12, 5), (15, 8)
"""Window and memory of zlib, for a small body and another one: 34 kB and 262 kB, which zlib clears for each body. That
takes more time than compressing the numerics of a second. A window of 4096 bytes covers a small body, and every reader
of zlib takes any window."""

_ZSTD = zstandard.ZstdCompressionParameters.from_level(1, min_match=7)
"""The cheapest level of compression, with long matches only: the structure repeats itself in long pieces, and samples
hardly at all. For batches of the demo's monitor (1 s) level 5 takes 3 % more bytes and three times the time (138 and
46 µs a batch). For those of a cardiac arrest it takes 1 % less."""

_COMPRESSORS_IDLE_MAX = 2
"""Compressors that are kept, each with its working memory: a gateway has one thread that encodes."""

_idle: list[zstandard.ZstdCompressor] = []
"""Compressors that no thread uses. One that is used must not be used by another thread, so it is taken out meanwhile;
taking and adding an item are one step each. Making one takes a fifth of the time of a compression."""

_idle_decompressors: list[zstandard.ZstdDecompressor] = []
"""Decompressors that no thread uses, as `_idle`. Making one takes as long as decompressing the batch of a second."""

_LENGTH = struct.Struct("<I")
_HEAD_BYTES = 1 + _LENGTH.size


def pack(body: bytes) -> bytes:
    """Return the block of version 1 with this body. Raises `BlockTooLarge` for a body above `BLOCK_BYTES_MAX`."""
    window_bits, memory_level = _SMALL if len(body) <= _SMALL_BYTES_MAX else _LARGE
    compressor = zlib.compressobj(1, zlib.DEFLATED, window_bits, memory_level)
    return b"".join((_head(MIXED, len(body)), compressor.compress(body), compressor.flush()))


def pack_waveforms(body: bytes, low_bytes: bytes) -> bytes:
    """Return the block of version 2 whose body is `body` and `low_bytes`. Raises `BlockTooLarge` like `pack`.

    The two parts are one frame of two zstd blocks, each with its own entropy code, since the low bytes of differences
    are noise and all other bytes are structure. That saves 3 % of the block; a reader sees no difference.
    """
    length = len(body) + len(low_bytes)
    head = _head(WAVEFORMS, length)
    try:
        compressor = _idle.pop()
    except IndexError:
        compressor = zstandard.ZstdCompressor(compression_params=_ZSTD)
    frame = compressor.compressobj(size=length)
    structure = frame.compress(body) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    block = b"".join((head, structure, frame.compress(low_bytes), frame.flush()))
    if len(_idle) < _COMPRESSORS_IDLE_MAX:
        _idle.append(compressor)
    return block


def _head(version: int, length: int) -> bytes:
    if length > BLOCK_BYTES_MAX:
        raise BlockTooLarge(f"{length} bytes in one block; {BLOCK_BYTES_MAX} are allowed")
    return bytes((version,)) + _LENGTH.pack(length)


def body_bytes(data: bytes) -> int:
    """Return the length after decompression that a block announces, without decompressing it; 0 when the block is too
    short. `unpack` refuses a block whose length differs from the announced one."""
    length: int = _LENGTH.unpack_from(data, 1)[0] if len(data) >= _HEAD_BYTES else 0
    return length


def unpack(data: bytes, limit_bytes: int) -> tuple[int, bytes]:
    """Return the version and the decompressed body of a block. Raises `LimitExceeded` for an announced length above
    `limit_bytes`, and `RemoteProtocolError` for a block that is not one compressed body of the announced length."""
    return _unpack(data, limit_bytes, None)


def unpack_beginning(data: bytes, limit_bytes: int, begin_bytes: int) -> tuple[int, bytes]:
    """Return the version and the first `begin_bytes` of the decompressed body of a block, in less time, or all of a
    shorter body. Raises as `unpack`, but may not notice that the rest is invalid."""
    return _unpack(data, limit_bytes, begin_bytes)


def _unpack(data: bytes, limit_bytes: int, begin_bytes: int | None) -> tuple[int, bytes]:
    if len(data) < _HEAD_BYTES:
        raise RemoteProtocolError("a block has at least five bytes", at=0, clause="uplink observation block")
    version, length = data[0], body_bytes(data)
    clause = CLAUSES.get(version)
    if clause is None:
        reason = f"block version {version}; this side reads {MIXED} and {WAVEFORMS}"
        raise RemoteProtocolError(reason, at=0, clause="uplink observation block")
    if length > limit_bytes:
        raise LimitExceeded(f"a body of {length} bytes; {limit_bytes} are allowed", at=1, clause=clause)
    packed = data[_HEAD_BYTES:]
    try:
        if begin_bytes is not None and begin_bytes < length:
            is_mixed = version == MIXED
            body = _inflate_beginning(packed, begin_bytes) if is_mixed else _first_bytes(packed, length, begin_bytes)
        else:
            body = _inflate(packed, length) if version == MIXED else _decompress(packed, length)
    except zlib.error:
        raise RemoteProtocolError("the body is not a zlib stream", at=_HEAD_BYTES, clause=clause) from None
    except zstandard.ZstdError:
        raise RemoteProtocolError("the body is not one zstd frame", at=_HEAD_BYTES, clause=clause) from None
    if body is None:
        raise RemoteProtocolError("the body is not as long as announced", at=_HEAD_BYTES, clause=clause)
    return version, body


def _inflate(stream: bytes, length: int) -> bytes | None:
    """Return the `length` bytes of a zlib stream; None if it has another length or bytes follow it."""
    inflate = zlib.decompressobj()
    # One byte more than announced would already be wrong, and 0 would mean "without a limit" to zlib.
    body = inflate.decompress(stream, length + 1)
    return body if len(body) == length and inflate.eof and not inflate.unused_data else None


def _decompress(frame: bytes, length: int) -> bytes | None:
    """Return the `length` bytes of a zstd frame; None if it has another length. The decompressor allocates what the
    frame itself states, so that is compared first."""
    if zstandard.frame_content_size(frame) != length:
        return None
    decompressor = _take_decompressor()
    body = decompressor.decompress(frame, allow_extra_data=False)
    _give_decompressor(decompressor)
    return body if len(body) == length else None


def _inflate_beginning(stream: bytes, begin_bytes: int) -> bytes | None:
    body = zlib.decompressobj().decompress(stream, begin_bytes)
    return body if len(body) == begin_bytes else None


def _first_bytes(frame: bytes, length: int, begin_bytes: int) -> bytes | None:
    """Return the first bytes of a zstd frame. Only the zstd blocks that have them are decompressed, which for a block
    of waveforms is the one with all but the low bytes of its samples. The decompressor allocates a window of the
    size that the frame demands, up to 128 MiB, but none above that of the content, so this is compared first."""
    if zstandard.frame_content_size(frame) != length:
        return None
    decompressor = _take_decompressor()
    body = decompressor.stream_reader(frame).read(begin_bytes)
    _give_decompressor(decompressor)
    return body if len(body) == begin_bytes else None


def _take_decompressor() -> zstandard.ZstdDecompressor:
    try:
        return _idle_decompressors.pop()
    except IndexError:
        return zstandard.ZstdDecompressor()


def _give_decompressor(decompressor: zstandard.ZstdDecompressor) -> None:
    if len(_idle_decompressors) < _COMPRESSORS_IDLE_MAX:
        _idle_decompressors.append(decompressor)
