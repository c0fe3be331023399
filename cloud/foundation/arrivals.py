"""Let readers of vehicles' data see every acknowledged batch.

Ingest acknowledges a live batch when it is durable in the object store, and writes its rows some seconds later. A
reader that calls `settle` first finds the rows of all batches that were acknowledged before the call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.errors import PrivateError
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Need, Supplies


class ArrivalsIncomplete(PrivateError, code="arrivals_incomplete"):
    """The result lacks acknowledged batches, since their rows cannot be written. Run argus-cloud doctor."""


class Installation(Protocol):
    """The parts of a process, or of a console command, with which the rows are written."""

    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...

    @property
    def master(self) -> Callable[[], MasterKey]: ...

    @property
    def supplies(self) -> Supplies: ...


@dataclass(frozen=True, slots=True)
class WantedDevices:
    """The devices of a tenant whose values a reader needs, by their system ids; None: all of the tenant."""

    tenant_id: str
    system_ids: frozenset[str] | None = None


class Settle(Protocol):
    """A function that writes the rows of all batches that were acknowledged before the call. It raises the errors of an
    object store or a database that is not available. A reader that needs no `waveforms` does without theirs, which
    cannot be written while the object store is not available. One that needs only the values `of` some devices has no
    others written. That of a console command raises `ArrivalsIncomplete`
    when everything else is written, if some batches cannot be."""

    async def __call__(self, *, waveforms: bool = True, of: WantedDevices | None = None) -> None: ...


SETTLE: Need[Callable[[Installation], Settle]] = Need("write the rows of acknowledged batches")
