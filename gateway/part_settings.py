"""The settings of the gateway's parts, made from the operator's choices; each part has defaults for the rest.

Does not read the settings file (`settings`) and does not put the parts together (`app`).
"""

import hashlib
from zoneinfo import ZoneInfo

from gateway.buffer import BufferSettings
from gateway.security.identity import Identity
from gateway.sessions.clocks.policy import ClockPolicy
from gateway.settings import ClocksSection, DevicesSection, MqttSection, Settings
from gateway.sync.uplink import UplinkSettings
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings


def own_system_id(gateway: str) -> bytes:
    """Return our EUI-64 for AARE, made from the gateway's name: locally administered, so it cannot be a factory
    address."""
    identifier = bytearray(hashlib.sha256(b"argus gateway system id v1\0" + gateway.encode()).digest()[:8])
    identifier[0] = (identifier[0] | 0x02) & 0xFE
    return bytes(identifier)


def manager_settings(devices: DevicesSection, clocks: ClocksSection) -> ManagerSettings:
    """Return the manager's settings from the operator's file, with the standard's defaults."""
    return ManagerSettings(
        accept_standard_configurations=devices.known_configurations,
        clock_read_every_s=float(clocks.read_every_s),
        memory=PmStoreSettings(fetch=devices.fetch_memory, clear=devices.clear_memory),
    )


def uplink_settings(mqtt: MqttSection, identity: Identity) -> UplinkSettings:
    """Return the uplink's settings from the operator's file, with the uplink's defaults."""
    return UplinkSettings(
        mqtt_url=mqtt.url,
        username=mqtt.username,
        password_file=mqtt.password_file,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.cert_file,
        key_file=mqtt.key_file,
        read_secret=identity.secrets.take,
    )


def buffer_settings(settings: Settings) -> BufferSettings:
    """Return the buffer's settings from the operator's file, with the buffer's defaults."""
    return BufferSettings(
        retention_s=settings.buffer.retention_h * 3600.0, disk_budget_bytes=settings.buffer.disk_budget_mb << 20
    )


def clock_policy(clocks: ClocksSection) -> ClockPolicy:
    """Return the policy by which the clocks of devices are set."""
    return ClockPolicy(
        set_clocks=clocks.set_devices,
        offset_s_max=clocks.offset_s_max,
        pause_s_min=clocks.pause_min * 60.0,
        zone=ZoneInfo(clocks.zone),
    )
