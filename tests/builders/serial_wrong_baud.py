"""The bytes that a receiver reads at the wrong speed: the line's levels, sampled at the wrong times.

They are not random: a slow sender read at a high speed gives long runs of 0x00, 0xF8 and 0xFF, a fast one read at a low
speed a mixture, and a break or an idle line nothing at all. One start bit, eight data bits, one stop bit.
"""

_IDLE_BITS = 12
"""Idle bits between two bytes of a slow sender."""


def heard_at(heard_baud: int, data: bytes, *, sent_baud: int) -> bytes:
    """Return `data`, sent at `sent_baud`, as read by a receiver at `heard_baud`.

    A low stop bit is a framing error: the byte is delivered all the same, as by a terminal that ignores parity.
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
