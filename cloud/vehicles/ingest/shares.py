"""Division of the gateways among ingest processes at one mosquitto: each lane reaches one process, in order.

A shared subscription (`$share`) would give successive batches of a lane to different processes. Instead each process
announces itself by a retained message, with an empty message as its will, and sees the announcements of the others. So
all know who is connected, mosquitto itself reports at once when one is not, and nothing else has to be agreed on: of
each gateway the process with the highest hash of both names receives the batches (rendezvous hashing). When a process
comes or goes, only its own gateways move.

A process that is alone subscribes to all gateways. Otherwise it subscribes to those of its share when their retained
status arrives, before it responds to the status: a gateway sends no batch before that response.

This module decides; `shared_gateways` subscribes. For a moment after a change two processes may receive the same
gateway. That does no harm: the lane's marks in the database make the second copy a duplicate. A process of the release
before receives all batches beside this one too, until it is stopped. It does not know packed batches, so the database
refuses its copies of them (migration 0061).
"""

import hashlib

Gateway = tuple[str, str]
"""Tenant and gateway, as the topic names them."""


class Share:
    """The share of one process: the processes that are connected, and which gateways belong to this one. `group` is the
    secret name of the cloud's processes, which no gateway knows, and `process` the name of this one."""

    def __init__(self, group: str, process: str) -> None:
        self.group = group
        self.process = process
        self._others: set[str] = set()

    @property
    def is_alone(self) -> bool:
        return not self._others

    def forget(self) -> None:
        """Forget the other processes: their announcements arrive again on the next connection."""
        self._others.clear()

    def note(self, process: str, *, present: bool) -> bool:
        """Record the announcement of another process, or its end; return whether the shares have changed."""
        if process == self.process or present == (process in self._others):
            return False
        if present:
            self._others.add(process)
        else:
            self._others.discard(process)
        return True

    def owns(self, gateway: Gateway) -> bool:
        """Return whether this process receives the batches of a gateway."""
        own = _weight(self.process, gateway)
        return all(own > _weight(other, gateway) for other in self._others)


def _weight(process: str, gateway: Gateway) -> bytes:
    return hashlib.sha256("/".join((process, *gateway)).encode()).digest()
