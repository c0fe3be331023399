"""Device Information service (0x180A): identity of a device, as 20601 attributes (reference BLE §11).

The values become attributes of an MDS object (System-Model, Production-Specification, System-Id and
Reg-Cert-Data-List), so serial and Bluetooth devices are identified by the same code.

Texts stay bytes, since some devices use other encodings than UTF-8. `dim.identity` cleans a text for display.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.ble.codec import Codec
from protocols.ble.interpretation import READ, CharacteristicUse, GattEvent, ServiceInterpreter, ServiceProfile
from protocols.ble.layout import U8, U16, Field, SingleField, ValueLayout, one_column
from protocols.ble.uuids import DEVICE_INFORMATION
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import ProductionSpecEntry, SystemModel
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.regulatory import certifications
from protocols.ieee11073.mder import encode, encode_list

SYSTEM_ID: Final = 0x2A23
MODEL_NUMBER: Final = 0x2A24
SERIAL_NUMBER: Final = 0x2A25
FIRMWARE_REVISION: Final = 0x2A26
HARDWARE_REVISION: Final = 0x2A27
SOFTWARE_REVISION: Final = 0x2A28
MANUFACTURER_NAME: Final = 0x2A29
REGULATORY_CERTIFICATION: Final = 0x2A2A
PNP_ID: Final = 0x2A50
CLAUSE: Final = "DIS"

VALUE_BYTES_MAX: Final = 512
"""Limit of the length of a GATT attribute (Core specification, attribute value)."""
_SYSTEM_ID_BYTES = 8
_OUI_BYTES = 3
_PRODUCTION_KINDS = ((SERIAL_NUMBER, 1), (HARDWARE_REVISION, 3), (SOFTWARE_REVISION, 4), (FIRMWARE_REVISION, 5))
"""Spec-type of each text in the Production-Specification."""


@dataclass(frozen=True, slots=True)
class PnpId:
    """PnP ID (0x2A50). `source` is the registry of the vendor number: 1 Bluetooth SIG, 2 USB Implementers Forum."""

    source: int
    vendor: int
    product: int
    version: int


def decode_text(data: bytes) -> bytes:
    """Return a text as sent. Raises RemoteProtocolError where it is longer than a GATT attribute can be."""
    if len(data) > VALUE_BYTES_MAX:
        raise RemoteProtocolError("a text is longer than an attribute can be", at=VALUE_BYTES_MAX, clause=CLAUSE)
    return data


def encode_text(text: bytes) -> bytes:
    return text


_SYSTEM_ID: SingleField[bytes] = SingleField(
    "DIS 0x2A23", one_column("8s", lambda sent: sent[::-1], lambda system_id: system_id[::-1])
)
"""The EUI-64, most significant byte first, of a device that sends it in the SIG's order (`system_id_of` also handles
the others)."""
decode_system_id, encode_system_id = _SYSTEM_ID.decode, _SYSTEM_ID.encode


def decode_regulatory_certification(data: bytes) -> bytes:
    """Check a Reg-Cert-Data-List and return it unchanged, since it is in the big-endian 20601 form already. Raises
    RemoteProtocolError where it is malformed."""
    certifications(data)
    return data


def encode_regulatory_certification(data: bytes) -> bytes:
    return data


_PNP_ID = ValueLayout(
    PnpId,
    "DIS 0x2A50",
    Field("source", U8),
    Field("vendor", U16),
    Field("product", U16),
    Field("version", U16),
)
decode_pnp_id, encode_pnp_id = _PNP_ID.decode, _PNP_ID.encode


def system_id_of(data: bytes | None, address: str) -> bytes:
    """Return the EUI-64 under which a device is stored, most significant byte first.

    `data` is the System ID (0x2A23) as sent, None where the device has none; `address` is "AA:BB:CC:DD:EE:FF". A System
    ID should be sent least significant byte first, so that its last three bytes are the manufacturer's number. Some
    devices send it most significant byte first, which is assumed where only the first three bytes equal the
    manufacturer's number at the start of the address.

    An id that is not eight bytes long, or all 00 or all FF, identifies no device. The returned id is then the address
    with FF FE inserted after its third byte, the usual conversion of an EUI-48 to an EUI-64. (A random static address
    has no manufacturer's number, but is unique as well.)
    """
    own = bytes.fromhex(address.replace(":", ""))
    if data is None or len(data) != _SYSTEM_ID_BYTES or data in (bytes(8), b"\xff" * 8):
        return own[:_OUI_BYTES] + b"\xff\xfe" + own[_OUI_BYTES:]
    maker, turned = own[:_OUI_BYTES], data[::-1]
    if turned[:_OUI_BYTES] != maker and data[:_OUI_BYTES] == maker:
        return data
    return turned


class DeviceInformation(ServiceInterpreter):
    """Interpreter of the Device Information service. It emits no events; its properties return the values read."""

    def __init__(self) -> None:
        self._texts: dict[int, bytes] = {}
        self._certification: bytes | None = None
        self.system_id_bytes: bytes | None = None
        """0x2A23 as sent, for `system_id_of`; None: the device has not sent one."""
        self.pnp_id: PnpId | None = None
        """The PnP ID. 20601 has no attribute for it."""

    def learn(self, characteristic: int, data: bytes) -> Sequence[GattEvent]:
        if characteristic == SYSTEM_ID:
            decode_system_id(data)
            self.system_id_bytes = data
        elif characteristic == REGULATORY_CERTIFICATION:
            self._certification = decode_regulatory_certification(data)
        elif characteristic == PNP_ID:
            self.pnp_id = decode_pnp_id(data)
        else:
            self._texts[characteristic] = decode_text(data)
        return ()

    @property
    def attributes(self) -> tuple[tuple[int, bytes], ...]:
        """Return the MDS attributes (id, bytes) that result from the Device Information values read so far."""
        found: list[tuple[int, bytes]] = []
        manufacturer, model = self._texts.get(MANUFACTURER_NAME), self._texts.get(MODEL_NUMBER)
        if manufacturer is not None or model is not None:
            system_model = SystemModel(_even(manufacturer or b""), _even(model or b""))
            found.append((Attribute.SYSTEM_MODEL, encode(system_model)))
        production = tuple(
            ProductionSpecEntry(kind, 0, _even(self._texts[characteristic]))
            for characteristic, kind in _PRODUCTION_KINDS
            if characteristic in self._texts
        )
        if production:
            found.append((Attribute.PRODUCTION_SPECIFICATION, encode_list(production)))
        if self.system_id_bytes is not None:
            system_id = decode_system_id(self.system_id_bytes)
            found.append((Attribute.SYSTEM_ID, len(system_id).to_bytes(2, "big") + system_id))
        if self._certification is not None:
            found.append((Attribute.REG_CERT_DATA_LIST, self._certification))
        return tuple(found)


def _even(text: bytes) -> bytes:
    """Pad a text with a zero byte to an even number of bytes, as 20601 requires."""
    return text + b"\x00" if len(text) % 2 else text


_TEXT = Codec(decode_text, encode_text)
_CERTIFICATION = Codec(decode_regulatory_certification, encode_regulatory_certification)
_USES = (
    (MANUFACTURER_NAME, _TEXT, "Manufacturer Name String", "System-Model"),
    (MODEL_NUMBER, _TEXT, "Model Number String", "System-Model"),
    (SERIAL_NUMBER, _TEXT, "Serial Number String", "Production-Specification"),
    (HARDWARE_REVISION, _TEXT, "Hardware Revision String", "Production-Specification"),
    (FIRMWARE_REVISION, _TEXT, "Firmware Revision String", "Production-Specification"),
    (SOFTWARE_REVISION, _TEXT, "Software Revision String", "Production-Specification"),
    (SYSTEM_ID, Codec(decode_system_id, encode_system_id), "System ID", "System-Id"),
    (
        REGULATORY_CERTIFICATION,
        _CERTIFICATION,
        "IEEE 11073-20601 Regulatory Certification Data List",
        "Reg-Cert-Data-List",
    ),
    (PNP_ID, Codec(decode_pnp_id, encode_pnp_id), "PnP ID", "vendor, product and version, kept beside the attributes"),
)

PROFILE: Final = ServiceProfile(
    service=DEVICE_INFORMATION,
    name="Device Information",
    characteristics=tuple(CharacteristicUse(uuid, codec, name, READ, fields) for uuid, codec, name, fields in _USES),
    interpreter=DeviceInformation,
)
