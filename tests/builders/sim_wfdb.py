"""Tiny WFDB records, written by the test itself: the text of a header and the bytes of its files."""

from collections.abc import Sequence
from pathlib import Path


def bytes_16(samples: Sequence[int]) -> bytes:
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def bytes_212(samples: Sequence[int]) -> bytes:
    """Encode pairs of twelve-bit samples in three bytes; an odd last one takes two."""
    octets = bytearray()
    for first, second in zip(samples[::2], [*samples[1::2], 0], strict=False):
        a, b = first & 0xFFF, second & 0xFFF
        octets += bytes((a & 0xFF, a >> 8 | b >> 8 << 4, b & 0xFF))
    return bytes(octets[:-1] if len(samples) % 2 else octets)


def write_record(folder: Path, header: str, **files: bytes) -> Path:
    """Write `files`, named with an underscore for the dot: `x_dat=b"…"`. Return the record's path without ".hea"."""
    name = header.split()[0].split("/")[0]
    (folder / f"{name}.hea").write_text(header)
    for file, octets in files.items():
        (folder / file.replace("_", ".")).write_bytes(octets)
    return folder / name
