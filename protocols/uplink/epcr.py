"""Field changes of care records as the payload of a batch of kind `epcr`, in the lane of the same name.

A batch has the changes of one request to the gateway, which are stored together or not at all. The encoding has no
place for meaning: a key, a negative or a reason that this side does not know is passed on as its text. An element that
changes its meaning gets another key, and a change that needs another form gets another version, which an older cloud
stores as bytes and unpacks after its upgrade.
"""

from collections.abc import Iterator, Sequence

from protocols.epcr.change import (
    AUTHOR_LENGTH_MAX,
    ENTRY_LENGTH_MAX,
    ID_LENGTH_MAX,
    KEY_LENGTH_MAX,
    REASON_LENGTH_MAX,
    REPLACES_MAX,
    Action,
    FieldChange,
)
from protocols.epcr.value_sets import TEXT_LENGTH_MAX
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.uplink.limits import LimitExceeded
from protocols.uplink.topics import is_identifier
from protocols.uplink.wire import WireReader, WireWriter

VERSION = 1
CHANGES_MAX = 256
"""Changes in one batch. A tablet sends what one form has: a set of vital signs has 34 fields."""
CHANGES_BYTES_MAX = 128 * 1024
"""All changes of one batch: three of the longest narratives, or the most changes with 500 bytes each."""
VALUE_BYTES_MAX = 4 * TEXT_LENGTH_MAX
"""A value in UTF-8."""
_BYTES_PER_CHARACTER = 4
_CLAUSE = "uplink epcr v1"
_ACTIONS = tuple(Action)
_ENTRY, _VALUE, _NEGATIVE, _NOT_RECORDED, _DEVICE_TIME = 1, 2, 4, 8, 16
_FLAGS = _ENTRY | _VALUE | _NEGATIVE | _NOT_RECORDED | _DEVICE_TIME


def encode_changes(changes: Sequence[FieldChange]) -> bytes:
    """Encode changes as a batch payload. Raises `LocalProtocolError` above a limit of this module."""
    if not 1 <= len(changes) <= CHANGES_MAX:
        raise LocalProtocolError(f"{len(changes)} changes in one batch; 1 to {CHANGES_MAX} are allowed")
    writer = WireWriter()
    writer.u8(VERSION)
    writer.varint(len(changes))
    for change in changes:
        _write(writer, change)
    payload = writer.take()
    if len(payload) > CHANGES_BYTES_MAX:
        raise LocalProtocolError(f"changes of {len(payload)} bytes; {CHANGES_BYTES_MAX} are allowed")
    return payload


def change_pages(changes: Sequence[FieldChange]) -> Iterator[Sequence[FieldChange]]:
    """Yield a log in parts that `encode_changes` accepts, in their order."""
    page: list[FieldChange] = []
    page_bytes = 0
    for change in changes:
        change_bytes = len(encode_changes([change]))
        if page and (len(page) == CHANGES_MAX or page_bytes + change_bytes > CHANGES_BYTES_MAX):
            yield page
            page, page_bytes = [], 0
        page.append(change)
        page_bytes += change_bytes
    if page:
        yield page


def decode_changes(data: bytes, *, announced_count: int) -> list[FieldChange]:
    """Decode the changes of a batch payload; `announced_count` is the number in the envelope. Raises `LimitExceeded`
    for a payload above a limit, and `RemoteProtocolError` for all other invalid bytes."""
    if len(data) > CHANGES_BYTES_MAX:
        raise LimitExceeded(f"changes of more than {CHANGES_BYTES_MAX} bytes", clause=_CLAUSE)
    reader = WireReader(data, clause=_CLAUSE)
    version = reader.u8()
    if version != VERSION:
        raise RemoteProtocolError(f"field changes of version {version}; this side reads {VERSION}", clause=_CLAUSE)
    count = reader.varint(CHANGES_BYTES_MAX)
    if count > CHANGES_MAX:
        raise reader.over_limit("changes in one batch", CHANGES_MAX)
    if count != announced_count or not count:
        raise reader.wrong("the envelope announces another number of changes")
    changes = [_read(reader) for _ in range(count)]
    reader.end()
    return changes


def _write(writer: WireWriter, change: FieldChange) -> None:
    optional = (change.entry, change.value, change.negative, change.not_recorded, change.device_time_us)
    writer.u8(sum(1 << bit for bit, part in enumerate(optional) if part is not None))
    writer.u8(_ACTIONS.index(change.action))
    writer.text(change.id, limit_bytes=ID_LENGTH_MAX)
    writer.text(change.encounter, limit_bytes=ID_LENGTH_MAX)
    writer.text(change.key, limit_bytes=KEY_LENGTH_MAX)
    writer.text(change.author, limit_bytes=AUTHOR_LENGTH_MAX * _BYTES_PER_CHARACTER)
    writer.i64(change.gateway_time_us)
    if len(change.replaces) > REPLACES_MAX:
        raise LocalProtocolError(f"a change replaces at most {REPLACES_MAX} others")
    writer.varint(len(change.replaces))
    for replaced in change.replaces:
        writer.text(replaced, limit_bytes=ID_LENGTH_MAX)
    if change.entry is not None:
        writer.text(change.entry, limit_bytes=ENTRY_LENGTH_MAX)
    if change.value is not None:
        writer.text(change.value, limit_bytes=VALUE_BYTES_MAX)
    if change.negative is not None:
        writer.text(change.negative, limit_bytes=REASON_LENGTH_MAX)
    if change.not_recorded is not None:
        writer.text(change.not_recorded, limit_bytes=REASON_LENGTH_MAX)
    if change.device_time_us is not None:
        writer.i64(change.device_time_us)


def _read(reader: WireReader) -> FieldChange:
    flags, action = reader.u8(), reader.u8()
    if flags & ~_FLAGS:
        raise reader.wrong("a change has flags without a meaning")
    if action >= len(_ACTIONS):
        raise reader.wrong("no such action of a change")
    return FieldChange(
        action=_ACTIONS[action],
        id=_identifier(reader),
        encounter=_identifier(reader),
        key=_text(reader, KEY_LENGTH_MAX),
        author=_text(reader, AUTHOR_LENGTH_MAX * _BYTES_PER_CHARACTER),
        gateway_time_us=reader.i64(),
        replaces=tuple(_identifier(reader) for _ in range(reader.varint(REPLACES_MAX))),
        entry=_text(reader, ENTRY_LENGTH_MAX) if flags & _ENTRY else None,
        value=_text(reader, VALUE_BYTES_MAX) if flags & _VALUE else None,
        negative=_text(reader, REASON_LENGTH_MAX) if flags & _NEGATIVE else None,
        not_recorded=_text(reader, REASON_LENGTH_MAX) if flags & _NOT_RECORDED else None,
        device_time_us=reader.i64() if flags & _DEVICE_TIME else None,
    )


def _identifier(reader: WireReader) -> str:
    name = reader.text(ID_LENGTH_MAX)
    if not is_identifier(name):
        raise reader.wrong("the id of a change or an encounter is no identifier")
    return name


def _text(reader: WireReader, limit_bytes: int) -> str:
    """Read a text. NUL is refused, since PostgreSQL does not store it."""
    text = reader.text(limit_bytes)
    if "\0" in text:
        raise reader.wrong("a text has a NUL character")
    return text
