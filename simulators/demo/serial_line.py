"""Serial line without hardware: a pseudo-terminal whose gateway end has a fixed path.

The gateway opens the path like any serial port. The device end stays open as long as this process runs, so a gateway
that was killed and restarted finds the same line, as with a real cable. When this process is killed, the gateway sees a
hang-up, as when a cable is pulled. The restarted process creates a new terminal under the same path.

The path leads to this process's descriptor of the terminal, and not to its name below `/dev/pts`. The kernel gives the
number of a terminal to the next one at once. So the gateway of a demo whose devices had ended took the devices of
another demo, which then had the same number.
"""

import os
import tty
from pathlib import Path

from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.hdlc_link import HdlcLink
from gateway.transports.link import Link


class SerialLine:
    """One serial line. `port` is the path that the gateway's settings contain."""

    def __init__(self, port: Path) -> None:
        self._port = port
        self._device_end, self._gateway_end = os.openpty()
        # The gateway's end stays open here too; otherwise the device end would get an error while the gateway does not
        # have its end open.
        tty.setraw(self._gateway_end)
        os.set_blocking(self._device_end, False)
        fresh = port.with_name(port.name + ".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(_name_of(self._gateway_end))
        fresh.replace(port)

    async def connect(self) -> Link:
        """Return a link over the line with HDLC framing. Closing the link leaves the line open."""
        return HdlcLink(DescriptorLink(self._port.name, os.dup(self._device_end)))


def _name_of(descriptor: int) -> str:
    """Return a name of a terminal that leads nowhere when this process has ended; without `/proc`, its usual name."""
    name = f"/proc/{os.getpid()}/fd/{descriptor}"
    return name if os.path.exists(name) else os.ttyname(descriptor)
