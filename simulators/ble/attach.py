"""Attach a Bumble host to the ether, in this process or over the socket of a radio process, with four rules:

- bond keys are stored under the address of the connection (Bumble's default is the public address, so a reconnect by
  static random address would find no key);
- an HCI command is completed even if its caller is cancelled;
- every HCI command has a time limit;
- keys are never logged.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import structlog
from bumble import hci
from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import KeyStore, MemoryKeyStore
from bumble.transport.common import AsyncPipeSink, TransportLostError

from simulators.ble.controller import HCI_Write_BD_ADDR_Command, RadioController
from simulators.ble.ether import Ether
from simulators.ble.hci_stream import HciStream

Air: TypeAlias = Ether | Path
"""The ether to attach to: in this process, or behind the socket of a radio process."""

log = structlog.get_logger(__name__)

# A controller in software responds at once; this is for a radio process that hangs.
_COMMAND_TIMEOUT_S = 10.0

# At DEBUG, Bumble logs passkeys and temporary keys, and its warnings are normal events of a radio.
logging.getLogger("bumble").setLevel(logging.ERROR)


class NoRadio(Exception):
    """There is no radio behind this socket; the text has what was tried."""


class _SteadyHost(Host):
    """Bumble host that continues after errors. A command is completed even if its caller was cancelled; otherwise
    Bumble would assign the late response to its next command. Malformed packets are dropped."""

    lost = False

    def on_packet(self, packet: bytes) -> None:
        """Process a packet, or drop a malformed one, for which Bumble may raise any exception."""
        try:
            super().on_packet(packet)
        except Exception as error:
            log.warning("station.packet_failed", error=type(error).__name__)

    def on_transport_lost(self) -> None:
        """Handle the end of the transport. Bumble's own handler fails if a response is not processed yet."""
        self.lost = True
        pending = self.pending_response
        if pending is not None and not pending.done():
            pending.set_exception(TransportLostError("transport lost"))
        self.emit("flush")

    def on_command_processed(self, event: hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event) -> None:
        """Process the response to a command. If the command's caller was cancelled, ignore the response."""
        if self.pending_response is None or not self.pending_response.done():
            super().on_command_processed(event)

    async def _send_command(self, command: Any, response_timeout: float | None = None) -> Any:
        if self.lost:
            raise TransportLostError("transport lost")
        limit_s = _COMMAND_TIMEOUT_S if response_timeout is None else response_timeout
        sent = asyncio.ensure_future(super()._send_command(command, limit_s))
        sent.add_done_callback(mark_retrieved)
        return await asyncio.shield(sent)


def mark_retrieved(task: asyncio.Future[Any]) -> None:
    """Retrieve the task's exception, so that asyncio does not log it as never retrieved."""
    if not task.cancelled():
        task.exception()


def _handler_failed(error: Exception) -> None:
    """Log an error of an event handler, except TransportLostError. Bumble raises TransportLostError when it restarts
    advertising after a link that ended because the radio disconnected."""
    if not isinstance(error, TransportLostError):
        log.error("station.handler_failed", exc_info=error)


class Station:
    """Bumble host on the ether. `device` is the powered-on Bumble device, to which services can be added."""

    def __init__(
        self, device: Device, host: _SteadyHost, let_go: Callable[[], None], terminated: asyncio.Future[None]
    ) -> None:
        self.device = device
        self._host = host
        self._let_go = let_go
        self._terminated = terminated

    @property
    def lost(self) -> bool:
        return self._terminated.done()

    async def wait_closed(self) -> None:
        await asyncio.shield(self._terminated)

    async def reset(self) -> None:
        """Power the host off and on: all links, advertising and scanning end. Raises Bumble's errors, TimeoutError."""
        async with asyncio.timeout(_COMMAND_TIMEOUT_S):
            await self.device.power_on()
        self.device.scanning = False

    def close(self) -> None:
        """Remove the host from the ether; its peers see a supervision timeout. Repeated calls do nothing."""
        self._let_go()
        if not self._terminated.done():
            self._terminated.set_result(None)
            self._host.on_transport_lost()


async def attach(
    air: Air,
    name: str,
    address: str,
    *,
    public: bool = False,
    keys: KeyStore | None = None,
    irk: bytes | None = None,
) -> Station:
    """Return a powered-on host on the simulated radio `air`. `address` is a public address if `public`, else a static
    random one (two most significant bits set, Core Vol 6 Part B 1.3.2.1).

    Bonds are stored in `keys` (None: in memory). `irk` is the host's identity resolving key (None: a random one).
    Raises NoRadio, and ValueError for an address that is not static random.
    """
    kind = Address.PUBLIC_DEVICE_ADDRESS if public else Address.RANDOM_DEVICE_ADDRESS
    own = Address(address, kind)
    if not public and not own.is_static:
        raise ValueError(f"{address} is no static random address: its first two bits are not 1")
    configuration = DeviceConfiguration(
        name=name,
        address=Address.generate_static_address() if public else own,
        irk=secrets.token_bytes(16) if irk is None else irk,
        identity_address_type=kind,
        # Only so that a connection to a bonded peer does not first search for it without a limit.
        address_resolution_offload=True,
    )
    host, let_go, terminated = await _host(air, name)
    device = Device(config=configuration, host=host)
    device.keystore = keys or MemoryKeyStore()
    device.on(device.EVENT_CONNECTION, lambda link: link.on("error", _handler_failed))
    station = Station(device, host, let_go, terminated)
    try:
        async with asyncio.timeout(_COMMAND_TIMEOUT_S):
            await device.power_on()
            if public:
                await device.send_sync_command(HCI_Write_BD_ADDR_Command(bd_addr=own))
                device.public_address = own
    except Exception as error:
        station.close()
        raise NoRadio(f"the radio at {air} does not respond as one ({type(error).__name__})") from error
    except BaseException:
        station.close()
        raise
    return station


async def _host(air: Air, name: str) -> tuple[_SteadyHost, Callable[[], None], asyncio.Future[None]]:
    loop = asyncio.get_running_loop()
    if isinstance(air, Ether):
        controller = RadioController(name, air)
        host = _SteadyHost(controller, AsyncPipeSink(controller))
        return host, lambda: air.remove_controller(controller), loop.create_future()
    try:
        _, stream = await loop.create_unix_connection(HciStream, str(air))
    except OSError as error:
        raise NoRadio(f"no radio at {air}: {error.strerror or type(error).__name__}") from error
    return _SteadyHost(stream, stream), stream.close, stream.terminated
