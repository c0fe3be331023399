"""How a simulated device reaches its manager: over TCP as a client, or over a serial port that it opens."""

from gateway.transports.clock import Clock
from gateway.transports.link import Link
from gateway.transports.serial_port import Framing, SerialPort
from gateway.transports.tcp import connect_tcp
from simulators.agents.agent import Connect


def over_tcp(host: str, port: int) -> Connect:
    """A new connection for each link."""

    async def connect() -> Link:
        return await connect_tcp(host, port)

    return connect


def over_serial(path: str, framing: Framing, clock: Clock, *, baud: int = 115_200) -> Connect:
    """The port, opened again for each link; waits while it is absent. The speed means nothing on a pseudo-terminal."""
    return SerialPort(path, baud, framing, clock=clock, setting="--serial and --baud").accept
