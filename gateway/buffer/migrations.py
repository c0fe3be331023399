"""Brings an older store up to the present version, one transaction per version.

`PRAGMA user_version` is in the file's header, so the version is known before any table is touched. A step gets a
`sqlite_utils.Database`, whose `transform` does what SQLite's ALTER TABLE cannot; `sqlite_utils` is imported only for a
migration, which saves a running gateway 13 MB. `schema.sql` is the result of all steps; a test proves it. After a
release steps are only added, never edited.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

Step = Callable[["Database"], None]


def _device_reports(database: "Database") -> None:
    database.execute(
        """CREATE TABLE device_reports (
    system_id  TEXT    PRIMARY KEY,
    written_us INTEGER NOT NULL,
    nonce      BLOB    NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID"""
    )


def _fetched_segments(database: "Database") -> None:
    database.execute(
        """CREATE TABLE fetched_segments (
    system_id TEXT    NOT NULL,
    store     INTEGER NOT NULL,   -- handle of the PM-store
    segment   INTEGER NOT NULL,
    identity  BLOB    NOT NULL,   -- digest of what stays while the segment grows
    through   INTEGER NOT NULL,   -- entries from its beginning that are in the outbox
    state     BLOB    NOT NULL,   -- digest of the state in which all of it was fetched; empty while not
    kept_us   INTEGER NOT NULL,
    PRIMARY KEY (system_id, store, segment)
) STRICT, WITHOUT ROWID"""
    )


def _ble_devices_and_fetched_records(database: "Database") -> None:
    database.execute(
        """CREATE TABLE ble_devices (
    address   TEXT    PRIMARY KEY,   -- upper case, AA:BB:CC:DD:EE:FF
    name      TEXT    NOT NULL,      -- as it advertised when it was paired, printable; never trusted
    system_id TEXT    NOT NULL,      -- 16 hex digits; empty until it was first met
    bonded    INTEGER NOT NULL,      -- 1: paired with a bond, so it is used only while the bond stands
    services  TEXT    NOT NULL,      -- 16-bit UUIDs that we understand, four hex digits each, with spaces between
    paired_us INTEGER NOT NULL       -- the gateway's wall clock
) STRICT, WITHOUT ROWID"""
    )
    database.execute(
        """CREATE TABLE fetched_records (
    system_id TEXT    NOT NULL,
    service   INTEGER NOT NULL,   -- 16-bit UUID
    identity  BLOB    NOT NULL,   -- what the numbers count from (a CGM session's start); empty where they just go on
    through   INTEGER NOT NULL,   -- record number (or offset) up to which all are in the outbox
    kept_us   INTEGER NOT NULL,
    PRIMARY KEY (system_id, service)
) STRICT, WITHOUT ROWID"""
    )


def _link_classes(database: "Database") -> None:
    # The class is learned from the device reports at the next start, or at the next association.
    database.execute("ALTER TABLE devices RENAME TO devices_before")
    database.execute(
        """CREATE TABLE devices (
    system_id     TEXT    PRIMARY KEY,
    model         TEXT    NOT NULL,
    first_seen_us INTEGER NOT NULL,
    last_seen_us  INTEGER NOT NULL,
    link_class    TEXT    NOT NULL,   -- strongest by which it was known: unknown, tcp, paired, serial, bonded
    accepted_us   INTEGER             -- when an operator accepted a link that proves nothing; NULL before that
) STRICT, WITHOUT ROWID"""
    )
    database.execute(
        "INSERT INTO devices SELECT system_id, model, first_seen_us, last_seen_us, 'unknown', NULL FROM devices_before"
    )
    database.execute("DROP TABLE devices_before")


def _care_changes(database: "Database") -> None:
    database.execute(
        """CREATE TABLE care_changes (
    change_id   TEXT    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,   -- keyed digest of what the client sent
    kept_us     INTEGER NOT NULL
) STRICT, WITHOUT ROWID"""
    )


def _care_logs(database: "Database") -> None:
    # Its rows are made when the store is opened (`care_logs.adopt`): they need the key.
    database.execute(
        """CREATE TABLE care_logs (
    log      BLOB    PRIMARY KEY,   -- keyed digest of the encounter's id
    first    INTEGER NOT NULL,      -- sequence of the batch with its first change
    changes  INTEGER NOT NULL,
    sealed   INTEGER NOT NULL,      -- 1: signed, so only addenda follow
    begun_us INTEGER NOT NULL,      -- the store's own running time, as kept_us
    kept_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID"""
    )


STEPS: Sequence[Step] = (
    _device_reports,
    _fetched_segments,
    _ble_devices_and_fetched_records,
    _link_classes,
    _care_changes,
    _care_logs,
)
"""Migration steps. Step i brings version i + 1 to version i + 2. Version 1 is what the first release created."""

VERSION = 1 + len(STEPS)


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Apply every step that the file lacks. The next start repeats an interrupted step."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version >= 1 + len(steps):
        return
    from sqlite_utils import Database

    database = Database(connection)
    for number, step in enumerate(steps[version - 1 :], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(database)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
