"""Diagnoses of a store that cannot be used: the likely cause of an error of SQLite or of the disk, and a remedy.

The kind of trouble (`errors.Trouble`) decides what the gateway does; the sentences are for the operator.
"""

import os
import pwd
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from gateway.buffer.errors import BufferUnusable, Diagnosis, Trouble
from gateway.buffer.high_water import HighWater
from protocols.uplink.lanes import Lane

KEEP = (
    "A running gateway sets the file aside by itself and goes on in a spare store. With the gateway stopped, move (do "
    "not copy) the file, its -wal and its .marks away and run `argus-gateway provision --new-store`: a new epoch "
    "begins, and the cloud keeps what it has of the previous one. `argus-gateway store recover FILE` saves what can be "
    "read."
)

_IN_THE_WAY = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "SQLITE_NOMEM", "SQLITE_INTERRUPT")
_OF_THE_DISK = ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")


def refused(path: Path, what: str, to_do: str, trouble: Trouble = Trouble.DAMAGED) -> BufferUnusable:
    """Return the error for a file that is not the expected store. Its first sentence is "The store", the path and
    `what`; `to_do` is the remedy."""
    return BufferUnusable(
        Diagnosis(
            f"The store {path} {what}.",
            "It was left untouched; what the cloud has acknowledged is safe there, the rest is only in this file.",
            to_do,
        ),
        trouble,
    )


def unusable(path: Path, error: Exception) -> BufferUnusable:
    """Return the error, with its diagnosis, for a failure of SQLite, of the disk or of decoding the file."""
    name = name_of(error)
    if isinstance(error, UnicodeDecodeError):
        # A damaged schema: SQLite's message repeats bytes that make no sense, and Python cannot decode it.
        return refused(path, "is damaged (its schema is no text)", KEEP)
    if name == "SQLITE_NOTADB":
        return refused(path, "is no SQLite database: foreign, or damaged in its first bytes", KEEP)
    if name.startswith(_IN_THE_WAY):
        return _disk(
            path,
            name,
            Trouble.BUSY,
            "Another program holds its lock: end it (`fuser` names it); nothing else is wrong.",
        )
    if name == "SQLITE_FULL" or (isinstance(error, sqlite3.Error | OSError) and _is_full(path)):
        return _disk(
            path, name, Trouble.FULL, "The disk is full to its last block: make room; the store is not damaged."
        )
    if (owner := _another_owner(path)) is not None:
        return refused(
            path,
            f"cannot be used ({name}): it belongs to the user {owner}, and this process runs as {_user(os.geteuid())}",
            "Give the file, its -wal and its .marks back with chown. Run the commands of the gateway as its own user.",
            Trouble.DISK,
        )
    if name.startswith(_OF_THE_DISK) or isinstance(error, OSError):
        return _disk(
            path,
            name,
            Trouble.DISK,
            "Check the disk (kernel log, mount options): it may be failing or mounted read-only.",
        )
    return refused(path, f"is damaged ({name})", KEEP)


def check_marks(
    path: Path, marks: HighWater | None, epoch: str, last: Mapping[Lane, int], observations: Mapping[Lane, int]
) -> None:
    """Raise BufferUnusable (ROLLED_BACK) if the last sequence of a lane in the store (`last`), or the number of
    `observations` of a lane that ends with a batch, is below the committed one in the marks file. The cause is a cut
    log of SQLite or a restored older copy. It is not a power cut, because the marks file is written after the durable
    commit."""
    lane = None if marks is None else marks.behind(epoch, last, observations)
    if marks is not None and lane is not None:
        raise refused(
            path,
            f"holds less than was committed to it (lane {lane}: up to {last[lane]} of {marks.last[lane]}): "
            "its log was cut, or an older copy was put back",
            KEEP,
            Trouble.ROLLED_BACK,
        )


def name_of(error: Exception) -> str:
    """Return SQLite's name of an error (SQLITE_FULL), the system's message for an OSError, or the name of the class."""
    name = getattr(error, "sqlite_errorname", None)
    if name:
        return str(name)
    return str(error.strerror) if isinstance(error, OSError) else type(error).__name__


def _disk(path: Path, name: str, trouble: Trouble, to_do: str) -> BufferUnusable:
    return BufferUnusable(
        Diagnosis(
            f"The disk failed an operation of the store {path} ({name}).",
            "Confirmed data is kept; nothing more can be recorded in it until this is solved.",
            to_do,
        ),
        trouble,
    )


def _is_full(path: Path) -> bool:
    """Return whether the disk has less than 64 KiB free, too little even for the index of SQLite's log (32 KiB)."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < 64 << 10 and not disk.f_flag & os.ST_RDONLY


def _another_owner(path: Path) -> str | None:
    """Return the name of the file's owner if this process runs as another user and may not read and write the file.
    Otherwise return None."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return None
    if owner == os.geteuid() or os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        return None
    return _user(owner)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
