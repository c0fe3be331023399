"""JSON form of the paired and of the advertising Bluetooth devices, for the control socket and the commands.

Names are as advertised, made printable. They prove nothing, so a device that advertises the name of a paired device
without being that device is marked (`namesake_of`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gateway.buffer.ble_devices import PairedDevice
from gateway.sessions.gatt.profiles import find_measuring, service_words
from protocols.observation_record import utc_text

if TYPE_CHECKING:  # the console must not load the Bluetooth stack
    from gateway.transports.ble.scanner import Heard

Json = dict[str, Any]


def paired_json(
    device: PairedDevice, *, connected: bool = False, last_seen_us: int | None = None, trouble: str | None = None
) -> Json:
    """Return one paired device as JSON. `trouble`: a sentence about why the gateway cannot use the device, with the
    remedy, or None."""
    return {
        "address": device.address,
        "name": device.name,
        "system_id": device.system_id or None,
        "bonded": device.bonded,
        "services": [f"{each:04x}" for each in device.services],
        "offers": service_words(find_measuring(device.services) or device.services),
        "paired_at": utc_text(device.paired_us),
        "connected": connected,
        "last_seen": None if last_seen_us is None else utc_text(last_seen_us),
        "trouble": trouble or None,
    }


def heard_json(heard: "Sequence[Heard]", paired: Sequence[PairedDevice], now_s: float) -> list[Json]:
    """Return the advertising devices as JSON: first paired devices, then devices with a supported measurement service,
    then all other devices. Each of the three groups is in the order of falling RSSI."""
    by_address = {each.address: each for each in paired}
    by_name = {each.name.casefold(): each.address for each in reversed(paired) if each.name}
    listed = [_heard(each, by_address, by_name, now_s) for each in heard]
    return sorted(listed, key=lambda each: (not each["paired"], not each["measures"], -each["rssi"]))


def _heard(each: "Heard", by_address: Mapping[str, PairedDevice], by_name: Mapping[str, str], now_s: float) -> Json:
    is_paired = each.address in by_address
    return {
        "address": each.address,
        "name": each.name,
        "services": [f"{number:04x}" for number in each.services],
        "offers": service_words(each.services),
        "measures": bool(find_measuring(each.services)),
        "rssi": each.rssi,
        "heard_s": round(max(0.0, now_s - each.at_s), 1),
        "paired": is_paired,
        "namesake_of": None if is_paired else by_name.get(each.name.casefold()),
    }


def bluetooth_json(adapter: str | None, trouble: str | None, paired: Sequence[Json]) -> Json:
    """Return the Bluetooth part of the gateway's status as JSON. `paired` has one result of `paired_json` for each
    paired device."""
    return {
        "adapter": adapter,
        "trouble": trouble or None,
        "paired": len(paired),
        "connected": sum(each["connected"] for each in paired),
        "without_bond": sum(not each["bonded"] for each in paired),
        "troubles": [
            {"address": each["address"], "name": each["name"], "trouble": each["trouble"]}
            for each in paired
            if each["trouble"] is not None
        ],
    }


def passkey_of(value: object) -> int | None:
    """Return the six-digit passkey in `value`, which is a number or a text. Return None if `value` is anything else."""
    text = f"{value:06d}" if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or len(text) != 6 or not (text.isascii() and text.isdigit()):
        return None
    return int(text)
