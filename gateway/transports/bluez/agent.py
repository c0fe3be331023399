"""Pairing agent for BlueZ (org.bluez.Agent1), without which every pairing that needs a confirmation fails.

bleak has no agent. The agent here declares a keyboard and a display (KeyboardDisplay). So an operator types the passkey
that a device shows, or compares the number that both sides show; a device without display and keyboard pairs without a
number. `PairingAgent` decides which device may pair. Requests of classic Bluetooth are rejected. BlueZ cancels a
request when the device gives up (`Cancel`); an operator's later reply is dropped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar

import structlog
from dbus_fast import DBusError
from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

from gateway.transports.ble.stack import PairingAgent

AGENT_PATH: Final = "/argus/pairing"
CAPABILITY: Final = "KeyboardDisplay"

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BluezAgent(ServiceInterface):
    """The agent's D-Bus object. `address_of` returns the Bluetooth address of the device at an object path."""

    def __init__(self, pairing: PairingAgent, address_of: Callable[[str], Awaitable[str]]) -> None:
        super().__init__("org.bluez.Agent1")
        self._pairing = pairing
        self._address_of = address_of
        self._open: set[asyncio.Timeout] = set()

    @dbus_method()
    async def RequestPasskey(self, device: DBusObjectPath) -> DBusUInt32:  # noqa: N802 - BlueZ's names
        """Return the six digits that the operator types. Reject the pairing where none were typed."""
        address = await self._address_of(device)
        passkey = await self._await_reply(self._pairing.passkey(address))
        if passkey is None or not 0 <= passkey <= 999_999:
            self._reject(address, "the passkey that it shows was not entered")
        return passkey

    @dbus_method()
    async def RequestConfirmation(self, device: DBusObjectPath, passkey: DBusUInt32) -> None:  # noqa: N802 - see above
        """Accept the pairing if the operator confirms that the device shows `passkey` too. With a third device in
        between, the numbers would differ."""
        await self._confirm(device, passkey)

    @dbus_method()
    async def RequestAuthorization(self, device: DBusObjectPath) -> None:  # noqa: N802 - see above
        """Accept the pairing of a device without display and keyboard if an operator requested it."""
        await self._confirm(device, None)

    @dbus_method()
    async def DisplayPasskey(  # noqa: N802 - see above
        self, device: DBusObjectPath, passkey: DBusUInt32, entered: DBusUInt16
    ) -> None:
        """Accept the pairing with a passkey that is typed on the device, if an operator requested it. BlueZ calls this
        after each digit (`entered` counts them) without waiting for the response; only the first call is used."""
        if entered == 0:
            await self._confirm(device, passkey)

    @dbus_method()
    def Cancel(self) -> None:  # noqa: N802 - see above
        """Cancel the pending request, because the device has given up."""
        now = asyncio.get_running_loop().time()
        for each in tuple(self._open):
            if not each.expired():
                each.reschedule(now)

    @dbus_method()
    def Release(self) -> None:  # noqa: N802 - see above
        """Log that BlueZ has unregistered the agent and sends it no further requests."""
        log.info("ble.agent_released")

    @dbus_method()
    def RequestPinCode(self, device: DBusObjectPath) -> DBusStr:  # noqa: N802 - see above
        """Reject a request of classic Bluetooth."""
        self._reject(device[-17:], "it requests a PIN of classic Bluetooth")

    @dbus_method()
    def DisplayPinCode(self, device: DBusObjectPath, pincode: DBusStr) -> None:  # noqa: N802 - see above
        """Reject a request of classic Bluetooth."""
        self._reject(device[-17:], "it requests a PIN of classic Bluetooth")

    @dbus_method()
    def AuthorizeService(self, device: DBusObjectPath, uuid: DBusStr) -> None:  # noqa: N802 - see above
        """Reject a device that wants to use a service of this machine, because the gateway offers none."""
        self._reject(device[-17:], "it wants to use a service of this machine")

    async def _confirm(self, device: str, passkey: int | None) -> None:
        address = await self._address_of(device)
        if not await self._await_reply(self._pairing.confirm(address, passkey)):
            self._reject(address, "no operator requested it")

    async def _await_reply(self, question: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(None) as cut:
                self._open.add(cut)
                try:
                    return await question
                finally:
                    self._open.discard(cut)
        except TimeoutError:
            raise DBusError("org.bluez.Error.Canceled", "it was taken back") from None

    @staticmethod
    def _reject(address: str, why: str) -> NoReturn:
        log.info("ble.pairing_rejected", address=address, why=why)
        raise DBusError("org.bluez.Error.Rejected", why)
