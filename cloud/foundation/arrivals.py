"""Let readers of vehicles' data see every acknowledged batch.

Ingest acknowledges a live batch when it is durable in the object store, and writes its rows some seconds later. A
reader that calls `settle` first finds the rows of all batches that were acknowledged before the call.
"""

from collections.abc import Callable
from typing import Protocol

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Need, Supplies


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


class Settle(Protocol):
    """A function that writes the rows of all batches that were acknowledged before the call. It raises the errors of an
    object store or a database that is not available. A reader that needs no `waveforms` does without theirs, which
    cannot be written while the object store is not available."""

    async def __call__(self, *, waveforms: bool = True) -> None: ...


SETTLE: Need[Callable[[Installation], Settle]] = Need("write the rows of acknowledged batches")
