"""Keeps a store on a full disk working on its reserve, and returns it to normal once there is room.

Full: the reserve's eight megabytes are given to the store, and only events, ePCR and gap records are accepted from then
on. Meanwhile acknowledged batches are dropped and their pages are given back to the disk in steps. Unacknowledged
batches are dropped only where our own limit filled the disk (oldest waveforms first, D2: new vital signs are worth more
than earlier curves). Where something else filled the disk, dropping would give it the room and lose the record too.
Recovery: as soon as the disk has room for the reserve and a little more. Both changes are reported in the lane that is
never dropped.
"""

import sqlite3

import structlog

from gateway.buffer import losses
from gateway.buffer.errors import StoreFull
from gateway.buffer.reserve import OPENING_BYTES
from gateway.buffer.retention import free, usage
from gateway.buffer.store import Store
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState

log = structlog.get_logger()

LOG_PAGES, RESERVE_LOG_PAGES = 1000, 64
"""Pages in the log before it is written back: usually (`database.py`), and on the reserve, where every page that the
log does not take is an event that still fits."""

RESUME_BYTES = 1 << 20
"""Free space beside the reserve from which observations are accepted again. A busy vehicle writes a megabyte in 90 s,
so on a disk that stays this tight the state changes at most every minute or so, and what fits is kept."""

VACUUM_PAGES = 256
"""Pages given back in one step: a megabyte, some milliseconds."""


def begin(store: Store) -> None:
    """Hold the reserve at opening, or find that the disk is full already."""
    _set_ceiling(store, lifted=False)
    if not store.reserve.hold(spare_bytes=OPENING_BYTES):
        enter(store)


def enter(store: Store) -> None:
    """Switch to the reserve, because the disk is full. Raises nothing; a report that does not fit is only logged."""
    store.state = StoreState.RESERVE
    store.reserve.release()
    _set_ceiling(store, lifted=True)
    _set_log(store, RESERVE_LOG_PAGES)
    log.error("buffer.reserve_entered")
    _report(store, "store.reserve_entered")


def recover(store: Store) -> bool:
    """Take one bounded step of recovery. Return True when another may help at once."""
    if _room_below_ceiling(store) and store.reserve.hold(
        spare_bytes=min(RESUME_BYTES, store.settings.reserve_bytes // 2)
    ):
        _set_ceiling(store, lifted=False)
        _set_log(store, LOG_PAGES)
        store.state = StoreState.OK
        losses.close(store, all_of_them=True)
        log.info("buffer.reserve_restored")
        _report(store, "store.reserve_restored")
        return False
    try:
        freed = free(store, (Lane.WAVEFORM,) if _own_limit_reached(store) else ())
    except StoreFull:
        return False  # even dropping needs a page of the log; the space that the disk gets back elsewhere decides
    shrunk = _give_back(store)
    return freed or shrunk


def _give_back(store: Store) -> bool:
    """Hand free pages at the end of the file to the disk."""
    before = usage(store)
    if before.pages == before.used:
        return False
    # Rows must be fetched for the pragma to work at all. The file shrinks when the log is written back.
    _attempt(store, f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
    _attempt(store, "PRAGMA wal_checkpoint(PASSIVE)")
    return usage(store).pages < before.pages


def _set_log(store: Store, pages: int) -> None:
    store.connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchall()
    _attempt(store, "PRAGMA wal_checkpoint(PASSIVE)")


def _attempt(store: Store, pragma: str) -> None:
    """Run a step that may itself find no room. The next step retries it."""
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
    """Return whether the store itself has used its limit."""
    return not _room_below_ceiling(store) or usage(store).used_bytes > store.settings.disk_budget_bytes


def _report(store: Store, name: str) -> None:
    try:
        store.commit([store.event(name)])
    except StoreFull:
        log.warning("buffer.event_unstored", name=name)
