"""The SQLite file of the store: created only on request, opened only when it is certainly the gateway's store.

Any other file is refused with a diagnosis: a wrong mount, a restored image or a newer release must not begin a second
history unnoticed. Nothing here repairs, deletes or recreates a file. A new store is built under another name and linked
to its final name when complete, so a power cut leaves either no store or a whole one.
"""

import fcntl
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from gateway.buffer.errors import BufferUnusable, Diagnosis, StoreExists, Trouble
from gateway.buffer.migrations import VERSION, migrate
from gateway.buffer.refusals import KEEP, name_of, refused, unusable
from gateway.buffer.sealing import KEY_BYTES, key_check
from gateway.buffer.statements import SCHEMA
from gateway.durable import flush
from protocols.uplink.topics import is_identifier

APPLICATION_ID = 0x41524755
"""«ARGU» in SQLite's header, so that `file` and the gateway distinguish a store from any other database."""

PAGE_BYTES, EARLIER_PAGE_BYTES = 512, 4096
"""Size of a page in new stores, and in stores of earlier releases, which keep theirs.

Each commit writes whole pages: the end of each lane, the pages that allocate others, and the content. Measured for one
vehicle (one commit a second, 4.6 kB): the disk gets 4.1 times the content with pages of 512 bytes, 5.3 with 1024, 5.9
with 2048, and 8.4 with 4096. A commit of a thousand observations takes 4 % more processor time than with 1024. Reading
is not slower, because the overflow pages of a batch follow one another. A sector of 4 KiB is written whole in any case,
with the unchanged neighbours of a page."""

LOG_BYTES = 4 << 20
"""Size of SQLite's log at which it is written back to the file: short enough not to stall a commit, long enough to
write a page once for many. Sixteen megabytes would save another 2 %."""

_CONNECTION_PRAGMAS = (
    # A commit returns when its frames are on the disk. NORMAL would lose the last commits at a power cut, although they
    # were already confirmed to a device. Costs about 5 % when a thousand observations share a commit.
    "PRAGMA synchronous = FULL",
    # A log that a long read let grow returns its space. The limit is above the usual size, so that the log is
    # overwritten and not allocated again, which costs a flush of the file system's own journal.
    "PRAGMA journal_size_limit = 16777216",
    # Payloads are sealed, so overwriting freed pages with zeros hides nothing and doubles what a drop writes.
    "PRAGMA secure_delete = OFF",
    # Blocks are written once and read once; a large page cache would only use up the gateway's 110 MB.
    "PRAGMA cache_size = -1024",
    # No temporary files: on a full disk they would fail where memory does not.
    "PRAGMA temp_store = MEMORY",
    # With a memory map a bad sector is a SIGBUS that ends the process; without one it is a named error.
    "PRAGMA mmap_size = 0",
    # A damaged page is detected when it is read, not later by its effects.
    "PRAGMA cell_size_check = ON",
    # A file from elsewhere must not run functions through its schema.
    "PRAGMA trusted_schema = OFF",
)


@dataclass(frozen=True, slots=True)
class StoreRow:
    """The identity of a store, read from its `store` table."""

    gateway: str
    epoch: str
    created_at_us: int


