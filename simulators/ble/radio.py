"""Virtual radio as a separate process, `argus-sim ble radio`: an ether behind a Unix socket.

Each connection to the socket is a Bluetooth host and gets a controller, which it uses over HCI (H4). When the
connection ends, its controller is removed and its peers see a supervision timeout. So the gateway can be killed while
its devices continue, and the devices while the gateway continues. The socket has mode 0600, so only its owner may
connect. With `--vhci` one more controller is given to this machine's kernel through /dev/vhci, for BlueZ.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import structlog
from bumble.hci import Address

from simulators.ble.control import LINE_BYTES_MAX, ControlRefused, RadioControl
from simulators.ble.controller import RadioController
from simulators.ble.ether import Ether
from simulators.ble.hci_stream import HciStream
from simulators.ble.vhci import VhciPort
from simulators.command_line import stop_on_signals

log = structlog.get_logger(__name__)

# Far more than any test uses; each is a few kilobytes.
HOSTS_MAX = 256
# Address of the adapter that a kernel gets: always the same, since BlueZ stores bonds under it. Locally administered.
VHCI_ADDRESS = "02:00:00:00:AA:01"
# sockaddr_un holds 107 bytes.
_PATH_BYTES_MAX = 107


class RadioUnusable(ControlRefused):
    """The radio cannot be opened here; the text has the reason."""


class Radio:
    """One simulated radio (ether) with its hosts and, with vhci, the adapter of this machine's kernel."""

    def __init__(self, ether: Ether, vhci_path: str = "/dev/vhci") -> None:
        self.ether = ether
        self._vhci_path = vhci_path
        self._hosts: dict[HciStream, RadioController] = {}
        self._vhci: tuple[VhciPort, RadioController] | None = None

    def host(self) -> HciStream:
        """Return an asyncio protocol for a new connection of a Bluetooth host."""
        return HciStream(opened=self._opened, ended=self._ended)

    def hang_up(self) -> None:
        for stream in list(self._hosts):
            stream.close()

    async def plug_vhci(self, on: bool) -> None:
        """Add an adapter to this machine's kernel, or remove it for `on` False. Raises RadioUnusable."""
        if not on:
            vhci, self._vhci = self._vhci, None
            if vhci is not None:
                self.ether.remove_controller(vhci[1])
                vhci[0].close()
            return
        if self._vhci is not None:
            return
        try:
            port = VhciPort(self._vhci_path)
        except OSError as error:
            raise RadioUnusable(f"{self._vhci_path}: {error.strerror or type(error).__name__}") from error
        controller = RadioController("kernel", self.ether)
        controller.public_address = Address(VHCI_ADDRESS, Address.PUBLIC_DEVICE_ADDRESS)
        controller.set_packet_sink(port)
        port.set_packet_sink(controller)
        self._vhci = port, controller

    def _opened(self, stream: HciStream) -> None:
        if len(self._hosts) >= HOSTS_MAX:
            self.ether.counts["hosts refused"] += 1
            stream.close()
            return
        controller = RadioController(f"host {self.ether.counts['hosts']}", self.ether)
        self.ether.counts["hosts"] += 1
        controller.set_packet_sink(stream)
        stream.set_packet_sink(controller)
        stream.flowing = lambda flows: controller.decongest() if flows else controller.congest()
        self._hosts[stream] = controller

    def _ended(self, stream: HciStream) -> None:
        controller = self._hosts.pop(stream, None)
        if controller is not None:
            controller.set_packet_sink(None)
            self.ether.remove_controller(controller)


async def run_radio(
    path: Path,
    control: Path | None,
    *,
    vhci: bool = False,
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run a radio on the socket `path` until `stop` is set (`stop` None: until SIGTERM or SIGINT). `control` is the
    path of its control socket (None: no control socket). `ready` is called once hosts can connect. Raises
    RadioUnusable."""
    loop = asyncio.get_running_loop()
    if stop is None:
        stop = asyncio.Event()
        stop_on_signals(stop.set)
    radio = Radio(Ether())
    requests = RadioControl(radio.ether, radio.plug_vhci if vhci else None)
    async with AsyncExitStack() as open_now:
        if vhci:
            await radio.plug_vhci(True)
            open_now.push_async_callback(radio.plug_vhci, False)
        hosts = await loop.create_unix_server(radio.host, sock=open_now.enter_context(listening(path)))
        open_now.callback(radio.hang_up)
        open_now.callback(hosts.close)
        if control is not None:
            at = open_now.enter_context(listening(control))
            listener = await asyncio.start_unix_server(requests.serve, sock=at, limit=LINE_BYTES_MAX)
            open_now.callback(requests.hang_up)
            open_now.callback(listener.close)
        log.info("radio.opened", socket=str(path), control=None if control is None else str(control), vhci=vhci)
        ready()
        await stop.wait()
    log.info("radio.closed", hosts=radio.ether.counts["hosts"])


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """Yield a socket bound to `path` with mode 0600, and remove its file afterwards. A socket file on which no process
    listens is replaced. Raises RadioUnusable."""
    if len(os.fsencode(path)) > _PATH_BYTES_MAX:
        raise RadioUnusable(f"{path} is longer than a socket's name may be ({_PATH_BYTES_MAX} bytes)")
    _clear_stale(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Between bind and chmod another user could connect, so the file is made with the right mode.
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise RadioUnusable(f"{path}: {error.strerror or type(error).__name__}") from error
    finally:
        os.umask(before)
    try:
        yield bound
    finally:
        bound.close()
        path.unlink(missing_ok=True)


def _clear_stale(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_socket():
        raise RadioUnusable(f"{path} is there and no socket; it is left alone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise RadioUnusable(f"a radio listens at {path} already")
