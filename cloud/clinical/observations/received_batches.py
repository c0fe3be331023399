"""The batches in which observations arrived. Slice `custody`, in a room below, owns their tables and supplies them."""

from dataclasses import dataclass

from sqlalchemy import Table

from cloud.foundation.supplies import Need


@dataclass(frozen=True, slots=True)
class ReceivedBatches:
    """The tables of received batches. The higher layer `custody` owns them and must not be imported here."""

    lanes: Table
    """Columns `lane_id`, `tenant_id`, `gateway_id`, `epoch`, `lane`."""
    batches: Table
    """Columns `lane_id`, `sequence`, `stored_at_us`."""


RECEIVED_BATCHES: Need[ReceivedBatches] = Need("the tables of the batches that observations arrived in")
