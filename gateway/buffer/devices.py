"""Devices, their configurations and small named values, stored beside the batches.

Batches name their devices too, but batches are sealed; the roster and the association engine read these tables at
start. Each table has a limit: an unknown device with a new name in every association must not fill the store.
"""

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from gateway.buffer.statements import DEVICES
from gateway.buffer.store import Store

DEVICES_MAX = 4096
CONFIGURATIONS_MAX = 1024
CONFIGURATION_BYTES_MAX = 64 * 1024
STATE_VALUE_LENGTH_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDevice:
    """A device that associated at least once. Times: gateway's wall clock. `link_class`: strongest class of link over
    which the device associated (`gateway.sessions.devices.link_class`). `accepted_us`: time at which an operator
    accepted the device although its link does not prove its identity; None before that."""

    system_id: str
    model: str
    first_seen_us: int
    last_seen_us: int
    link_class: str = "unknown"
    accepted_us: int | None = None


class KnownConfiguration(NamedTuple):
    """A stored device configuration. `octets` is the ConfigObjectList as the device sent it (20601 §8.7)."""

    system_id: bytes
    config_id: int
    octets: bytes


def devices(connection: sqlite3.Connection) -> list[StoredDevice]:
    rows = connection.execute(DEVICES["devices"]).fetchall()
    return [
        StoredDevice(
            system_id=row[0],
            model=row[1],
            first_seen_us=row[2],
            last_seen_us=row[3],
            link_class=row[4],
            accepted_us=row[5],
        )
        for row in rows
    ]


def configurations(connection: sqlite3.Connection) -> list[KnownConfiguration]:
    rows = connection.execute(DEVICES["configurations"]).fetchall()
    return [KnownConfiguration(bytes.fromhex(row[0]), row[1], row[2]) for row in rows]


def state(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute(DEVICES["state_get"], (name,)).fetchone()
    return row[0] if row else None


def remember_device(
    store: Store, system_id: str, model: str, *, link_class: str = "unknown", accepted_us: int | None = None
) -> None:
    """Store a device. `link_class` and `accepted_us` replace the stored values, even a stronger link class; the caller
    decides which class to keep."""
    row = (system_id, model, store.clock.wall_us(), link_class, accepted_us)
    with store.transaction():
        store.connection.execute(DEVICES["remember_device"], row)
        store.connection.execute(DEVICES["trim_devices"], (DEVICES_MAX,))


def remember_configuration(store: Store, system_id: bytes, config_id: int, octets: bytes) -> None:
    assert len(octets) <= CONFIGURATION_BYTES_MAX
    row = (system_id.hex(), config_id, octets, store.time.now_us())
    with store.transaction():
        store.connection.execute(DEVICES["remember_configuration"], row)
        store.connection.execute(DEVICES["trim_configurations"], (CONFIGURATIONS_MAX,))


def put_state(store: Store, name: str, value: str) -> None:
    assert len(value) <= STATE_VALUE_LENGTH_MAX
    with store.transaction():
        store.connection.execute(DEVICES["state_put"], (name, value))
