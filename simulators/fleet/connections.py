"""Reconnect storms: all MQTT connections of this process end at the same moment, as when a broker or a network fails.

The sockets are shut down below the client, so the uplinks see a lost connection, and the broker one without DISCONNECT.
The uplinks then reconnect by their own rules.
"""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")


def cut_connections(port: int) -> int:
    """Shut down every TCP connection of this process whose other end has the port `port`. Return their number."""
    return sum(_cut(int(name), port) for name in os.listdir(DESCRIPTORS))


def _cut(descriptor: int, port: int) -> bool:
    # A descriptor may have been closed since the folder was listed, and a socket may not be connected.
    with suppress(OSError):
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        # A duplicate shuts down the same connection, and closing it leaves the descriptor to its owner.
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.getpeername()[1] == port:
                found.shutdown(socket.SHUT_RDWR)
                return True
    return False
