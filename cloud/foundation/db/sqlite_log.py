"""Find out whether SQLite dropped an unreadable end of a write-ahead log (WAL).

SQLite applies the WAL up to the first frame with a wrong checksum, and silently ignores the rest. After a power cut,
the rest is an unconfirmed transaction; after damage by the disk, it contains confirmed changes. So the commits in the
WAL are counted before the database is opened, and compared with the frames that SQLite applied. Format:
https://sqlite.org/fileformat2.html#the_write_ahead_log.
"""

import shutil
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = (0x377F0682, 0x377F0683)
_TAKEN_OVER = struct.Struct("=I")
_TAKEN_OVER_AT = 16
"""Offset of the number of valid frames in the index of the log (`-shm`), in the machine's byte order."""
KEPT_MAX = 9
"""Number of copies of damaged logs beside one database. Each is reported until the operator removes it."""


@dataclass(frozen=True, slots=True)
class LogContent:
    """The headers of a write-ahead log. `readable` False: the file header is damaged. `commits` are the numbers of the
    frames that end a transaction."""

    readable: bool
    salts: tuple[int, int] = (0, 0)
    commits: tuple[int, ...] = ()


def log_of(database: Path) -> Path:
    """Return the path of the write-ahead log beside a database file."""
    return database.with_name(f"{database.name}-wal")


def read_log(database: Path) -> LogContent | None:
    """Read the headers of the write-ahead log; None when there is no log. Call it before SQLite opens the database."""
    try:
        with log_of(database).open("rb") as log:
            head = log.read(_HEADER.size)
            if not head:
                return None
            if len(head) < _HEADER.size:
                return LogContent(readable=False)
            magic, _, page_bytes, _, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack(head)
            if magic not in _MAGIC or (sum_1, sum_2) != _checksum(head[:24], big_endian=magic == _MAGIC[1]):
                return LogContent(readable=False)
            commits = []
            number = 0
            while len(frame := log.read(_FRAME.size)) == _FRAME.size:
                number += 1
                _, pages_after, frame_salt_1, frame_salt_2, _, _ = _FRAME.unpack(frame)
                if (frame_salt_1, frame_salt_2) == (salt_1, salt_2) and pages_after:
                    commits.append(number)
                log.seek(page_bytes, 1)
            return LogContent(readable=True, salts=(salt_1, salt_2), commits=tuple(commits))
    except OSError:
        return None


def frames_taken_over(database: Path, until_closed: ExitStack) -> int:
    """Return the number of WAL frames that SQLite accepted. A connection must have read from the database before.

    The index of the log stays open until `until_closed` ends, which must be after the connection was closed. When a
    process closes a file, the system releases every lock that the process has on it (POSIX), also those of SQLite. A
    write transaction would lose its lock, and another process would overwrite the transaction in the log.
    """
    index = until_closed.enter_context(database.with_name(f"{database.name}-shm").open("rb"))
    index.seek(_TAKEN_OVER_AT)
    return int(_TAKEN_OVER.unpack(index.read(_TAKEN_OVER.size))[0])


def lost_commits(content: LogContent, taken_over: int) -> int:
    """Return the number of transactions after the `taken_over` frames that SQLite accepted; 1 for an unreadable log."""
    if not content.readable:
        return 1
    return sum(1 for number in content.commits if number > taken_over)


def keep_copy(database: Path) -> Path | None:
    """Copy the write-ahead log to a name that SQLite does not use; return its path, or None if there are 9 copies."""
    for number in range(1, KEPT_MAX + 1):
        copy = database.with_name(f"{database.name}-wal.damaged-{number}")
        if not copy.exists():
            shutil.copy2(log_of(database), copy)
            return copy
    return None


def kept_copies(database: Path) -> Iterator[Path]:
    """Return the copies of damaged write-ahead logs that the operator has not removed yet."""
    return database.parent.glob(f"{database.name}-wal.damaged-*")


def _checksum(data: bytes, *, big_endian: bool) -> tuple[int, int]:
    sum_1 = sum_2 = 0
    words = struct.unpack(f"{'>' if big_endian else '<'}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        sum_1 = (sum_1 + first + sum_2) & 0xFFFFFFFF
        sum_2 = (sum_2 + second + sum_1) & 0xFFFFFFFF
    return sum_1, sum_2
