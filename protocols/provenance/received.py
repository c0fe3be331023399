"""A transcript that was received: its members with their types checked, and nothing yet believed.

What is malformed here (a member is absent or has the wrong type, too many records) is no transcript at all. What is
well-formed and wrong, such as an unknown algorithm or a signature that is no hexadecimal text, is for `verification` to
report (contract matrix A-118). Members that we added to the contract's form may be absent.
"""

from dataclasses import dataclass
from typing import Any

from protocols.errors import RemoteProtocolError
from protocols.provenance.canonical_json import JsonObject, JsonValue, canonical_json
from protocols.provenance.transcript import core_of

RECORDS_MAX = 10_000
TRANSCRIPT_BYTES_MAX = 8 * 2**20
"""Greatest size of a transcript as JSON text. The reader of the text enforces it."""
_CLAUSE = "contract matrix A-118"
_TEXTS = (
    *("id", "operation", "actor_id", "actor_kind", "content_hash", "signed_at"),
    *("signature", "signature_alg"),
)
_TEXTS_OR_NONE = ("parent_hash", "trace_id", "job_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRecord:
    """A record of a received transcript. `core` is the canonical JSON that its leaf covers."""

    id: str
    core: bytes
    content_hash: str
    parent_id: str | None
    parent_hash: str | None
    signed_at: str
    signature: str
    algorithm: str
    kid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedTranscript:
    """A received transcript. `record_count` is the stated number of records, None if it states none."""

    evidence_id: str
    tenant_id: str
    records: tuple[ReceivedRecord, ...]
    record_count: int | None
    merkle_root: str
    root_signature: str
    root_algorithm: str
    root_kid: str | None
    version: str


def read_transcript(value: JsonValue) -> ReceivedTranscript:
    """Read a transcript in its JSON form. Raises `RemoteProtocolError` that names the member that is malformed."""
    if not isinstance(value, dict):
        raise RemoteProtocolError("the transcript is not an object", clause=_CLAUSE)
    records = value.get("records")
    if not isinstance(records, list):
        raise RemoteProtocolError("records is not a list", clause=_CLAUSE)
    if len(records) > RECORDS_MAX:
        raise RemoteProtocolError(f"records has more than {RECORDS_MAX} records", clause=_CLAUSE)
    count = _count(value)
    _text(value, "format")
    return ReceivedTranscript(
        evidence_id=_text(value, "evidence_id"),
        tenant_id=_text(value, "tenant_id"),
        records=tuple(_record(record, index) for index, record in enumerate(records)),
        record_count=count,
        merkle_root=_text(value, "merkle_root"),
        root_signature=_text(value, "root_signature"),
        root_algorithm=_text(value, "root_signature_alg"),
        root_kid=_text_or_none(value, "root_signature_kid"),
        version=_text(value, "version"),
    )


def _count(value: JsonObject) -> int | None:
    """Return the stated number of records, None without one. 2.0 is the number 2 (RFC 8785 writes both alike)."""
    count: Any = value.get("record_count")
    if count is None:
        return None
    is_number = isinstance(count, int | float) and not isinstance(count, bool)
    if is_number and 0 <= count < 2**53 and count % 1 == 0:
        return int(count)
    raise RemoteProtocolError("record_count is not a number of records", clause=_CLAUSE)


def _record(value: JsonValue, index: int) -> ReceivedRecord:
    place = f"records[{index}]"
    if not isinstance(value, dict):
        raise RemoteProtocolError(f"{place} is not an object", clause=_CLAUSE)
    for name in _TEXTS:
        if not isinstance(value.get(name), str):
            raise _malformed(name, place, "is not text")
    for name in _TEXTS_OR_NONE:
        if value.get(name, False) is not None and not isinstance(value.get(name), str):
            raise _malformed(name, place, "is neither text nor null")
    kid = _text_or_none(value, "signature_kid", place)
    try:
        core = canonical_json(core_of(value))
    except RemoteProtocolError as error:
        raise RemoteProtocolError(f"{place}: {error.reason}", clause=error.clause) from None
    return ReceivedRecord(
        id=value["id"],
        core=core,
        content_hash=value["content_hash"],
        parent_id=_text_or_none(value, "parent_id", place),
        parent_hash=value["parent_hash"],
        signed_at=value["signed_at"],
        signature=value["signature"],
        algorithm=value["signature_alg"],
        kid=kid,
    )


def _text(value: JsonObject, name: str, place: str = "") -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise _malformed(name, place, "is not text")
    if not text.isascii():
        _check_unicode(text, name, place)
    return text


def _text_or_none(value: JsonObject, name: str, place: str = "") -> str | None:
    """Return an optional member: text, or None if it is null or absent."""
    return None if value.get(name) is None else _text(value, name, place)


def _check_unicode(text: str, name: str, place: str) -> None:
    """Refuse text with half a surrogate pair, which has no UTF-8 and so no canonical form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _malformed(name, place, "is not Unicode text") from None


def _malformed(name: str, place: str, fault: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{place}.{name} {fault}" if place else f"{name} {fault}", clause=_CLAUSE)
