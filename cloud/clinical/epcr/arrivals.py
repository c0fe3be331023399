"""The interface by which readers of encounters have the rows of acknowledged batches written."""

from collections.abc import Callable
from typing import Protocol

from cloud.foundation.arrivals import Installation
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Viewer


class SettleEncounter(Protocol):
    """A function that writes the rows of all batches that were acknowledged before the call and have values that the
    viewer may see of an encounter. Without `waveforms`, those may stay staged. It raises the errors of an object store
    or a database that is not available."""

    async def __call__(self, viewer: Viewer, encounter_id: str, *, waveforms: bool = True) -> None: ...


SETTLE_ENCOUNTER: Need[Callable[[Installation], SettleEncounter]] = Need(
    "write the rows of acknowledged batches of an encounter"
)
