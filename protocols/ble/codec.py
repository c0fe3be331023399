"""One characteristic as a pair of functions: bytes to a value object and back.

The table of them (`services.CODECS`) is what the fuzzers, the worked examples and the documents go through, so that a
characteristic that is added is tested and documented by being there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """A characteristic with its decoder and encoder. `decode` raises RemoteProtocolError and nothing else, on any
    bytes; `encode(decode(x)) == x` for every value that a device should send."""

    characteristic: int
    name: str
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
