"""Canonical JSON: the one sequence of bytes for a JSON value, over which hashes and signatures are made (RFC 8785).

The library `rfc8785` writes it. orjson with sorted keys is faster, but writes 1.0 where RFC 8785 writes 1, and sorts
members by code point and not by UTF-16 code unit.
"""

from collections.abc import Mapping, Sequence

import rfc8785

from protocols.errors import RemoteProtocolError

JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
JsonObject = Mapping[str, JsonValue]

_CONTAINERS = (dict, list, tuple)  # a tuple of classes, which is checked in half the time of a union
DEPTH_MAX = 32
"""Levels of objects and lists inside each other. Ours have up to five; a deeper value could exhaust the stack."""


def canonical_json(value: JsonValue) -> bytes:
    """Return `value` in the canonical form of RFC 8785, as UTF-8.

    Raises `RemoteProtocolError` for a value without a canonical form (NaN, ±INF, an integer beyond ±(2^53 - 1), text
    with half a surrogate pair), and for one deeper than `DEPTH_MAX`.
    """
    check_depth(value)
    try:
        # The library takes plain dicts and lists, which is what a parser of JSON returns.
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise RemoteProtocolError(f"the value has no canonical form: {error}", clause="RFC 8785 3.2") from None
    except UnicodeEncodeError:  # the library does not catch this one for the names of members
        raise RemoteProtocolError("a name has half a surrogate pair", clause="RFC 8785 3.2.2.2") from None


def check_depth(value: JsonValue, depth_max: int = DEPTH_MAX) -> None:
    """Raise `RemoteProtocolError` if `value` has more than `depth_max` levels of objects and lists."""
    level: list[JsonValue] = [value]
    for _ in range(depth_max + 1):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return
    raise RemoteProtocolError(f"the value is deeper than {depth_max} levels", clause="RFC 8259 9")


def _members(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, _CONTAINERS)]
    if isinstance(value, list | tuple):
        return [inner for inner in value if isinstance(inner, _CONTAINERS)]
    return []
