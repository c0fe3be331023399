"""Services of every simulated Bluetooth device besides its health service: identity, battery and clock.

The system id is the device's EUI-64, sent least significant byte first. Some real devices reverse the system id or do
not have it; `IdForm` selects such a form. A device without a clock has no Current Time service.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from protocols.ble.battery import BATTERY_LEVEL, encode_level
from protocols.ble.current_time import (
    CURRENT_TIME,
    current_time_at,
    decode_current_time,
    encode_current_time,
    shown_time,
)
from protocols.ble.device_information import (
    FIRMWARE_REVISION,
    HARDWARE_REVISION,
    MANUFACTURER_NAME,
    MODEL_NUMBER,
    REGULATORY_CERTIFICATION,
    SERIAL_NUMBER,
    SYSTEM_ID,
    encode_system_id,
)
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.regulatory import PROFILES_FROM, AuthBody, CertifiedTransport, ContinuaClasses, RegCertData
from protocols.ieee11073.mder import encode, encode_list
from protocols.ieee11073.specializations.profiles import Specialization
from simulators.agents.device import Description
from simulators.agents.own_clock import Setting
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import IdForm
from simulators.ble.sensor import ACCEPTED, Offered, Way, moment_of

DATA_FIELD_IGNORED: Final = 0x80
"""ATT error: the clock was not set (reference BLE §13, unconfirmed)."""
_INVALID_LENGTH = 0x0D
_CONTINUA_VERSION = (6, 0)
_CERTIFIED_CLASSES, _REGULATION = 1, 2
_REGULATED = 0
_CLASSES_OF_TRANSPORT = 8192


def device_services(
    description: Description,
    behaviour: BleBehaviour,
    local_time: Callable[[], datetime | None],
    set_clock: Callable[[datetime], bool],
) -> Iterator[Offered]:
    """Yield the characteristics of a device's identity, battery and clock services. `local_time` is called at each read
    of the clock and returns None for a device without a clock. `set_clock` returns whether the device accepts a written
    time."""
    for uuid, octets in _information(description, behaviour.id_form):
        yield Offered(service=DEVICE_INFORMATION, uuid=uuid, read=partial(bytes, octets), guarded=False)
    level = encode_level(description.battery_percent)
    yield Offered(service=BATTERY, uuid=BATTERY_LEVEL, way=Way.NOTIFIED, read=lambda: level, guarded=False)
    if behaviour.shows_time:
        settable = behaviour.clock.setting is not Setting.NO
        yield Offered(
            service=CURRENT_TIME_SERVICE,
            uuid=CURRENT_TIME,
            way=Way.NOTIFIED,
            read=partial(_read_clock, local_time),
            write=partial(_write_clock, set_clock) if settable else None,
            guarded=False,
        )


def _information(described: Description, id_form: IdForm) -> Iterator[tuple[int, bytes]]:
    yield MANUFACTURER_NAME, described.manufacturer.encode("ascii")
    yield MODEL_NUMBER, described.model.encode("ascii")
    yield SERIAL_NUMBER, described.serial_number.encode("ascii")
    yield FIRMWARE_REVISION, described.firmware.encode("ascii")
    yield HARDWARE_REVISION, described.hardware.encode("ascii")
    yield REGULATORY_CERTIFICATION, certification(described.specializations)
    if id_form is not IdForm.ABSENT:
        own = described.system_id
        yield SYSTEM_ID, own if id_form is IdForm.REVERSED else encode_system_id(own)


def _read_clock(local_time: Callable[[], datetime | None]) -> bytes:
    now = local_time()
    assert now is not None, "a device without a clock offers none"
    return encode_current_time(current_time_at(now))


def _write_clock(set_clock: Callable[[datetime], bool], octets: bytes) -> int:
    try:
        time = shown_time(decode_current_time(octets))
    except RemoteProtocolError:
        return _INVALID_LENGTH
    local_us = None if time is None else time.local_us()
    if local_us is None or not set_clock(moment_of(local_us)):
        return DATA_FIELD_IGNORED
    return ACCEPTED


def certification(specializations: Sequence[Specialization]) -> bytes:
    """Return the Reg-Cert-Data-List of a regulated Continua device with these specializations over Bluetooth LE
    (founders' reference on 20601, §8.1)."""
    transport = CertifiedTransport.BLE * _CLASSES_OF_TRANSPORT - PROFILES_FROM
    classes = ContinuaClasses(*_CONTINUA_VERSION, tuple(transport + each.profile for each in specializations))
    regulation = _REGULATED.to_bytes(2, "big")
    return encode_list(
        (
            RegCertData(AuthBody.CONTINUA, _CERTIFIED_CLASSES, encode(classes)),
            RegCertData(AuthBody.CONTINUA, _REGULATION, regulation),
        )
    )
