"""What the slices' `routes(parts)` are built from: the things that every handler or service may need."""

from collections.abc import Callable
from dataclasses import dataclass

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.http.cursors import Cursors
from cloud.foundation.http.host import Bases
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Handed from the composition root to each slice's `routes`."""

    database: Database
    clock: Clock
    ids: Ids
    audit: Audit
    cursors: Cursors
    bases: Bases
    master: Callable[[], MasterKey]
    """The key that seals what must be told again, such as a webhook's secret. Raises `MasterKeyAbsent`."""
