"""A spare store that replaces an unusable one, with a new epoch and the readable device data of the previous file.

The spare store gets the readable, plausible rows of known devices, their reports, paired Bluetooth devices, and small
named values such as the last known time. The progress of fetching devices' memories is not copied, because fetched data
may be lost with the previous store. The memories are fetched again, and the cloud discards duplicates by their content
key. Configurations are not copied, because only the device can confirm that they are whole.
"""

import re
import sqlite3
from contextlib import suppress
from dataclasses import dataclass

import structlog

from gateway.buffer import device_reports
from gateway.buffer.database import create_store
from gateway.buffer.errors import BufferUnusable, StoreExists, StoreFull, Trouble
from gateway.buffer.open_store import OpenedFiles, StorePlace, open_files
from gateway.buffer.refusals import unusable
from gateway.buffer.sealing import Sealer
from gateway.buffer.set_aside import (
    SetAside,
    hold_log,
    reading,
    record_path,
    release_log,
    set_aside,
    set_aside_paths,
    survey,
    write_record,
)
from gateway.buffer.statements import SPARE
from gateway.buffer.store import Store

CARRIED_ROWS_MAX = 8192
"""Upper bound on the rows that are copied from one table. It ends the read of a damaged table whose pages form a
circle."""


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    sound: tuple[tuple[int, re.Pattern[str]], ...]
    """Numbers of columns, each with the expression that its value must match. A row with another value comes from a
    damaged page and is not copied."""


_TABLES = (
    _Table(
        "devices",
        (
            (0, re.compile("[0-9a-f]{1,32}")),
            (4, re.compile("[a-z]{1,16}")),
            (5, re.compile("None|[0-9]{1,18}")),
        ),
    ),
    _Table("state", ((0, re.compile("[a-z_.]{1,64}")), (1, re.compile("[ -~]{0,4096}")))),
    _Table(
        "ble_devices",
        (
            (0, re.compile("([0-9A-F]{2}:){5}[0-9A-F]{2}")),
            (2, re.compile("([0-9a-f]{16})?")),
            (3, re.compile("[01]")),
            (4, re.compile("([0-9a-f]{4}( [0-9a-f]{4}){0,31})?")),
        ),
    ),
)

log = structlog.get_logger()


def open_or_replace(place: StorePlace, failed: BufferUnusable | None) -> tuple[OpenedFiles, SetAside | None]:
    """Open the store, or set it aside and open a spare one. Return the open files, and the replaced store if there is
    one. `failed`: the reason that the store open until now cannot be used; None at start. Raises BufferUnusable where
    no store can be used: the file is missing, another process uses it, or nothing can be written."""
    error, aside = failed, None
    if error is None or not error.trouble.sets_aside:
        try:
            files = _open(place)
        except BufferUnusable as refusal:
            error = refusal
        else:
            _record_all(files, place)
            return files, None
    if error.trouble.sets_aside:
        aside = set_aside(place.path, error)
    elif error.trouble is Trouble.MISSING and (unrecorded := _find_unrecorded(place)):
        # Set aside, but the power failed before its spare was made. This is no wrong mount: the set-aside file is here.
        aside = unrecorded[-1]
    else:
        raise error
    with suppress(StoreExists):
        create_store(place.path, gateway=place.gateway, key=place.key, now_us=place.clock.wall_us())
    files = _open(place)
    try:
        carry_over(aside, files.store, place)
    except (sqlite3.Error, OSError) as failure:
        files.close()
        raise unusable(place.path, failure) from failure
    _record_all(files, place, aside)
    return files, aside


def _find_unrecorded(place: StorePlace) -> list[SetAside]:
    """Return the set-aside stores without a JSON file, oldest first."""
    return [
        survey(path, why="The gateway was stopped while it set the store aside.", trouble=Trouble.DAMAGED)
        for path in set_aside_paths(place.path)
        if not record_path(path).exists()
    ]


def _record_all(files: OpenedFiles, place: StorePlace, newest: SetAside | None = None) -> None:
    """Record each unrecorded set-aside store: first an event in the lane that is never dropped, then a JSON file. A
    power cut between the two repeats the event. `newest`: the store that was set aside just now, whose reason is known.
    """
    for found in _find_unrecorded(place):
        aside = newest if newest is not None and newest.path == found.path else found
        try:
            files.store.commit([files.store.event("store.set_aside", **aside.fields())])
            write_record(aside.path, aside.fields())
        except (StoreFull, OSError):
            log.warning("buffer.event_unstored", name="store.set_aside")  # the next opening finds it again


def carry_over(aside: SetAside, store: Store, place: StorePlace) -> None:
    """Copy the readable device data of the set-aside store into `store`."""
    try:
        with reading(aside.path) as old:
            for table in _TABLES:
                _copy(old, store, table)
            if aside.epoch is not None:
                sealer = Sealer(place.key, gateway=place.gateway, epoch=aside.epoch)
                with suppress(sqlite3.Error, OverflowError, ValueError, TypeError, StoreFull):
                    device_reports.carry_over(old, sealer, store)
    except (sqlite3.Error, OSError) as error:
        log.warning("buffer.nothing_carried_over", why=getattr(error, "sqlite_errorname", type(error).__name__))


def _copy(old: sqlite3.Connection, store: Store, table: _Table) -> None:
    """Copy one table from its first row forwards and from its last row backwards, each up to an unreadable page."""
    for statement in (SPARE[table.name], SPARE[f"{table.name}_from_the_end"]):
        rows: list[tuple[object, ...]] = []
        with suppress(sqlite3.Error, OverflowError, ValueError):
            for row in old.execute(statement):
                if all(form.fullmatch(str(row[column])) for column, form in table.sound):
                    rows.append(row)
                if len(rows) >= CARRIED_ROWS_MAX:
                    break
        with suppress(StoreFull), store.transaction():
            for row in rows:
                with suppress(sqlite3.IntegrityError):  # the table's own rules refuse a value of another type
                    store.connection.execute(SPARE[f"put_{table.name}"], row)


def _open(place: StorePlace) -> OpenedFiles:
    hold_log(place.path)
    try:
        files = open_files(place)
        release_log(place.path)
        return files
    except (BufferUnusable, StoreFull):
        raise
    except Exception as error:  # a damaged value reached our own code; the error depends on the value
        raise unusable(place.path, error) from error
