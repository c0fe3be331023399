"""Tiny WFDB records that a test writes: the text of the header, and the bytes of the signal files."""

from collections.abc import Sequence
from pathlib import Path


def bytes_16(samples: Sequence[int]) -> bytes:
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def bytes_212(samples: Sequence[int]) -> bytes:
    """Encode twelve-bit samples in WFDB format 212: each pair in three bytes, an odd last sample in two."""
    octets = bytearray()
    for first, second in zip(samples[::2], [*samples[1::2], 0], strict=False):
        a, b = first & 0xFFF, second & 0xFFF
        octets += bytes((a & 0xFF, a >> 8 | b >> 8 << 4, b & 0xFF))
    return bytes(octets[:-1] if len(samples) % 2 else octets)


def write_record(folder: Path, header: str, **files: bytes) -> Path:
    """Write the record's header and files, and return the record's path without ".hea".

    A file's keyword has an underscore in place of the dot: `x_dat=b"…"`.
    """
    name = header.split()[0].split("/")[0]
    (folder / f"{name}.hea").write_text(header)
    for file, octets in files.items():
        (folder / file.replace("_", ".")).write_bytes(octets)
    return folder / name
