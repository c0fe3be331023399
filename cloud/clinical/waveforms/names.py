"""Names of packed objects in the object store: `waveforms/TENANT/YYYYMMDD/HH/ULID`, and `numerics/…` alike.

The ULID has the time at which the object was packed or rewritten, so the names of one tenant are in the order of this
time, and the age of an object follows from its name. A hash in front, which spreads requests over an S3 service, is not
needed: a worker puts a few objects a second.
"""

from datetime import UTC, datetime

from cloud.foundation.ids import Ids, time_of_ulid

WAVEFORMS = "waveforms"
"""First part of the names of objects with the waveforms that ingest packed."""
NUMERICS = "numerics"
"""First part of the names of objects with numerics that were packed some days after their arrival."""


def new_name(ids: Ids, tenant_id: str, packed_at_us: int, *, first: str = WAVEFORMS) -> str:
    at = datetime.fromtimestamp(packed_at_us // 1_000_000, UTC)
    return f"{first}/{tenant_id}/{at:%Y%m%d}/{at:%H}/{ids.new('')}"


def packed_at_us(name: str) -> int | None:
    """Return when the object was packed, by the clock of the process; None for a name of another form."""
    return time_of_ulid(name.rpartition("/")[2])


def name_before(tenant_id: str, at_us: int) -> str:
    """Return a name that is less than those of the tenant's objects from the hour of `at_us` on, and greater than those
    from before this hour."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{WAVEFORMS}/{tenant_id}/{at:%Y%m%d}/{at:%H}/"
