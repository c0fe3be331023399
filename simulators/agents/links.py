"""Links of a simulated device to its manager: over TCP as a client, or over a serial port that it opens."""

from gateway.transports.clock import Clock
from gateway.transports.link import Link
from gateway.transports.serial_port import Framing, SerialPort
from gateway.transports.tcp import connect_tcp
from simulators.agents.agent import Connect


def over_tcp(host: str, port: int) -> Connect:
    """Return a function that opens a new connection for each link."""

    async def connect() -> Link:
        return await connect_tcp(host, port)

    return connect


def over_serial(path: str, framing: Framing, clock: Clock, *, baud: int = 115_200) -> Connect:
    """Return a function that opens the port for each link, and waits while it is absent. The speed has no effect on a
    pseudo-terminal."""
    return SerialPort(path, baud, framing, clock=clock, setting="--serial and --baud").accept
