"""Tell systemd how we are (sd_notify): ready, stopping. Without systemd nothing happens."""

import os
import socket


def notify(state: str) -> None:
    """Send a state such as `READY=1`. A service manager that does not listen is no reason to fail."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A leading @ stands for the abstract namespace, whose names begin with a zero octet.
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), target)
    except OSError:
        return
