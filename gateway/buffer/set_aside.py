"""Sets aside a store that cannot be used: its file, log and marks file are renamed, never deleted and never repaired.

The files stay in the store's folder as `<store>.set-aside-N`, with the same endings `-wal` and `.marks`, for `store
recover` and for an investigation. Each file is linked to its new name before its previous name is removed. So a power
cut leaves both names or the new one, and SQLite cannot remove the log when it closes the file. Facts about the store
are read from the marks file first, then from as much of the tables as SQLite still returns.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.buffer.errors import BufferUnusable, Diagnosis, Trouble
from gateway.buffer.high_water import HighWater, marks_path
from gateway.buffer.refusals import name_of
from gateway.buffer.rows import LANES, SEQUENCE_MASK, span_of
from gateway.buffer.statements import SPARE
from gateway.durable import flush
from protocols.uplink.events import EventField
from protocols.uplink.lanes import Lane

SET_ASIDE_MAX = 64
"""Maximum number of set-aside stores. A disk that damages more stores is unusable; nothing is recorded on it any more,
and the gateway reports this."""

_READ_ERRORS = (sqlite3.Error, OSError, UnicodeDecodeError, OverflowError, ValueError, TypeError)
"""Errors that reading a damaged file may raise, in SQLite and in Python's reading of what it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A set-aside store and what could be read of it. `last`, `acked`: sequence numbers of each lane. An unreadable
    `epoch` is None, an unreadable lane is missing. `first_us`, `last_us`: wall clock at the first and last batch found.
    """

    path: Path
    why: str
    trouble: Trouble
    size_bytes: int
    epoch: str | None = None
    last: Mapping[Lane, int] = field(default_factory=dict)
    acked: Mapping[Lane, int] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None
    observations: Mapping[Lane, int] = field(default_factory=dict)
    """Number of observations of each lane at the last commit, as far as the marks file has it."""

    def fields(self) -> dict[str, EventField]:
        """Return the fields of the event `store.set_aside`."""
        marks: dict[str, EventField] = {}
        for lane in Lane:
            marks[f"{lane}_last"] = self.last.get(lane)
            marks[f"{lane}_acked"] = self.acked.get(lane)
        return {
            "file": self.path.name,
            "why": self.why[:512],
            "trouble": self.trouble.value,
            "bytes": self.size_bytes,
            "epoch": self.epoch,
            "first_us": self.first_us,
            "last_us": self.last_us,
            **marks,
        }


def record_path(aside: Path) -> Path:
    """Return the path of the JSON description of `aside`, written after the event `store.set_aside` is durable."""
    return aside.with_name(aside.name + ".json")


def write_record(aside: Path, fields: Mapping[str, object]) -> None:
    """Write the JSON description of `aside` durably. Raises OSError."""
    record = record_path(aside)
    writing = record.with_name(record.name + ".writing")
    writing.write_text(json.dumps(fields, indent=1) + "\n")
    flush(writing)
    writing.replace(record)
    flush(record.parent)


def hold_log(store: Path) -> None:
    """Give SQLite's log a second name before SQLite opens the store. SQLite reads a log up to its first damaged frame
    and deletes the log when it closes. Without the second name the rows after this frame would be lost, although
    `salvage.py` could read them and verify their seals."""
    log, held = store.with_name(store.name + "-wal"), _held_log(store)
    with suppress(OSError):
        if log.stat().st_size:
            held.unlink(missing_ok=True)
            os.link(log, held)


def release_log(store: Path) -> None:
    """Remove the second name of the log, once the store has opened without an error."""
    with suppress(OSError):
        _held_log(store).unlink(missing_ok=True)


def set_aside_paths(store: Path) -> list[Path]:
    """Return the paths of the set-aside stores beside `store`, oldest first."""
    try:
        found = [each for each in store.parent.iterdir() if _number(store, each) is not None]
    except OSError:
        return []
    return sorted(found, key=lambda each: _number(store, each) or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideRecord:
    """A set-aside store as shown to the operator. `fields`: content of its JSON file, empty before
    the file is written."""

    path: Path
    size_bytes: int
    fields: Mapping[str, EventField]

    @property
    def waits_for_recovery(self) -> bool:
        """True while the unsent batches of this set-aside store are not yet saved. Always False for a forked store. Its
        batches cannot be sent, because the cloud has other batches under their sequence numbers."""
        recorded = bool(self.fields) and "recovered" not in self.fields
        return recorded and self.fields.get("trouble") != Trouble.FORKED.value


def set_aside_records(store: Path) -> list[SetAsideRecord]:
    """Return the records of the set-aside stores beside `store`, oldest first."""
    found = []
    for path in set_aside_paths(store):
        fields: object = None
        with suppress(OSError, ValueError):
            fields = json.loads(record_path(path).read_text())
        size_bytes = 0
        with suppress(OSError):
            size_bytes = path.stat().st_size
        found.append(
            SetAsideRecord(path=path, size_bytes=size_bytes, fields=fields if isinstance(fields, dict) else {})
        )
    return found


def set_aside(store: Path, error: BufferUnusable) -> SetAside:
    """Rename `store` and its files, because of `error`. Raises BufferUnusable when a file cannot be renamed, or when
    there are `SET_ASIDE_MAX` set-aside stores already."""
    taken = [_number(store, each) or 0 for each in set_aside_paths(store)]
    if len(taken) >= SET_ASIDE_MAX:
        raise BufferUnusable(
            Diagnosis(
                f"{len(taken)} damaged stores lie beside {store}.",
                "The disk fails again and again; nothing is recorded on it any more.",
                "Replace the disk. Move the set-aside files away to go on meanwhile.",
            ),
            Trouble.DISK,
        )
    to = store.with_name(f"{store.name}.set-aside-{max(taken, default=0) + 1}")
    try:
        belongings = _belongings(store, to)
        for source, target in belongings:
            with suppress(FileNotFoundError):
                _link(source, target)
        flush(store.parent)
        for source, _ in belongings:
            source.unlink(missing_ok=True)
        release_log(store)
        _index(store).unlink(missing_ok=True)
        flush(store.parent)
    except OSError as failure:
        raise BufferUnusable(
            Diagnosis(
                f"The store {store} could not be set aside ({name_of(failure)}). {error.diagnosis.happened}",
                "Devices are served and nothing is recorded: what a device keeps is not confirmed to it.",
                "Check the disk (kernel log, mount options). The gateway tries again every few seconds.",
            ),
            error.trouble,
        ) from failure
    return survey(to, why=error.diagnosis.happened, trouble=error.trouble)


def survey(path: Path, *, why: str, trouble: Trouble) -> SetAside:
    """Read the epoch, sequence numbers and times of the set-aside store at `path`, as far as they can be read."""
    marks = HighWater.read(marks_path(path))
    found = _Found(epoch=None if marks is None else marks.epoch)
    if marks is not None:
        found.last.update(marks.last)
        found.acked.update(marks.acked)
    with suppress(*_READ_ERRORS), reading(path) as connection:
        _look(connection, found)
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0
    return SetAside(
        path=path,
        why=why,
        trouble=trouble,
        size_bytes=size_bytes,
        epoch=found.epoch,
        last=found.last,
        acked=found.acked,
        first_us=found.first_us,
        last_us=found.last_us,
        observations={} if marks is None else marks.observations,
    )


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a read-only connection to a set-aside store."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with closing(connection):
        # Texts that are no UTF-8 are read as bytes: a damaged name must not hide its neighbours.
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        yield connection


@dataclass(slots=True)
class _Found:
    epoch: str | None
    last: dict[Lane, int] = field(default_factory=dict)
    acked: dict[Lane, int] = field(default_factory=dict)
    first_us: int | None = None
    last_us: int | None = None


def _look(connection: sqlite3.Connection, found: _Found) -> None:
    """Fill `found` from the tables of a set-aside store. Each fact has a separate query, so that a damaged page hides
    the result of one query only."""
    with suppress(*_READ_ERRORS):
        (epoch,) = connection.execute(SPARE["epoch"]).fetchone()
        found.epoch = found.epoch or str(epoch)[:64]
    with suppress(*_READ_ERRORS):
        for number, acked in connection.execute(SPARE["acked"]):
            if number in LANES and isinstance(acked, int):
                found.acked[LANES[number]] = max(acked, found.acked.get(LANES[number], 0))
    for lane in Lane:
        span = span_of(lane, 0)
        for which in ("newest", "oldest"):
            with suppress(*_READ_ERRORS):
                row = connection.execute(SPARE[which], span).fetchone()
                if row is not None:
                    _note(found, lane, *(int(each) for each in row))


def _note(found: _Found, lane: Lane, position: int, through: int, created_at_us: int) -> None:
    found.last[lane] = max(found.last.get(lane, 0), position & SEQUENCE_MASK, through)
    found.first_us = created_at_us if found.first_us is None else min(found.first_us, created_at_us)
    found.last_us = created_at_us if found.last_us is None else max(found.last_us, created_at_us)


def _belongings(store: Path, to: Path) -> list[tuple[Path, Path]]:
    """Return pairs of present and new path for the files of a store. The database file comes last: while its present
    name exists, the next start finds the damage again and completes the renaming."""
    return [
        (_log_of(store), to.with_name(to.name + "-wal")),
        (marks_path(store), marks_path(to)),
        (store, to),
    ]


def _log_of(store: Path) -> Path:
    """Return the path of SQLite's log, or of its second name (`hold_log`) where SQLite has deleted the log."""
    log = store.with_name(store.name + "-wal")
    return log if log.exists() else _held_log(store)


def _held_log(store: Path) -> Path:
    return store.with_name(store.name + "-wal.held")


def _index(store: Path) -> Path:
    return store.with_name(store.name + "-shm")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except PermissionError:
        # A file system without links (or fs.protected_hardlinks and another owner's file): a rename does the same,
        # except that a power cut may come between two files.
        source.rename(target)


def _number(store: Path, path: Path) -> int | None:
    head, _, number = path.name.rpartition(".set-aside-")
    return int(number) if head == store.name and number.isascii() and number.isdigit() else None
