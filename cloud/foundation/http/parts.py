"""The parts of a serving process that a slice's `routes(parts)` gets."""

from dataclasses import dataclass

from cloud.foundation.http.cursors import Cursors
from cloud.foundation.http.host import Bases
from cloud.foundation.process import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Process):
    """A process that serves the hosts."""

    cursors: Cursors
    bases: Bases
