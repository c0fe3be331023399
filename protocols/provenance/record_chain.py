"""Check that each record of a transcript follows the record that it names as its parent.

The signatures are checked elsewhere (`verification`), since a changed parent is named itself, and its child is not.
"""

from protocols.provenance.reasons import Reason
from protocols.provenance.received import ReceivedRecord


class RecordChain:
    """The chain of parents so far."""

    def __init__(self, all_ids: set[str]) -> None:
        self._all_ids = all_ids
        self._seen: set[str] = set()
        self._previous: tuple[str, str, bool] | None = None
        """Identifier and leaf of the record before, and whether its signature is valid; None before the first."""
        self._genuine: tuple[str, str] | None = None
        """Identifier and leaf of the last record with a valid signature."""

    def add_duplicate(self, record: ReceivedRecord) -> Reason | None:
        """Return the fault of a record that came before. It is then no part of the chain."""
        return Reason.DUPLICATE if record.id in self._seen else None

    def add(self, record: ReceivedRecord, leaf: str, *, genuine: bool) -> Reason | None:
        """Add a record, and return the fault of its link to the record before."""
        fault = self._fault(record)
        self._seen.add(record.id)
        self._previous = (record.id, leaf, genuine)
        if genuine:
            self._genuine = (record.id, leaf)
        return fault

    def _fault(self, record: ReceivedRecord) -> Reason | None:
        if self._previous is not None and record.parent_id == self._previous[0]:
            _, leaf, parent_genuine = self._previous
            # A changed parent is named itself. Its child states the hash that the parent had, and is not at fault.
            fits = record.parent_hash == leaf or not parent_genuine
        elif self._genuine is not None and record.parent_id == self._genuine[0]:
            # Records that were inserted in between have no valid signature, and are named themselves.
            fits = record.parent_hash == self._genuine[1]
        elif self._genuine is None and record.parent_id is None:
            fits = record.parent_hash is None
        elif record.parent_id is None or record.parent_id in self._all_ids:
            return Reason.OUT_OF_ORDER
        else:
            return Reason.PARENT_MISSING
        return None if fits else Reason.PARENT_HASH_MISMATCH
