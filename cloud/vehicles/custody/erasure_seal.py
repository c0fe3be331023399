"""Seal the records of an erasure, so that a range that was deleted by hand is not taken for an erased one.

The seal is an HMAC-SHA-256 with a key that is derived from the master key. So the database alone does not suffice to
make one. The hashes in a range begin at the gateway, the store and the lane of its chain, and the range therefore
belongs to one lane only.
"""

import hashlib
import hmac

from cloud.foundation.master_key import MasterKey
from cloud.vehicles.custody.removal import RemovedRange

_PURPOSE = "records of erasures"
_RANGE, _ERASURE = b"argus/v1/erasure/range", b"argus/v1/erasure"


class ErasureSeals:
    """The seals of this installation's erasures."""

    def __init__(self, master: MasterKey) -> None:
        self._key = master.derive(_PURPOSE)

    def of_range(self, removed: RemovedRange) -> bytes:
        """Return the seal of a range, which covers all its other fields."""
        fields = (
            str(removed.erasure_id).encode(),
            removed.cause.value.encode(),
            str(removed.first_sequence).encode(),
            str(removed.last_sequence).encode(),
            removed.hash_before,
            removed.hash_after,
            str(removed.stored_us).encode(),
            str(removed.removed_us).encode(),
        )
        return self._seal(_RANGE, *fields)

    def of_erasure(self, *fields: str) -> bytes:
        """Return the seal of the record of a whole erasure."""
        return self._seal(_ERASURE, *(field.encode() for field in fields))

    def proves(self, removed: RemovedRange) -> bool:
        """Return whether this cloud recorded the range as erased."""
        return removed.seal is not None and hmac.compare_digest(removed.seal, self.of_range(removed))

    def _seal(self, *fields: bytes) -> bytes:
        """Return the HMAC of the fields. Each is preceded by its length, so that no two lists give the same input."""
        framed = b"".join(part for field in fields for part in (len(field).to_bytes(8, "big"), field))
        return hmac.digest(self._key, framed, hashlib.sha256)
