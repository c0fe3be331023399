"""Device reports at rest: sealed like payloads, since the bytes that a deviation shows may be a patient's values.

One row per device, replaced as a whole. `gateway/sessions/devices/history` encodes the contents; here they are bytes
with a limit. A row that does not open is left out and logged: a report helps engineers and is no part of the record.
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
    """Position of a report's row as the seal covers it. No lane has this number, so no block ever opens as a report."""

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
    """Return all reports, the one written longest ago first."""
    opened = []
    for system_id, written_us, nonce, sealed in connection.execute(DEVICES["device_reports"]).fetchall():
        try:
            opened.append(sealer.open(nonce, sealed, _Place(system_id, written_us)))
        except Unsealable:
            log.warning("device_report.unreadable", device=system_id)
    return opened


def remember_device_reports(store: Store, reports: Sequence[tuple[str, bytes]]) -> None:
    """Store (system id, bytes) of each, in one commit. Raises StoreFull, and then nothing has changed."""
    now_us = store.clock.wall_us()
    with store.transaction():
        for system_id, octets in reports:
            assert len(octets) <= REPORT_BYTES_MAX
            row = (system_id, now_us, *store.sealer.seal(octets, _Place(system_id, now_us)))
            store.connection.execute(DEVICES["remember_device_report"], row)
        store.connection.execute(DEVICES["trim_device_reports"], (REPORTS_MAX,))


def carry_over(old: sqlite3.Connection, sealer: Sealer, store: Store) -> None:
    """Copy the reports of an older store, whose `sealer` it is, into `store`. A report that does not open is left
    behind."""
    rows = old.execute(DEVICES["device_reports"]).fetchmany(REPORTS_MAX)
    opened = []
    for system_id, written_us, nonce, sealed in rows:
        with suppress(Unsealable):
            opened.append((system_id, sealer.open(nonce, sealed, _Place(system_id, written_us))))
    remember_device_reports(store, opened)
