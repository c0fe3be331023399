"""A stand-in for bluetoothd (org.bluez) on a private D-Bus, without a radio.

It offers the part of the D-Bus API that the gateway uses. The gateway reaches it over real D-Bus, through bleak's own
BlueZ backend. Objects, properties and signals have bluetoothd's names and forms; a test scripts the behaviour of
devices. The real bluetoothd is tested in a virtual machine.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from protocols.ble.uuids import long_uuid

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
_SERVICE, _CHARACTERISTIC = "org.bluez.GattService1", "org.bluez.GattCharacteristic1"
_OBJECTS, _PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
HCI0 = "/org/bluez/hci0"
OXIMETER = "F0:F1:00:00:00:01"


class Refused(Exception):
    """Answer with this D-Bus error."""

    def __init__(self, name: str, text: str = "") -> None:
        self.name, self.text = name, text
        super().__init__(name)


def path_of(address: str, adapter: str = HCI0) -> str:
    return f"{adapter}/dev_{address.replace(':', '_')}"


class FakeBluez:
    """A fake bluetoothd, to be started with `start`. `die` ends its bus connection, as when bluetoothd is killed.

    `objects` maps path, interface and property to a Variant.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self.calls: list[str] = []
        self.agent: tuple[str, str, str] | None = None
        """The sender of the agent's registration, the agent's path and its capability."""
        self.default_agent = False
        self.refusals: dict[str, list[Refused | None]] = {}
        """Map a member to the errors of its next calls."""
        self.on_connect: Callable[[str], Any] = self._connects
        self.written: list[bytes] = []
        self._bus: MessageBus | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name("org.bluez")

    async def die(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            bus.disconnect()
        for task in tuple(self._tasks):
            task.cancel()

    # Objects

    def add_adapter(self, name: str = "hci0", address: str = "00:11:22:33:44:55", *, powered: bool = False) -> None:
        self._add(
            f"/org/bluez/{name}",
            ADAPTER,
            {
                "Address": Variant("s", address),
                "Powered": Variant("b", powered),
                "Roles": Variant("as", ["central", "peripheral"]),
            },
        )

    def add_device(self, address: str = OXIMETER, *, heard: bool = True, **properties: Variant) -> None:
        told = {
            "Address": Variant("s", address),
            "Alias": Variant("s", "Oximeter"),
            "Name": Variant("s", "Oximeter"),
            "Adapter": Variant("o", HCI0),
            "Connected": Variant("b", False),
            "Paired": Variant("b", False),
            "Bonded": Variant("b", False),
            "ServicesResolved": Variant("b", False),
            "UUIDs": Variant("as", [long_uuid(0x1822)]),
        }
        if heard:
            told["RSSI"] = Variant("n", -60)
        self._add(path_of(address), DEVICE, told | properties)

    def add_table(self, address: str = OXIMETER, *, name: str = "service000a", uuid: int = 0x1822) -> None:
        """Add a GATT service with one characteristic that can notify and one that cannot."""
        service, device = f"{path_of(address)}/{name}", path_of(address)
        self._add(service, _SERVICE, {"UUID": Variant("s", long_uuid(uuid)), "Device": Variant("o", device)})
        for handle, number, flags in (("000b", 0x2A5F, ["notify"]), ("000e", 0x2A60, ["read", "write"])):
            self._add(
                f"{service}/char{handle}",
                _CHARACTERISTIC,
                {
                    "UUID": Variant("s", long_uuid(number)),
                    "Service": Variant("o", service),
                    "Flags": Variant("as", flags),
                    "MTU": Variant("q", 247),
                },
            )

    def remove(self, path: str) -> None:
        for each in [it for it in self.objects if it == path or it.startswith(f"{path}/")]:
            interfaces = list(self.objects.pop(each))
            self._signal("/", _OBJECTS, "InterfacesRemoved", "oas", [each, interfaces])

    def change(self, path: str, interface: str, **properties: Variant) -> None:
        self.objects[path][interface].update(properties)
        self._signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", [interface, properties, []])

    def hear(self, address: str = OXIMETER, rssi: int = -61) -> None:
        self.change(path_of(address), DEVICE, RSSI=Variant("n", rssi))

    def notify(self, octets: bytes, address: str = OXIMETER) -> None:
        self.change(f"{path_of(address)}/service000a/char000b", _CHARACTERISTIC, Value=Variant("ay", octets))

    def lose(self, address: str = OXIMETER) -> None:
        self.change(path_of(address), DEVICE, Connected=Variant("b", False), ServicesResolved=Variant("b", False))

    async def call_agent(self, member: str, signature: str = "", *body: Any) -> Any:
        """Call a method of the registered pairing agent, as bluetoothd does. Raises Refused when the agent returns an
        error."""
        assert self._bus is not None
        assert self.agent is not None
        owner, path, _ = self.agent
        reply = await self._bus.call(
            Message(
                destination=owner,
                path=path,
                interface="org.bluez.Agent1",
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise Refused(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        return reply.body[0] if reply.body else None

    # Replies to method calls

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.path is None:
            return None
        if message.path != "/" and not message.path.startswith("/org/bluez"):
            return None
        self.calls.append(f"{message.member} {message.path}")
        task = asyncio.get_running_loop().create_task(self._reply(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _reply(self, message: Message) -> None:
        try:
            refusals = self.refusals.get(message.member or "")
            refusal = refusals.pop(0) if refusals else None
            if refusal is not None:
                raise refusal
            signature, body = await self._do(message)
            reply = Message.new_method_return(message, signature, body)
        except Refused as error:
            reply = Message.new_error(message, error.name, error.text)
        if self._bus is not None:
            await self._bus.send(reply)

    async def _do(self, message: Message) -> tuple[str, list[Any]]:
        path, member, body = message.path or "", message.member, message.body
        if member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self.objects]
        if member == "RegisterAgent":
            self.agent = (message.sender or "", body[0], body[1])
            return "", []
        if member == "RequestDefaultAgent":
            self.default_agent = True
            return "", []
        if path not in self.objects:
            raise Refused("org.freedesktop.DBus.Error.UnknownObject", "no such object")
        if member == "Get":
            return "v", [self.objects[path][body[0]][body[1]]]
        if member == "Set":
            self.change(path, body[0], **{body[1]: body[2]})
        elif member == "RemoveDevice":
            if body[0] not in self.objects:
                raise Refused("org.bluez.Error.DoesNotExist", "Does Not Exist")
            self.remove(body[0])
        elif member == "StartDiscovery":
            for each, it in self.objects.items():
                if DEVICE in it and "RSSI" in it[DEVICE]:
                    self.change(each, DEVICE, RSSI=Variant("n", -62))
        elif member == "Connect":
            await _maybe(self.on_connect(path))
        elif member == "Disconnect":
            self.change(path, DEVICE, Connected=Variant("b", False), ServicesResolved=Variant("b", False))
        elif member == "ReadValue":
            return "ay", [b"\x01\x02"]
        elif member == "WriteValue":
            self.written.append(bytes(body[0]))
        return "", []

    def _connects(self, path: str) -> None:
        self.change(path, DEVICE, Connected=Variant("b", True))
        self.change(path, DEVICE, ServicesResolved=Variant("b", True))

    def _add(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        self.objects.setdefault(path, {})[interface] = properties
        self._signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {interface: properties}])

    def _signal(self, path: str, interface: str, member: str, signature: str, body: list[Any]) -> None:
        if self._bus is not None:
            self._bus.send(Message.new_signal(path, interface, member, signature, body))


async def _maybe(answer: Any) -> None:
    if asyncio.iscoroutine(answer):
        await answer
