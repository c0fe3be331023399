"""Marks of the record stores of Bluetooth devices: written with the records in one commit, read at start.

Records and the mark behind them are durable together or not at all, so after a kill at any point the gateway requests
from a device exactly what it does not hold. A mark may also go back: when it shows that records below it never arrived,
they are requested again, and those that did arrive are recognised by their content (DESIGN D3).
"""

import sqlite3
from typing import NamedTuple

from gateway.buffer.statements import BLE_DEVICES
from gateway.buffer.store import Store

STORES_MAX = 256
"""Maximum of record stores remembered: those of all paired devices several times over."""


class FetchedRecords(NamedTuple):
    """The mark of one record store. `service`: 16-bit UUID. `identity`: what the numbers count from, empty where they
    just go on. `through`: the highest number up to which everything is durable; None: nothing is known, everything is
    requested."""

    system_id: str
    service: int
    identity: bytes
    through: int | None


def records(connection: sqlite3.Connection) -> list[FetchedRecords]:
    """Return all marks, the one fetched longest ago first."""
    return [FetchedRecords(*row) for row in connection.execute(BLE_DEVICES["fetched_records"]).fetchall()]


def write(store: Store, mark: FetchedRecords) -> None:
    """Write `mark` inside an open transaction."""
    if mark.through is None:
        store.connection.execute(BLE_DEVICES["forget_records"], (mark.system_id, mark.service))
        return
    row = (mark.system_id, mark.service, mark.identity, mark.through, store.time.now_us())
    store.connection.execute(BLE_DEVICES["remember_records"], row)
    store.connection.execute(BLE_DEVICES["trim_records"], (STORES_MAX,))


def remember(store: Store, mark: FetchedRecords) -> None:
    """Write `mark` in its own transaction, where no record comes with it."""
    with store.transaction():
        write(store, mark)