def create_store(path: Path | str, *, gateway: str, key: bytes, now_us: int, epoch: str | None = None) -> str:
    """Create the store of `gateway` at `path` and return its epoch (the store's id). The recovery of a set-aside store
    passes that store's epoch; otherwise the epoch is random. Raises `StoreExists` when anything exists at `path`, and
    `BufferUnusable` when writing fails."""
    path = Path(path)
    if not is_identifier(gateway) or len(key) != KEY_BYTES:
        raise ValueError(f"a gateway is named by A-Z a-z 0-9 _ - and its store key has {KEY_BYTES} bytes")
    if path.exists():
        raise StoreExists(f"{path.name} exists: a store is created once; move it away to begin a new epoch")
    epoch = epoch or secrets.token_hex(8)
    building = path.with_name(path.name + f".creating-{epoch}")
    try:
        connection = sqlite3.connect(building, isolation_level=None)
        try:
            # The file has no value before it is complete, so it is flushed once, at the end.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            # Freed pages are reused in place. INCREMENTAL lets a full disk get them back in bounded steps; it costs one
            # pointer page in a hundred. FULL would move pages in every commit that drops something.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.executescript(f"BEGIN;{SCHEMA}COMMIT;")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
            check = key_check(key, gateway=gateway, epoch=epoch)
            connection.execute("INSERT INTO store VALUES (1, ?, ?, ?, ?)", (gateway, epoch, now_us, check))
            # Readers never wait for the writer, and a commit is one sequential write. Kept in the file.
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        finally:
            connection.close()
        building.chmod(0o600)
        flush(building)
        try:
            os.link(building, path)  # fails where a rename would overwrite
        except FileExistsError:
            raise StoreExists(f"{path.name} exists: a store is created once") from None
        flush(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise BufferUnusable(
            Diagnosis(
                f"The store {path} could not be created ({name_of(error)}).",
                "Nothing was recorded yet, so nothing is lost.",
                "Check that its folder exists, is writable and has room, then provision again.",
            )
        ) from error
    finally:
        building.unlink(missing_ok=True)
    return epoch


def open_writer(path: Path, *, gateway: str, key: bytes, check_s: float) -> tuple[sqlite3.Connection, StoreRow]:
    """Open the one connection that writes. The file is checked for at most `check_s` seconds and migrated. Raises
    BufferUnusable when it is not certain that the file is the store of `gateway`."""
    _check_presence(path)
    try:
        connection = _connect(path)
        try:
            _check_version(connection, path)
            for pragma in _CONNECTION_PRAGMAS:
                connection.execute(pragma)
            set_log(connection, LOG_BYTES)
            check_structure(connection, path, check_s)
            migrate(connection)
            return connection, _check_owner(connection, path, gateway, key)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise unusable(path, error) from error


def open_reader(path: Path, *, gateway: str, key: bytes) -> tuple[sqlite3.Connection, StoreRow]:
    """Open a connection that cannot write; a running gateway may use the store at the same time. Nothing is migrated: a
    file of an older version is refused."""
    _check_presence(path)
    try:
        connection = _connect(path)
        try:
            _check_version(connection, path)
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA cache_size = -512")
            if _number(connection, "PRAGMA user_version") != VERSION:
                raise refused(
                    path,
                    "has the form of an older release",
                    "Start the gateway once; it brings the store up to date.",
                    Trouble.BUSY,
                )
            return connection, _check_owner(connection, path, gateway, key)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise unusable(path, error) from error


def set_log(connection: sqlite3.Connection, log_bytes: int) -> None:
    """Set the size of SQLite's log at which it is written back to the file."""
    pages = log_bytes // _number(connection, "PRAGMA page_size")
    connection.execute(f"PRAGMA wal_autocheckpoint = {pages}").fetchall()


class StoreLock:
    """The exclusive lock of the process that writes to the store: a second gateway on one store would fork the hash
    chain. The lock is on a separate file, since closing any descriptor of the database would drop SQLite's own locks
    (POSIX)."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise BufferUnusable(
                Diagnosis(
                    f"Another process has the store {path} open.",
                    "Its recording goes on undisturbed.",
                    "Stop the other gateway first, or use the commands that read beside it.",
                ),
                Trouble.IN_USE,
            ) from None

    def release(self) -> None:
        os.close(self._descriptor)


_CHECK_STATE_DIR = "Check the `state_dir` of the configuration and the mount."


def _check_presence(path: Path) -> None:
    """Check by its directory entry that the file exists. Opening and closing the file here would drop the locks of
    every SQLite connection of this process on the file (POSIX); the next reader that closes would then delete SQLite's
    log while the writer uses it."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise BufferUnusable(
            Diagnosis(
                f"There is no store at {path}.",
                "Nothing is recorded until there is one; none is made in silence, lest a wrong mount hide the previous "
                "one.",
                "Check that its disk is mounted. On a new gateway run `argus-gateway provision`; where the previous "
                "store is lost, `argus-gateway provision --new-store`. A running gateway uses it within seconds.",
            ),
            Trouble.MISSING,
        ) from None
    except OSError as error:
        raise unusable(path, error) from error
    if size == 0:
        raise refused(path, "is empty", KEEP)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    if _number(connection, "PRAGMA application_id") != APPLICATION_ID:
        raise refused(path, "belongs to another program", _CHECK_STATE_DIR, Trouble.FOREIGN)
    version = _number(connection, "PRAGMA user_version")
    if version > VERSION:
        raise refused(
            path,
            f"was written by a newer release (form {version}; this one knows {VERSION})",
            "Install that release or a later one again; going back needs a store of its own.",
            Trouble.FOREIGN,
        )
    if version < 1:
        raise refused(path, f"has form {version}, which no release ever wrote", KEEP)


def check_structure(connection: sqlite3.Connection, path: Path, check_s: float) -> None:
    """Run SQLite's `quick_check` for at most `check_s` seconds. Damage in a part that was not checked is detected
    later, when a page (by cell_size_check) or a row (by its seal) is read."""
    deadline_s = time.monotonic() + check_s
    # Before 3.43 the check itself could not be interrupted; then only a small file is checked whole.
    if sqlite3.sqlite_version_info < (3, 43) and path.stat().st_size > 64 << 20:
        return
    connection.set_progress_handler(lambda: time.monotonic() > deadline_s, 1000)
    try:
        findings = connection.execute("PRAGMA quick_check(3)").fetchall()
    except sqlite3.OperationalError as error:
        if name_of(error) != "SQLITE_INTERRUPT":
            raise
        return
    finally:
        connection.set_progress_handler(None, 0)
    if findings != [("ok",)]:
        raise refused(path, "is damaged in its structure (quick_check)", KEEP)


def _check_owner(connection: sqlite3.Connection, path: Path, gateway: str, key: bytes) -> StoreRow:
    row = connection.execute("SELECT gateway, epoch, created_at_us, key_check FROM store").fetchone()
    if row is None or not is_identifier(str(row[0])) or not is_identifier(str(row[1])):
        raise refused(path, "does not name its gateway", KEEP)
    if row[0] != gateway:
        raise refused(
            path,
            f"belongs to gateway {row[0]}, not {gateway}",
            "Check the gateway's `id` and its `state_dir`.",
            Trouble.FOREIGN,
        )
    if not secrets.compare_digest(row[3], key_check(key, gateway=gateway, epoch=row[1])):
        raise refused(
            path,
            "is sealed with another key",
            "Restore the store key that this gateway was provisioned with.",
            Trouble.FOREIGN,
        )
    return StoreRow(row[0], row[1], row[2])


def _connect(path: Path) -> sqlite3.Connection:
    # mode=rw: a file that vanished between check and open is an error and not a new, empty store.
    # check_same_thread: opened by the caller, then used by one thread only.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5.0, check_same_thread=False)


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(pragma).fetchone()[0])
