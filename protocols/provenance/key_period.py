"""The period in which a published key signs, and whether it was withdrawn, as the list of published keys states it.

A withdrawn key may be in the hands of a thief, who can state any time in a record. So none of its signatures proves
anything alone, also one that states a time before the withdrawal. A list that was saved earlier does not have a later
end of a period, and a key that was published in advance has no beginning in it: what is not stated is no limit.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from protocols.errors import RemoteProtocolError
from protocols.provenance.canonical_json import JsonObject

CLOCKS_DIFFER = timedelta(minutes=5)
"""Tolerance of both ends of a period. A process signs with the former key for ten seconds after a rotation, and the
clocks of the processes of an installation may differ."""
_CLAUSE = "contract matrix A-127"
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII | re.IGNORECASE
)
"""A date-time (RFC 3339 section 5.6). The library also reads other forms of ISO 8601, which other verifiers refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPeriod:
    """The period in which a key signs. None: no limit is stated at this end."""

    not_before: datetime | None
    not_after: datetime | None
    is_withdrawn: bool

    def includes(self, signed_at: str) -> bool:
        """Return whether a signature that states this time (RFC 3339) is of the period. Text that is no time is of no
        period."""
        if self.not_before is None and self.not_after is None:
            return True
        try:
            at = _moment(signed_at)
        except ValueError:
            return False
        return (self.not_before is None or self.not_before - at <= CLOCKS_DIFFER) and (
            self.not_after is None or at - self.not_after <= CLOCKS_DIFFER
        )


def read_period(key: JsonObject) -> KeyPeriod:
    """Read the period of a published key. Raises `RemoteProtocolError` for a member that is malformed."""
    status = key.get("status")
    if not isinstance(status, str | None):
        raise RemoteProtocolError("status is not text", clause=_CLAUSE)
    return KeyPeriod(
        not_before=_limit(key, "not_before"), not_after=_limit(key, "not_after"), is_withdrawn=status == "withdrawn"
    )


def _limit(key: JsonObject, name: str) -> datetime | None:
    text = key.get(name)
    if text is None:
        return None
    try:
        if isinstance(text, str):
            return _moment(text)
    except ValueError:
        pass
    raise RemoteProtocolError(f"{name} is not a time", clause=_CLAUSE)


def _moment(text: str) -> datetime:
    """Return RFC 3339 text as a time with its offset. Raises `ValueError`."""
    if _RFC_3339.fullmatch(text.replace(" ", "T", 1)) is None:
        raise ValueError
    return datetime.fromisoformat(text.upper())
