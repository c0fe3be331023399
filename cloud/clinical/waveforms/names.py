"""Names of packed waveforms in the object store: `waveforms/TENANT/YYYYMMDD/HH/ULID`.

The ULID has the time at which the object was packed or rewritten, so the names of one tenant are in the order of this
time, and the age of an object follows from its name. A hash in front, which spreads requests over an S3 service, is not
needed: a worker puts a few objects a second.
"""

from datetime import UTC, datetime

from cloud.foundation.ids import ALPHABET, Ids

WAVEFORMS = "waveforms"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_TIME_LETTERS = 10


def new_name(ids: Ids, tenant_id: str, packed_at_us: int) -> str:
    at = datetime.fromtimestamp(packed_at_us // 1_000_000, UTC)
    return f"{WAVEFORMS}/{tenant_id}/{at:%Y%m%d}/{at:%H}/{ids.new('')}"


def packed_at_us(name: str) -> int | None:
    """Return when the object was packed, by the clock of ingest; None for a name of another form."""
    letters = name.rpartition("/")[2][:_TIME_LETTERS]
    if len(letters) != _TIME_LETTERS or any(letter not in _VALUES for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number * 1_000


def name_before(tenant_id: str, at_us: int) -> str:
    """Return a name that is less than those of the tenant's objects from the hour of `at_us` on, and greater than those
    from before this hour."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{WAVEFORMS}/{tenant_id}/{at:%Y%m%d}/{at:%H}/"
