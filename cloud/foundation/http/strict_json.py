"""Parse JSON strictly: a document that two readers could read differently is refused (contract matrix A-003).

A document is an object in UTF-8 without a byte order mark. It has no repeated key, no NaN or infinity (also not as
1e999), no integer that a double cannot hold, no lone surrogate and no NUL, which PostgreSQL cannot store. It has at
most 64 levels and 20 000 values.
"""

import json
import re
from typing import Any

from cloud.foundation.http.errors import BodyMalformed

DEPTH_MAX = 64
INTEGER_MAX = 2**53 - 1
VALUES_MAX = 20_000
"""Values of one document. The contract's largest body has 10 000 ids. Reading and checking this number takes about 30
ms, in which no other request of the process is served; a mebibyte of them takes half a second."""

# Escapes that may be a NUL or half a surrogate pair; only then is each string checked.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyMalformed("(An object has the same key twice.)")
    return found


def _constant(_text: str) -> Any:
    raise BodyMalformed("(NaN and Infinity are not JSON.)")


def _float(text: str) -> float:
    number = float(text)
    if number - number != 0:  # an infinity: the text is finite, but no double is that large
        raise BodyMalformed("(A number is too large.)")
    return number


def _integer(text: str) -> int:
    if len(text) > 17 or not -INTEGER_MAX <= (number := int(text)) <= INTEGER_MAX:
        raise BodyMalformed("(An integer is larger than 2^53-1.)")
    return number


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_integer, strict=True
)


def read_json(raw: bytes, values_max: int = VALUES_MAX) -> dict[str, Any]:
    """Parse a body as one JSON object. A caller with a greater `values_max` parses in a thread. Raises `BodyMalformed`,
    which quotes nothing of the body."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BodyMalformed("(It is not UTF-8.)") from None
    # Strings may contain commas and brackets. If the count with strings is too high, count again without them.
    if _values(raw) > values_max and _values(_outside_strings(raw)) > values_max:
        raise BodyMalformed(f"(It has more than {values_max} values.)")
    try:
        document = _decoder.decode(text)
    except (json.JSONDecodeError, RecursionError):
        raise BodyMalformed("(It is not JSON.)") from None
    if not isinstance(document, dict):
        raise BodyMalformed("(It must be a JSON object.)")
    # A document with no more brackets than levels needs no check of its depth: nearly every body.
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX:
        _check_depth(document)
    if _SUSPECT.search(raw) is not None:
        _check_strings(document)
    return document


def _values(text: bytes) -> int:
    """Estimate the number of values in a JSON text by its commas and opening brackets."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _outside_strings(text: bytes) -> bytes:
    """Return a JSON text without its strings. Escapes are removed first, since they hide the end of a string."""
    return b"".join(text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _check_depth(document: dict[str, Any]) -> None:
    """Raise `BodyMalformed` for a document with more than `DEPTH_MAX` levels."""
    level: list[Any] = [document]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for container in level
            for inner in (container.values() if isinstance(container, dict) else container)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise BodyMalformed(f"(It is nested deeper than {DEPTH_MAX}.)")


def _check_strings(value: Any) -> None:
    """Raise `BodyMalformed` for a string with a NUL or half a surrogate pair. Check the depth before calling this."""
    if isinstance(value, str):
        if "\x00" in value or not _is_encodable(value):
            raise BodyMalformed("(A text has a NUL or half a surrogate pair.)")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_strings(key)
            _check_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_strings(inner)


def _is_encodable(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8. Half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
