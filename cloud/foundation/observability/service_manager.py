"""Notify systemd (sd_notify) that this process is ready, alive or stopping. Without systemd nothing happens."""

import os
import socket
from collections.abc import Mapping


def notify(state: str) -> None:
    """Send a state such as `READY=1` to systemd. A failure to send it is ignored."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A leading @ means the abstract namespace, whose names begin with a zero byte.
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), target)
    except OSError:
        return


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Return the time without `WATCHDOG=1` after which systemd ends this process; None if there is no watchdog."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()) or not microseconds.isdecimal():
        return None
    return int(microseconds) / 1_000_000 or None
