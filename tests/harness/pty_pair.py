"""A serial cable without hardware: two pseudo-terminals, and callbacks of the event loop that relay bytes between them.

`left` and `right` are paths that a program opens like serial ports, so opening, exclusive access and hang-up are those
of real terminals. `cut` hangs up both ends, as when the cable is pulled. The relay keeps the bytes that one end sent
until the other end reads them, and can damage them on the way.

The paths are links in a folder of the pair, which are removed at the cut. The kernel gives the number of a terminal
below `/dev/pts` to the next one at once, so a gateway that tries such a name again would open another test's cable.
"""

import asyncio
import contextlib
import os
import tempfile
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Damage = Callable[[bytes], bytes]

_READ_BYTES = 4096


class PtyPair:
    """Two pseudo-terminals joined by a relay; `pty_pair` makes one. `left_node` is the device node of `left`."""

    def __init__(self, damage: Damage | None = None) -> None:
        self._damage = damage if damage is not None else lambda data: data
        self._masters: list[int] = []
        self._slaves: list[int] = []
        self._waiting = [bytearray(), bytearray()]
        self._loop = asyncio.get_running_loop()
        self._folder = tempfile.TemporaryDirectory(prefix="argus-cable-")
        Path(self._folder.name).chmod(0o755)  # as `/dev`: another user may look, and is refused by the node itself
        nodes: list[str] = []
        for _ in range(2):
            master, slave = os.openpty()
            tty.setraw(master)
            tty.setraw(slave)
            os.set_blocking(master, False)
            self._masters.append(master)
            # Held open, or the master would read EIO whenever no program has the path open.
            self._slaves.append(slave)
            nodes.append(os.ttyname(slave))
        self.left_node = nodes[0]
        self.left, self.right = [str(Path(self._folder.name, name)) for name in ("left", "right")]
        for path, node in zip((self.left, self.right), nodes, strict=True):
            Path(path).symlink_to(node)
        for side in (0, 1):
            self._loop.add_reader(self._masters[side], self._carry, side)

    def cut(self) -> None:
        """Hang up both ends. Afterwards the paths `left` and `right` do not exist."""
        self._folder.cleanup()
        for master in self._masters:
            self._loop.remove_reader(master)
            self._loop.remove_writer(master)
            os.close(master)
        for slave in self._slaves:
            os.close(slave)
        self._masters, self._slaves = [], []

    def _carry(self, side: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._waiting[1 - side] += self._damage(os.read(self._masters[side], _READ_BYTES))
        self._hand_over(1 - side)

    def _hand_over(self, side: int) -> None:
        waiting = self._waiting[side]
        with contextlib.suppress(BlockingIOError):
            del waiting[: os.write(self._masters[side], waiting)]
        if waiting:
            self._loop.remove_reader(self._masters[1 - side])
            self._loop.add_writer(self._masters[side], self._hand_over, side)
        else:
            self._loop.remove_writer(self._masters[side])
            self._loop.add_reader(self._masters[1 - side], self._carry, 1 - side)


@asynccontextmanager
async def pty_pair(damage: Damage | None = None) -> AsyncIterator[PtyPair]:
    """Yield a cable, and cut it after the block. `damage` gets the bytes of both directions and returns what to
    deliver."""
    pair = PtyPair(damage)
    try:
        yield pair
    finally:
        pair.cut()
