"""The chain of custody from the vehicle: signed batches and gap records as they arrived, and the quarantine."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports
from cloud.vehicles.custody import tables as tables

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.custody.erasure_seal import ErasureSeals
    from cloud.vehicles.custody.lane_store import LaneChange, LaneKey, LaneRow, LaneStore, SignedHead
    from cloud.vehicles.custody.links import ChainedBatch, LinkState, link_between
    from cloud.vehicles.custody.marks import FIRST_SEQUENCE, LaneMarks, Range
    from cloud.vehicles.custody.quarantine import WITHOUT_ROWS, Reason, SetAside, release, set_aside
    from cloud.vehicles.custody.removal import ChainRow, Removal, RemovalCause, RemovedRange
    from cloud.vehicles.custody.store import (
        HELD_BATCHES,
        NOT_UNPACKED,
        Content,
        CustodyStore,
        HeldBatch,
        ReceivedBatch,
    )
    from cloud.vehicles.custody.tables import (
        batches,
        gap_ranges,
        lanes,
        quarantine_overflows,
        quarantined_batches,
        removed_ranges,
        removed_rows,
    )
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, tables="tables")
