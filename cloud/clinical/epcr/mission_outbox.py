"""The interface by which a change of an encounter writes its mission for the vehicle, in the same transaction.

The slice `cloud.vehicles.missions` stores missions and sends them; `cloud/supplies.py` supplies it.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from cloud.clinical.epcr.model import Encounter
from cloud.foundation.arrivals import Installation
from cloud.foundation.db import Transaction
from cloud.foundation.supplies import Need


class MissionOutbox(Protocol):
    """Writes missions for vehicles. `call` is value by element of the care record, and personal data."""

    async def differs(self, tx: Transaction, encounter: Encounter, call: Mapping[str, str]) -> bool:
        """Return whether call data differ from those that the mission of an encounter has."""
        ...

    async def put(self, tx: Transaction, encounter: Encounter, call: Mapping[str, str]) -> None:
        """Write the version of a mission after a change of its encounter. `call` has the call data that changed."""
        ...

    def signal(self) -> None:
        """Report that a mission may be due. Call this after the commit."""
        ...


MISSION_OUTBOX: Need[Callable[[Installation], MissionOutbox]] = Need("write the missions of vehicles")
