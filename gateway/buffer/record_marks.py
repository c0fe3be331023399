"""Progress of fetching the record stores of Bluetooth devices: written in one commit with the records, read at start.

Records and the number up to which they were fetched are durable together or not at all. So after a kill the gateway
requests exactly the records that it does not hold. When records below the number turn out to be missing, the number is
lowered, so that they are requested again. Records that arrive a second time are recognised by their content (DESIGN
D3).
"""

import sqlite3
from typing import NamedTuple

from gateway.buffer.statements import BLE_DEVICES
from gateway.buffer.store import Store

STORES_MAX = 256
"""Maximum number of record stores whose progress is kept: several times those of all paired devices."""


class FetchedRecords(NamedTuple):
    """The fetch progress of one record store of a Bluetooth device. `service`: 16-bit UUID. `through`: every record up
    to this number is durable; None: nothing is known, and all records are requested. `identity`: digest of the record
    with the number `through`; another digest shows that the device has restarted its numbering."""

    system_id: str
    service: int
    identity: bytes
    through: int | None


def records(connection: sqlite3.Connection) -> list[FetchedRecords]:
    return [FetchedRecords(*row) for row in connection.execute(BLE_DEVICES["fetched_records"]).fetchall()]


def write(store: Store, mark: FetchedRecords) -> None:
    """Write `mark`, the fetch progress of a Bluetooth record store, inside an open transaction. Where `mark.through` is
    None, delete the stored progress."""
    if mark.through is None:
        store.connection.execute(BLE_DEVICES["forget_records"], (mark.system_id, mark.service))
        return
    row = (mark.system_id, mark.service, mark.identity, mark.through, store.time.now_us())
    store.connection.execute(BLE_DEVICES["remember_records"], row)
    store.connection.execute(BLE_DEVICES["trim_records"], (STORES_MAX,))


def remember(store: Store, mark: FetchedRecords) -> None:
    """Write `mark`, the fetch progress of a Bluetooth record store, in a separate transaction."""
    with store.transaction():
        write(store, mark)
