"""Pair of functions that decodes and encodes a characteristic.

Each characteristic of a profile has a codec. Fuzzers, worked examples and documents iterate over all codecs
(`services.CODECS`), so a characteristic that is added to a profile is also tested and documented.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Codec:
    """Decoder and encoder of a characteristic. `decode` accepts any bytes and raises only RemoteProtocolError.
    `encode(decode(x)) == x` for every value x that conforms to the specification."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
