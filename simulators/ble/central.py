"""Central of the virtual radio: one Bumble host that the bleak client and scanner classes share.

It does what BlueZ does below bleak. It makes connection attempts one at a time and cancels them properly, encrypts the
link to a bonded peer before any other use, pairs through the gateway's own agent, and has a table of discovered
devices. It raises the errors of bleak's BlueZ backend, so the code above cannot distinguish the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError
from bumble import core, hci, pairing
from bumble.device import Advertisement, Connection
from bumble.hci import Address, OwnAddressType
from bumble.transport.common import TransportLostError

from gateway.transports.ble.stack import PairingAgent
from simulators.ble.attach import Station, mark_retrieved
from simulators.ble.bonds import BondFile

T = TypeVar("T")

# BlueZ drops devices not seen for half a minute; here the oldest are evicted.
_KNOWN_MAX = 1000
# Vol 3 Part H 3.4: pairing without progress for 30 s has failed.
PAIRING_TIMEOUT_S = 30.0
_WITHDRAW_S, _WITHDRAW_TRIES = 0.05, 100
_DISCONNECT_S = 10.0
BLUEZ_FAILED = "org.bluez.Error.Failed"


class Central:
    def __init__(self, station: Station, bonds: BondFile, agent: PairingAgent) -> None:
        self.station = station
        self.device = station.device
        self.bonds = bonds
        self.on_advertisement: Callable[[Advertisement], None] | None = None
        self._agent = agent
        self._known: dict[str, Address] = {}
        self._joining = asyncio.Lock()
        self._pairings: dict[int, asyncio.Task[None]] = {}
        self.device.pairing_config_factory = self._pairing_config
        self.device.on(self.device.EVENT_CONNECTION, self._on_connection)
        self.device.on(self.device.EVENT_ADVERTISEMENT, self._on_advertisement)

    @property
    def up(self) -> bool:
        return not self.station.lost

    def remember(self, address: str, on_air: Address) -> None:
        """Record a discovered device. `address` identifies the device; `on_air`, its current address, may rotate."""
        self._known.pop(address, None)
        self._known[address] = on_air
        if len(self._known) > _KNOWN_MAX:
            del self._known[next(iter(self._known))]

    async def forget(self, address: str) -> bool:
        """Delete the keys and all data of a device. Return whether it was bonded."""
        self._known.pop(address.upper(), None)
        bonded = self.bonds.forget(address)
        if bonded and self.up:
            # Its rotating addresses must not be resolved any more; without an adapter the next `open` ensures this.
            with suppress(core.BaseBumbleError, hci.HCI_Error, TimeoutError):
                await self.device.refresh_resolving_list()
        return bonded

    def on_air(self, address: str) -> Address:
        """Return the current address of a discovered or bonded device. Raises BleakDeviceNotFoundError for an unknown
        device, and BleakError without an adapter, as BlueZ does."""
        if not self.up:
            raise BleakError(f"device '{address}' not found")
        found = self._known.get(address.upper()) or self.bonds.address_of(address)
        if found is None:
            raise BleakDeviceNotFoundError(address, f"Device with address {address} was not found.")
        return found

    def links(self) -> list[Connection]:
        return list(self.device.connections.values())

    def link_to(self, address: str) -> Connection | None:
        plain = address.upper()
        return next((link for link in self.links() if link.peer_address.to_string(False) == plain), None)

    async def join(self, address: str) -> Connection:
        """Wait without a limit until the device advertises, connect, and return the link. An existing link is returned
        at once, as BlueZ does. Cancel-safe. Raises BleakDeviceNotFoundError for an unknown device, BleakError without
        an adapter, and BleakDBusError for a failed connection."""
        async with self._joining:
            while True:
                standing = self.link_to(address)
                if standing is not None:
                    return standing
                attempt = asyncio.ensure_future(
                    self.device.connect_le(self.on_air(address), own_address_type=OwnAddressType.RANDOM, timeout=None)
                )
                try:
                    return await asyncio.shield(attempt)
                except asyncio.CancelledError:
                    if attempt.cancelled() and not _is_cancelling():  # Bumble's sign that the adapter has disappeared
                        raise BleakError(f"device '{address}' not found") from None
                    await self._withdraw(attempt)
                    raise
                except core.ConnectionError as error:
                    # The device had just stopped advertising; the kernel retries by itself.
                    if error.error_code != hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR:
                        raise BleakDBusError(BLUEZ_FAILED, ["le-connection-abort-by-local"]) from error
                except hci.HCI_Error as error:
                    raise BleakDBusError(BLUEZ_FAILED, [_refusal(error.error_code)]) from error
                except (TransportLostError, TimeoutError) as error:
                    raise BleakError(f"device '{address}' not found") from error

    async def encrypt(self, link: Connection) -> bool:
        """Encrypt the link with the bond's keys. Return False if the peer lacks the keys or the link has ended."""
        if link.is_encrypted:
            return True
        try:
            await self.device.encrypt(link)
        except (hci.HCI_Error, core.BaseBumbleError):
            return False
        return link.is_encrypted

    async def pair(self, link: Connection) -> None:
        """Pair and bond over this link; the gateway's agent replies for the user. Raises BleakDBusError with BlueZ's
        error names.

        Afterwards `link.peer_address` is the peer's identity address, even if the peer connected under a rotating
        address. A second call during a pairing waits for that pairing.
        """
        running = self._pairings.get(link.handle)
        if running is None:
            running = asyncio.ensure_future(self._pair(link))
            self._pairings[link.handle] = running
            running.add_done_callback(lambda task: self._paired(link.handle, task))
        await asyncio.shield(running)

    async def _pair(self, link: Connection) -> None:
        before = {name for name, _ in await self.bonds.get_all()}
        try:
            async with asyncio.timeout(PAIRING_TIMEOUT_S):
                await self.device.pair(link)
        except TimeoutError as error:
            raise BleakDBusError("org.bluez.Error.AuthenticationTimeout", ["Authentication Timeout"]) from error
        except (core.BaseBumbleError, hci.HCI_Error) as error:
            raise BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"]) from error
        if str(link.peer_address) in before or not self.bonds.has(link.peer_address.to_string(False)):
            # The peer claimed the identity of another device (`BondFile.update`), which Bumble now uses for it.
            await self.part(link)
            raise BleakDBusError("org.bluez.Error.AuthenticationFailed", ["Authentication Failed"])

    async def part(self, link: Connection) -> None:
        """Disconnect a link. Raises TimeoutError where the controller does not end it."""
        try:
            async with asyncio.timeout(_DISCONNECT_S):
                await during(link, self.device.disconnect(link, hci.HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR))
        except (LinkEnded, hci.HCI_Error, TransportLostError):
            return  # it had ended already

    async def _withdraw(self, attempt: asyncio.Future[Connection]) -> None:
        """Cancel a connection attempt. If a link was established at that moment, end the link."""
        for _ in range(_WITHDRAW_TRIES):
            if attempt.done():
                break
            # Refused when nothing is pending any more, and without an adapter: the attempt then ends by itself.
            with suppress(hci.HCI_Error, TransportLostError):
                await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            await asyncio.wait({attempt}, timeout=_WITHDRAW_S)
        if attempt.done() and not attempt.cancelled() and attempt.exception() is None:
            await self.part(attempt.result())

    def _paired(self, handle: int, task: asyncio.Task[None]) -> None:
        if self._pairings.get(handle) is task:
            del self._pairings[handle]
        mark_retrieved(task)  # the caller has it

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        if self.on_advertisement is not None:
            self.on_advertisement(advertisement)

    def _on_connection(self, link: Connection) -> None:
        link.on(link.EVENT_SECURITY_REQUEST, lambda _requirements: self._on_security_request(link))

    def _on_security_request(self, link: Connection) -> None:
        """Pair on a device's security request, as the kernel does, unless the link is encrypted or a bond exists."""
        if not link.is_encrypted and not self.bonds.has(link.peer_address.to_string(False)):
            asyncio.ensure_future(self.pair(link)).add_done_callback(mark_retrieved)

    def _pairing_config(self, link: Connection) -> pairing.PairingConfig:
        return pairing.PairingConfig(
            sc=True,
            mitm=True,
            bonding=True,
            delegate=_Person(self._agent, link.peer_address.to_string(False)),
            identity_address_type=pairing.PairingConfig.AddressType.RANDOM,
        )


