"""A socket of the vehicle with a name that does not change, into which cables are plugged one after the other.

Each cable is a pair of pseudo-terminals (`pty_pair`), so each has a node of its own, like an adapter that is plugged in
again; the name is a link, as udev makes it.
"""

from pathlib import Path

from gateway.transports.link import Link
from gateway.transports.serial_port import Framing, SerialPort
from tests.harness.pty_pair import PtyPair


class SerialSocket:
    """A socket for cables; `path` is the path in the gateway's settings."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cable: PtyPair | None = None

    @property
    def path(self) -> str:
        return str(self._path)

    @property
    def node(self) -> str:
        """Return the node that the name leads to now."""
        assert self._cable is not None
        return self._cable.left

    async def plug_in(self, framing: Framing = "raw") -> Link:
        """Plug in a new cable; return the device's end of it."""
        assert self._cable is None, "one cable at a time"
        self._cable = PtyPair()
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.symlink_to(self._cable.left)
        fresh.replace(self._path)
        return await SerialPort(self._cable.right, 115_200, framing).accept()

    def pull_out(self, *, name_stays: bool = False) -> None:
        """Hang up and remove the node. `name_stays`: udev has not removed the link, which now leads to nothing."""
        assert self._cable is not None
        self._cable.cut()
        self._cable = None
        if not name_stays:
            self._path.unlink()
