"""Keeps a store on a full disk working on its reserve, and returns it to normal once there is room.

On a full disk the store gets the reserve's eight megabytes and accepts only events, alarms, ePCR and gap records.
Acknowledged batches are dropped in steps, and their pages are returned to the disk. Unacknowledged batches are dropped
only where the store's own limit was reached: oldest waveforms first, because new vital signs are worth more than
earlier curves (DESIGN D2). Where something else filled the disk, dropping batches would lose them and leave the disk
full.

The store returns to normal when the disk has room for the reserve and a little more. An event reports each change.
"""

import sqlite3

import structlog

from gateway.buffer import losses
from gateway.buffer.database import LOG_BYTES, set_log
from gateway.buffer.errors import StoreFull
from gateway.buffer.reserve import OPENING_BYTES
from gateway.buffer.retention import free, usage
from gateway.buffer.store import Store
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState

log = structlog.get_logger()

RESERVE_LOG_BYTES = 256 * 1024
"""Size of SQLite's log on the reserve. It stays small, so that its space is left for events."""

RESUME_BYTES = 1 << 20
"""Free space, in addition to the reserve, from which observations are accepted again. A busy vehicle writes a megabyte
in 90 s. So on a disk that stays nearly full, the state changes at most about once a minute, and observations that fit
are stored."""

VACUUM_BYTES = 1 << 20
"""Size of the pages that are returned to the disk in one step, which takes some milliseconds."""


def begin(store: Store) -> None:
    """Allocate the reserve (disk space for use on a full disk) when the store is opened. If the disk has no room for
    the reserve, treat the disk as full (`enter`)."""
    _set_ceiling(store, lifted=False)
    if not store.reserve.hold(spare_bytes=OPENING_BYTES):
        enter(store)


def enter(store: Store) -> None:
    """Switch to the reserve of a full disk and record an event. An event that finds no room is only logged."""
    store.state = StoreState.RESERVE
    store.reserve.release()
    _set_ceiling(store, lifted=True)
    _set_log(store, RESERVE_LOG_BYTES)
    log.error("buffer.reserve_entered")
    _report(store, "store.reserve_entered")


def recover(store: Store) -> bool:
    """Take one bounded step of the recovery from a full disk. Return True when an immediate next step may free more."""
    if _room_below_ceiling(store) and store.reserve.hold(
        spare_bytes=min(RESUME_BYTES, store.settings.reserve_bytes // 2)
    ):
        _set_ceiling(store, lifted=False)
        _set_log(store, LOG_BYTES)
        store.state = StoreState.OK
        losses.close(store, all_of_them=True)
        log.info("buffer.reserve_restored")
        _report(store, "store.reserve_restored")
        return False
    try:
        freed = free(store, (Lane.WAVEFORM,) if _own_limit_reached(store) else ())
    except StoreFull:
        return False  # dropping needs a page of the log too; it continues when the disk has room again
    shrunk = _give_back(store)
    return freed or shrunk


def _give_back(store: Store) -> bool:
    """Return free pages at the end of the file to the disk. Return True when the file shrank."""
    before = usage(store)
    if before.pages == before.used:
        return False
    # Rows must be fetched for the pragma to work at all. The file shrinks when the log is written back.
    _attempt(store, f"PRAGMA incremental_vacuum({VACUUM_BYTES // before.page_bytes})")
    _attempt(store, "PRAGMA wal_checkpoint(PASSIVE)")
    return usage(store).pages < before.pages


def _set_log(store: Store, log_bytes: int) -> None:
    set_log(store.connection, log_bytes)
    _attempt(store, "PRAGMA wal_checkpoint(PASSIVE)")


def _attempt(store: Store, pragma: str) -> None:
    """Run a pragma. Ignore a full disk, because the next recovery step runs the pragma again."""
    try:
        store.connection.execute(pragma).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise


def _set_ceiling(store: Store, *, lifted: bool) -> None:
    ceiling = store.settings.file_bytes_max
    if ceiling is not None:
        octets = ceiling + (store.settings.reserve_bytes if lifted else 0)
        store.connection.execute(f"PRAGMA max_page_count = {octets // usage(store).page_bytes}").fetchall()


def _room_below_ceiling(store: Store) -> bool:
    ceiling = store.settings.file_bytes_max
    return ceiling is None or usage(store).used_bytes + store.settings.reserve_bytes <= ceiling


def _own_limit_reached(store: Store) -> bool:
    return not _room_below_ceiling(store) or usage(store).used_bytes > store.settings.disk_budget_bytes


def _report(store: Store, name: str) -> None:
    try:
        store.commit([store.event(name)])
    except StoreFull:
        log.warning("buffer.event_unstored", name=name)
