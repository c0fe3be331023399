"""Field changes of care records: stored as one batch, each change once however often its client sends it.

A client that gets no reply sends a change again. The ids of stored changes are written in the commit of the batch, so a
repeated id is recognised, also after a kill. A store that replaces a failed one does not know the ids of the other;
then a change may be stored twice, and the record ignores the second (`protocols.epcr.record`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gateway.buffer import care_logs
from gateway.buffer.blocks import Block
from gateway.buffer.errors import BufferError
from gateway.buffer.statements import CARE_CHANGES
from gateway.buffer.store import Store
from gateway.buffer.store_reader import StoreReader
from protocols.epcr.change import FieldChange
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import BatchKind
from protocols.uplink.epcr import decode_changes, encode_changes
from protocols.uplink.lanes import Lane

PAGE_BATCHES = 64
"""Batches of one reading: some milliseconds of the reader's thread, which the uplink uses too."""
CHANGE_IDS_MAX = 50_000
"""Maximum number of stored ids: those of some hundred missions, so weeks of work of one vehicle, in about 6 MB."""


class ChangeIdReused(BufferError):
    """The id of a change was used for another change before. Nothing of the request was stored."""

    def __init__(self, change_id: str) -> None:
        self.change_id = change_id
        super().__init__(str(self.__doc__))


@dataclass(frozen=True, slots=True)
class StoredChanges:
    """The outcome of a request: the ids of the changes that are stored now, and of those that were stored before."""

    added: tuple[str, ...]
    repeated: tuple[str, ...]


def append_changes(store: Store, changes: Sequence[FieldChange], counts: Mapping[str, int]) -> StoredChanges:
    """Store the changes that are not stored yet, in one batch and one durable transaction. `counts`: number of changes
    of each encounter's log with these changes, where the caller knows it (`care_logs`). Raises `ChangeIdReused`, and
    `StoreFull` when the reserve is used up; then nothing is stored."""
    known: dict[str, bytes] = {}
    new: list[FieldChange] = []
    for change in changes:
        fingerprint = _fingerprint(store, change)
        stored = known.get(change.id) or _stored(store, change.id)
        if stored is None:
            new.append(change)
        elif stored != fingerprint:
            raise ChangeIdReused(change.id)
        known[change.id] = fingerprint
    added = tuple(change.id for change in new)
    if new:
        block = Block(Lane.EPCR, BatchKind.EPCR, len(new), encode_changes(new))
        prints = [(one, known[one]) for one in added]
        note = partial(care_logs.remember, changes=new, counts=counts)
        store.commit([block], [partial(_remember, prints=prints), note])
    written = set(added)
    return StoredChanges(added, tuple(dict.fromkeys(one.id for one in changes if one.id not in written)))


def changes_after(reader: StoreReader, sequence: int) -> tuple[int, list[FieldChange]]:
    """Return the changes of the next batches above a sequence number of the lane, in their stored order, and the number
    up to which the lane was read: the given one when nothing follows. Batches that cannot be read are left out."""
    changes: list[FieldChange] = []
    for row, payload in reader.blocks(
        Lane.EPCR, after=sequence, since_us=None, limit=PAGE_BATCHES, kind=BatchKind.EPCR
    ):
        sequence = row.through
        try:
            changes += decode_changes(payload, announced_count=row.count)
        except RemoteProtocolError:
            continue  # of a later release, before this one was installed again
    return sequence, changes


def _stored(store: Store, change_id: str) -> bytes | None:
    row = store.connection.execute(CARE_CHANGES["known_change"], (change_id,)).fetchone()
    return None if row is None else bytes(row[0])


def _fingerprint(store: Store, change: FieldChange) -> bytes:
    """Return a keyed digest of what the client sent, which reveals nothing of it without the store's key."""
    return store.sealer.fingerprint(encode_changes([replace(change, gateway_time_us=0)]))


def _remember(store: Store, prints: Sequence[tuple[str, bytes]]) -> None:
    now_us = store.time.now_us()
    for change_id, fingerprint in prints:
        store.connection.execute(CARE_CHANGES["remember_change"], (change_id, fingerprint, now_us))
    store.connection.execute(CARE_CHANGES["trim_changes"], (CHANGE_IDS_MAX,))
