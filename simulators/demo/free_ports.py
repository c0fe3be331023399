"""Loopback ports that stay free until the program they are meant for begins to listen.

The program begins to listen seconds after the selection, and again after each restart; before that the kernel may
assign an ephemeral port to any outgoing connection. So ports are selected below the ephemeral range.

Each process of the project selects ports from its own block of ports, so that no two processes select the same port. A
process reserves its block by binding the first port without listening. The kernel releases the block when the process
ends.
"""

import random
import socket
from collections.abc import Collection, Iterator
from functools import cache
from itertools import cycle, islice
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_FIRST_USUAL = 32_768
_FIRST = 10_000
_BLOCK = 128
_holders: list[socket.socket] = []
"""Socket bound to the first port of this process's block, open until the process ends."""


class NoFreePort(Exception):
    """Every port that could have been assigned is taken."""


def free_port(besides: Collection[int] = ()) -> int:
    """Return a port that has no listener and is not in `besides`, reserved for this process. Raises `NoFreePort`."""
    for port in islice(_ports_of_this_process(), _BLOCK - 1):
        if port not in besides and is_free(port):
            return port
    raise NoFreePort("no free loopback port was found")


def is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do: a connection in TIME_WAIT does not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@cache
def _ports_of_this_process() -> Iterator[int]:
    """Reserve a block of ports for this process, once, and return an endless iterator over them. A released port is
    selected again only after all others. Raises `NoFreePort` where all blocks are reserved."""
    blocks = list(range(_FIRST, _ephemeral_first() - _BLOCK, _BLOCK))
    random.shuffle(blocks)
    for first in blocks:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", first))
        except OSError:
            holder.close()
        else:
            _holders.append(holder)
            return cycle(range(first + 1, first + _BLOCK))
    raise NoFreePort("no free loopback port was found")


def _ephemeral_first() -> int:
    try:
        first = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_FIRST_USUAL
    # If the ephemeral range includes nearly all ports, no selection is better than another.
    return first if first >= _FIRST + 2 * _BLOCK else _EPHEMERAL_FIRST_USUAL
