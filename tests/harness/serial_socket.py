"""A serial socket of the vehicle under a fixed path, into which cables are plugged one after the other.

Each cable is a pair of pseudo-terminals (`pty_pair`) with a new device node, as when a USB adapter is plugged in again.
The fixed path is a symbolic link to the node, as udev makes it.
"""

from pathlib import Path

from gateway.transports.link import Link
from gateway.transports.serial_port import Framing, SerialPort
from tests.harness.pty_pair import PtyPair


class SerialSocket:
    """A socket for cables; `path` is the path that the gateway's settings name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cable: PtyPair | None = None

    @property
    def path(self) -> str:
        return str(self._path)

    @property
    def node(self) -> str:
        """Return the path of the device node that the symbolic link refers to now."""
        assert self._cable is not None
        return self._cable.left_node

    async def plug_in(self, framing: Framing = "raw") -> Link:
        """Plug in a new cable; return the device's end of it."""
        assert self._cable is None, "one cable at a time"
        self._cable = PtyPair()
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.symlink_to(self._cable.left)
        fresh.replace(self._path)
        return await SerialPort(self._cable.right, 115_200, framing).accept()

    def pull_out(self, *, name_stays: bool = False) -> None:
        """Hang up the cable and remove its node.

        With `name_stays` the symbolic link remains without a target, as it does on a real machine until udev removes
        it.
        """
        assert self._cable is not None
        self._cable.cut()
        self._cable = None
        if not name_stays:
            self._path.unlink()
