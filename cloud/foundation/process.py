"""The parts that every slice gets from the composition root: settings, database, clock, ids and supplies."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar, cast

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Supplies

T = TypeVar("T")


class Role(StrEnum):
    """A part of the cloud's work. Each role may run in its own process, since roles share only the database."""

    API = "api"  # the four hosts
    INGEST = "ingest"  # batches from the gateways
    WORKER = "worker"  # work that follows from events


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The settings, database, clock and other parts of one process."""

    settings: Settings
    roles: Collection[Role] = frozenset(Role)
    database: Database
    clock: Clock
    ids: Ids
    master: Callable[[], MasterKey]
    """Returns the key that seals secrets in the database, such as signing keys. Raises `MasterKeyAbsent`."""
    supplies: Supplies
    made: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)
    """The objects that `shared` made, by the function that made each."""

    def shared(self, make: Callable[[Self], T]) -> T:
        """Return the result of `make(self)`, which is called only once in the process."""
        if make not in self.made:
            self.made[make] = make(self)
        return cast(T, self.made[make])
