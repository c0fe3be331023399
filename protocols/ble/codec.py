"""One characteristic as a pair of functions: bytes to a value object and back.

Each row of a service's profile has its codec. The fuzzers, the worked examples and the documents go through these rows
(`services.CODECS`), so a new characteristic is tested and documented by its row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """Decoder and encoder of a characteristic. `decode` raises RemoteProtocolError and nothing else, on any bytes;
    `encode(decode(x)) == x` for every value that a device should send."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