class _Person(pairing.PairingDelegate):
    """Bumble's delegate for user interaction during pairing. It calls the gateway's agent."""

    def __init__(self, agent: PairingAgent, address: str) -> None:
        super().__init__(io_capability=pairing.PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT)
        self._agent = agent
        self._address = address

    async def accept(self) -> bool:
        """Reject a peer's request to pair, since the central initiates pairing."""
        return False

    async def confirm(self, auto: bool = False) -> bool:
        return await self._agent.confirm(self._address, None)

    async def compare_numbers(self, number: int, digits: int) -> bool:
        return await self._agent.confirm(self._address, number)

    async def get_number(self) -> int | None:
        return await self._agent.passkey(self._address)


class LinkEnded(Exception):
    """The link ended during a request over it."""


def stands(link: Connection) -> bool:
    """Return whether this link still exists; a later link with the same handle counts as another link."""
    return link.device.connections.get(link.handle) is link


async def during(link: Connection, work: Coroutine[Any, Any, T], limit_s: float | None = None) -> T:
    """Return the result of `work`. Raises LinkEnded as soon as the link ends, and TimeoutError after `limit_s`.

    Bumble cancels a pending request when the link is lost, which the request's caller cannot distinguish from its own
    cancellation. If the caller is cancelled, the request must still be completed, or its response would be taken for
    the response to the next request. So `work` runs as a separate task, which ends with the link.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    ended = loop.create_future()

    def over(*_reason: object) -> None:
        if not ended.done():
            ended.set_result(None)
        # Not now: Bumble has later listeners that set the results of this very task's futures.
        loop.call_soon(task.cancel)

    def completed(done: asyncio.Task[T]) -> None:
        link.remove_listener(link.EVENT_DISCONNECTION, over)
        mark_retrieved(done)

    link.on(link.EVENT_DISCONNECTION, over)
    task.add_done_callback(completed)
    if not stands(link):
        over()
    await asyncio.wait({task, ended}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    if task.done() and not task.cancelled():
        return task.result()
    if ended.done() or task.done():
        raise LinkEnded
    raise TimeoutError


def _is_cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _refusal(code: int | None) -> str:
    if code == hci.HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR:
        return "le-connection-concurrent-connection-limit"
    return "le-connection-abort-by-local"
