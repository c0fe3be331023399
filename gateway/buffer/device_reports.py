"""Stored device reports: one history for each device, meant for the device's manufacturer. The reports are sealed,
because they may contain a patient's values.

Each write replaces the row of a device. `gateway/sessions/devices/history` encodes the contents; this module stores
them as bytes with a size limit. A row that cannot be opened is left out and logged: a report helps engineers and is no
part of the patient record.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway.buffer.sealing import Sealer, Unsealable
from gateway.buffer.statements import DEVICES
from gateway.buffer.store import Store

REPORTS_MAX = 256
REPORT_BYTES_MAX = 256 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Place:
    """Fields of a report's row that the seal (authenticated encryption) covers. The lane number is 0xFF, which no lane
    has, so the sealed payload of a block never opens as a report."""

    system_id: str
    created_at_us: int
    lane_number: int = 0xFF
    sequence: int = 0
    through: int = 0
    kind_number: int = 0xFF
    count: int = 0
    kept_us: int = 0
    observations_total: int = 0
    bytes_total: int = 0
    previous_hash: bytes = b""

    @property
    def boot_id(self) -> str:
        return self.system_id


def device_reports(connection: sqlite3.Connection, sealer: Sealer) -> list[bytes]:
    opened = []
    for system_id, written_us, nonce, sealed in connection.execute(DEVICES["device_reports"]).fetchall():
        try:
            opened.append(sealer.open(nonce, sealed, _Place(system_id, written_us)))
        except Unsealable:
            log.warning("device_report.unreadable", device=system_id)
    return opened


def remember_device_reports(store: Store, reports: Sequence[tuple[str, bytes]]) -> None:
    """Store pairs of system id and report bytes in one commit. Raises StoreFull, and changes nothing then."""
    now_us = store.clock.wall_us()
    with store.transaction():
        for system_id, octets in reports:
            assert len(octets) <= REPORT_BYTES_MAX
            row = (system_id, now_us, *store.sealer.seal(octets, _Place(system_id, now_us)))
            store.connection.execute(DEVICES["remember_device_report"], row)
        store.connection.execute(DEVICES["trim_device_reports"], (REPORTS_MAX,))


def carry_over(old: sqlite3.Connection, sealer: Sealer, store: Store) -> None:
    """Copy the readable reports of an older store, which `sealer` decrypts, into `store`."""
    rows = old.execute(DEVICES["device_reports"]).fetchmany(REPORTS_MAX)
    opened = []
    for system_id, written_us, nonce, sealed in rows:
        with suppress(Unsealable):
            opened.append((system_id, sealer.open(nonce, sealed, _Place(system_id, written_us))))
    remember_device_reports(store, opened)
