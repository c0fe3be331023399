"""The bytes that a receiver reads at the wrong baud rate, which samples the line's levels at the wrong times.

These bytes are not random: a slow sender read at a high rate gives long runs of 0x00, 0xF8 and 0xFF, a fast sender read
at a low rate gives a mixture, and a break or an idle line gives nothing. A character has one start bit, eight data bits
and one stop bit.
"""

_IDLE_BITS = 12
"""Idle bits between two bytes of a slow sender."""


def heard_at(heard_baud: int, data: bytes, *, sent_baud: int) -> bytes:
    """Return the bytes that a receiver at `heard_baud` reads when `data` is sent at `sent_baud`.

    A low stop bit is a framing error; the receiver still delivers the byte, as a terminal that ignores parity does.
    """
    levels = _levels(data)
    step = sent_baud / heard_baud  # length of one received bit, in sent bits
    heard, at = bytearray(), 0.0
    while True:
        start = next((each for each in range(int(at), len(levels)) if not levels[each]), None)
        if start is None:
            return bytes(heard)
        begin = max(at, float(start))
        samples = [begin + (bit + 1.5) * step for bit in range(8)]
        octet = sum(_level(levels, where) << bit for bit, where in enumerate(samples))
        heard.append(octet)
        at = begin + 9.5 * step


def _levels(data: bytes) -> list[int]:
    levels: list[int] = [1] * _IDLE_BITS
    for octet in data:
        levels += [0, *((octet >> bit) & 1 for bit in range(8)), 1]
    return levels + [1] * _IDLE_BITS


def _level(levels: list[int], where: float) -> int:
    return levels[int(where)] if where < len(levels) else 1
