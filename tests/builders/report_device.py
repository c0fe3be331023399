"""A simulated device with deviations from the standard: an oximeter with a full MDS, whose reports carry a time that
its attribute map does not declare. A widespread agent stack behaves like this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.transports.link import Link
from gateway.transports.tcp import connect_tcp
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu.attributes import AvaType, ProductionSpecEntry, SystemModel, TypeVersion
from protocols.ieee11073.apdu.data import EventType
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import ScanReport
from protocols.ieee11073.mder import encode, encode_list
from tests.builders.ieee11073_apdus import aarq, get_response, rlrq, scan_report

OXIMETER = 0x0190
ODD_ID = bytes.fromhex("0A0B0C0D0E0F0102")
VALUE_WITH_TIME = "0001 000E 0001 000A 0062 2026030112000000"
"""One observation of the object with handle 1: 98 %, and an eight-byte time stamp after it."""
UNDECLARED_TIME = "2026030112000000"
REG_CERT = bytes.fromhex("0002 0012 0201 0008 0105 0001 0002 2004 0202 0002 8000")
"""The worked example of Reg-Cert-Data-List: Continua guidelines 1.5, an oximeter over USB, unregulated."""


def described(model: str = "Synthetic OX-2") -> tuple[AvaType, ...]:
    """Return the attributes of an MDS with model, revisions, certificates, a clock and a battery."""
    production = (ProductionSpecEntry(1, 0, b"SN-0042 "), ProductionSpecEntry(5, 0, b"1.4.2 "))
    return (
        AvaType(Attribute.SYSTEM_MODEL, encode(SystemModel(b"Invented Devices", model.encode()))),
        AvaType(Attribute.SYSTEM_TYPE_SPEC_LIST, encode_list((TypeVersion(4100, 1),))),
        AvaType(Attribute.PRODUCTION_SPECIFICATION, encode_list(production)),
        AvaType(Attribute.REG_CERT_DATA_LIST, REG_CERT),
        AvaType(Attribute.MDS_TIME_INFO, bytes.fromhex("8000 1F00 FFFFFFFF 0064 0000 00000000")),
        AvaType(Attribute.DATE_AND_TIME, bytes.fromhex("2026030112000000")),
        AvaType(Attribute.BATTERY_LEVEL, b"\x00\x55"),
        AvaType(Attribute.POWER_STATUS, b"\x40\x00"),
        AvaType(Attribute.REMAINING_BATTERY_TIME, bytes.fromhex("0000005A 08A0")),
    )


class OddDevice:
    """A device with deviations, on an open link to a manager; it sends bytes and reads the manager's APDUs."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._stream = ApduStream()
        self._waiting: list[bytes] = []
        self._number = 0

    async def heard(self, head: str) -> bytes:
        """Read APDUs until one begins with `head` (in hex), and return that APDU."""
        while True:
            while self._waiting:
                apdu = self._waiting.pop(0)
                if apdu.startswith(bytes.fromhex(head)):
                    return apdu
            data = await self._link.receive()
            assert data, "the gateway hung up"
            self._waiting += self._stream.feed(data)

    async def associate(self, *, config_id: int = OXIMETER, model: str = "Synthetic OX-2") -> None:
        await self._link.send(aarq(config_id, system_id=ODD_ID))
        await self.heard("E300")
        if config_id == OXIMETER:
            asked = await self.heard("E700")
            await self._link.send(get_response(int.from_bytes(asked[6:8], "big"), described(model)))

    async def report(self, items: str = VALUE_WITH_TIME) -> None:
        """Send a confirmed report in fixed format with `items` (in hex), and wait for its acknowledgement."""
        report = ScanReport(EventType.SCAN_REPORT_FIXED, bytes.fromhex(items))
        invoke_id = 0x7000 + self._number
        await self._link.send(scan_report(report, report_no=self._number, invoke_id=invoke_id))
        self._number += 1
        while (await self.heard("E700"))[6:8] != invoke_id.to_bytes(2, "big"):
            pass

    async def leave(self) -> None:
        await self._link.send(rlrq())
        await self.heard("E500")


@asynccontextmanager
async def odd_device(address: tuple[str, int], *, model: str = "Synthetic OX-2") -> AsyncIterator[OddDevice]:
    """Yield an associated device over TCP; release the association at the end, and close the link."""
    link = await connect_tcp(*address)
    device = OddDevice(link)
    try:
        await device.associate(model=model)
        yield device
        await device.leave()
    finally:
        await link.close()
