"""JSON encoding of status, acknowledgement, event and gap record: a strict reader of small objects.

They are JSON because people read them with an MQTT client during troubleshooting. Fields are checked here by hand and
not by pydantic, whose errors repeat the input: an error of this module names the field and the rule, never the value.
Unknown fields, which a newer version may send, are ignored.
"""

from collections.abc import Mapping

import orjson

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.limits import INTEGER_MAX, MESSAGE_BYTES_MAX, SEQUENCE_MAX
from protocols.uplink.topics import is_identifier

VERSION = 1

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def write_message(document: Mapping[str, object]) -> bytes:
    """Encode `document` as JSON with the version as first field. Raises `LocalProtocolError` for a message above
    `MESSAGE_BYTES_MAX`, or a value that JSON cannot represent."""
    try:
        data = orjson.dumps({"v": VERSION, **document})
    except TypeError as error:
        raise LocalProtocolError("a message holds what JSON cannot") from error
    if len(data) > MESSAGE_BYTES_MAX:
        raise LocalProtocolError(f"a message of {len(data)} bytes; {MESSAGE_BYTES_MAX} are allowed")
    return data


class Fields:
    """Fields of one JSON object. Each method names the type and the limit that it requires of a field, and raises
    `RemoteProtocolError` for any other value."""

    __slots__ = ("_clause", "_fields")

    def __init__(self, fields: Mapping[str, Json], clause: str) -> None:
        self._fields = fields
        self._clause = clause

    @classmethod
    def of(cls, data: bytes, clause: str) -> "Fields":
        """Read the JSON object in `data`. Raises `RemoteProtocolError` for data that is not a JSON object or has an
        unsupported version. `clause` names the kind of message in the text of errors."""
        if len(data) > MESSAGE_BYTES_MAX:
            raise RemoteProtocolError(f"a message above {MESSAGE_BYTES_MAX} bytes", clause=clause)
        try:
            document = orjson.loads(data)
        except ValueError:
            raise RemoteProtocolError("not JSON", clause=clause) from None
        if not isinstance(document, dict):
            raise RemoteProtocolError("not a JSON object", clause=clause)
        fields = cls(document, clause)
        if fields.integer("v", least=0) != VERSION:
            raise RemoteProtocolError(f"another version; this side reads {VERSION}", clause=clause)
        return fields

    def wrong(self, reason: str) -> RemoteProtocolError:
        return RemoteProtocolError(reason, clause=self._clause)

    def integer(self, name: str, *, least: int = -INTEGER_MAX - 1, most: int = INTEGER_MAX) -> int:
        number = self._fields.get(name)
        if type(number) is not int or not least <= number <= most:
            raise self.wrong(f"{name} is not a whole number from {least} to {most}")
        return number

    def optional_integer(self, name: str) -> int | None:
        return None if self._fields.get(name) is None else self.integer(name)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def boolean(self, name: str) -> bool:
        truth = self._fields.get(name)
        if not isinstance(truth, bool):
            raise self.wrong(f"{name} is neither true nor false")
        return truth

    def text(self, name: str, *, limit_length: int) -> str:
        """Return a text of at most `limit_length` characters. NUL is refused, since PostgreSQL does not store it."""
        text = self._fields.get(name)
        if not isinstance(text, str) or len(text) > limit_length or "\0" in text:
            raise self.wrong(f"{name} is not a text of at most {limit_length} characters without NUL")
        return text

    def optional_text(self, name: str, *, limit_length: int) -> str | None:
        return None if self._fields.get(name) is None else self.text(name, limit_length=limit_length)

    def identifier(self, name: str) -> str:
        text = self._fields.get(name)
        if not isinstance(text, str) or not is_identifier(text):
            raise self.wrong(f"{name} is not an identifier")
        return text

    def hash(self, name: str) -> bytes:
        """Return the 32 bytes of a hash, which is sent in lower-case hex."""
        text = self._fields.get(name)
        if not isinstance(text, str) or len(text) != 64 or text.strip("0123456789abcdef"):
            raise self.wrong(f"{name} is not a SHA-256 in hex")
        return bytes.fromhex(text)

    def optional_hash(self, name: str) -> bytes | None:
        return None if self._fields.get(name) is None else self.hash(name)

    def items(self, name: str, *, limit_count: int) -> list[Json]:
        items = self._fields.get(name)
        if not isinstance(items, list) or len(items) > limit_count:
            raise self.wrong(f"{name} is not a list of at most {limit_count}")
        return items

    def ranges(self, name: str, *, limit_count: int) -> tuple[tuple[int, int], ...]:
        """Return at most `limit_count` ranges of sequences (first, last), which must be ascending and disjoint."""
        ranges: list[tuple[int, int]] = []
        above = 0
        for item in self.items(name, limit_count=limit_count):
            match item:
                case [int(first), int(last)] if above < first <= last <= SEQUENCE_MAX:
                    ranges.append((first, last))
                    above = last
                case _:
                    raise self.wrong(f"{name} is not a list of at most {limit_count} ascending ranges [first, last]")
        return tuple(ranges)

    def mapping(self, name: str, *, limit_count: int) -> dict[str, Json]:
        mapping = self._fields.get(name)
        if not isinstance(mapping, dict) or len(mapping) > limit_count:
            raise self.wrong(f"{name} is not an object of at most {limit_count} fields")
        return mapping

    def inner(self, name: str) -> "Fields":
        return Fields(self.mapping(name, limit_count=64), self._clause)
