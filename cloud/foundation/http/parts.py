"""The type of the argument `parts` of a slice's `routes(parts)`."""

from dataclasses import dataclass

from cloud.foundation.http.cursors import Cursors
from cloud.foundation.http.host import Bases
from cloud.foundation.process import Process


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Process):
    """The parts of a process that serves the hosts, with its cursors and the public addresses of the hosts."""

    cursors: Cursors
    bases: Bases
