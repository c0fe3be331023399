"""Length and seal of each care record's log, kept longer than the log itself.

Acknowledged batches leave the store (`retention`), the oldest first. A log that has lost its beginning must be neither
changed nor sealed: its seal would cover another log than the one that the cloud has. So the store remembers of each log
its number of changes and whether it is sealed, in the commit of the changes. It also holds the batches of a record that
is not sealed, for `BufferSettings.open_records_s` at most.

The id of an encounter is not stored, only a keyed digest of it.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.buffer.rows import Misread, Row, span_of
from gateway.buffer.sealing import Sealer, Unsealable
from gateway.buffer.statements import CARE_LOGS, OUTBOX
from gateway.buffer.store import Store
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import BatchKind
from protocols.uplink.epcr import decode_changes
from protocols.uplink.lanes import Lane

NO_COUNTS: Mapping[str, int] = MappingProxyType({})
CARE_LOGS_MAX = 4_096
"""Maximum number of logs that are remembered: those of a year of one vehicle, in about 0.5 MB."""
_OPENING = "call.report_number"
"""Element that the first batch of a draft states, with the id of its encounter as the value."""


@dataclass(frozen=True, slots=True)
class CareLog:
    """Facts about a log: the number of its changes, and whether it is sealed."""

    changes: int
    sealed: bool


def remember(store: Store, changes: Sequence[FieldChange], counts: Mapping[str, int]) -> None:
    """Note changes of the batch that is committed now, inside its transaction. `counts`: number of changes of each log
    with these changes, where the caller knows more of the log than this store."""
    sequence, now_us = store.heads[Lane.EPCR].last + 1, store.time.now_us()
    for encounter in dict.fromkeys(change.encounter for change in changes):
        mine = [change for change in changes if change.encounter == encounter]
        known = find(store.connection, store.sealer, encounter)
        count = counts.get(encounter, (0 if known is None else known.changes) + len(mine))
        sealed = any(change.key == Annotation.SEAL for change in mine)
        _put(store, encounter, first=sequence, log=CareLog(count, sealed), begun_us=now_us)
    store.connection.execute(CARE_LOGS["trim_logs"], (CARE_LOGS_MAX,))


def find(connection: sqlite3.Connection, sealer: Sealer, encounter: str) -> CareLog | None:
    """Return what is known of the log of an encounter, or None."""
    row = connection.execute(CARE_LOGS["find_log"], (_key(sealer, encounter),)).fetchone()
    return None if row is None else CareLog(row[0], bool(row[1]))


def held_from(store: Store) -> int | None:
    """Return the sequence number of the oldest batch that must stay because its record is not sealed; None: none."""
    since_us = store.time.now_us() - round(store.settings.open_records_s * 1_000_000)
    row = store.connection.execute(CARE_LOGS["held_from"], (since_us,)).fetchone()
    return None if row is None else row[0]


def adopt(store: Store) -> None:
    """Note the logs of a store that has changes and no notes: it was written by an earlier release. A log whose
    beginning may have been dropped counts as one that lacks a change."""
    head = store.heads[Lane.EPCR]
    if not head.first or store.connection.execute(CARE_LOGS["has_logs"]).fetchone()[0]:
        return
    firsts: dict[str, Row] = {}
    logs: dict[str, dict[str, None]] = {}
    sealed: set[str] = set()
    opened: set[str] = set()
    for columns in store.connection.execute(OUTBOX["rows_from"], span_of(Lane.EPCR, head.first)).fetchall():
        try:
            row = Row.of(columns)
            if row.kind is not BatchKind.EPCR:
                continue
            changes = decode_changes(store.sealer.open(row.nonce, row.sealed, row), announced_count=row.count)
        except (Misread, Unsealable, RemoteProtocolError):
            continue  # it stays out of every draft too
        for change in changes:
            firsts.setdefault(change.encounter, row)
            logs.setdefault(change.encounter, {})[change.id] = None
            if change.key == Annotation.SEAL:
                sealed.add(change.encounter)
            if change.key == _OPENING and change.value == change.encounter:
                opened.add(change.encounter)
    with store.transaction():
        for encounter, ids in logs.items():
            lacks = head.first > 1 and encounter not in opened
            log = CareLog(len(ids) + lacks, encounter in sealed)
            _put(store, encounter, first=firsts[encounter].sequence, log=log, begun_us=firsts[encounter].kept_us)


def _put(store: Store, encounter: str, *, first: int, log: CareLog, begun_us: int) -> None:
    values = (_key(store.sealer, encounter), first, log.changes, int(log.sealed), begun_us, store.time.now_us())
    store.connection.execute(CARE_LOGS["put_log"], values)


def _key(sealer: Sealer, encounter: str) -> bytes:
    return sealer.fingerprint(b"care log\0" + encounter.encode())
