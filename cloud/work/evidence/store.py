"""SQL statements on evidence and its records."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, exists, func, select, update

from cloud.clinical.epcr import encounters
from cloud.foundation.db import Prepared, Records, Transaction, insert
from cloud.foundation.viewer import SecrecyLevel, Viewer, visible
from cloud.work.evidence.model import Evidence, EvidenceEnd, EvidenceKind, EvidenceWithRecords, StoredRecord
from cloud.work.evidence.tables import evidence, evidence_ends, evidence_records, followed_evidence

RECORDS_MAX = 10_000
"""Records of one transcript (contract A-118). An encounter has some tens, one of a month about a hundred."""

_LEVELS = {int(level): level for level in SecrecyLevel}


def _read_level(number: int) -> SecrecyLevel:
    """Return a level as stored. A number that is no level, since the row was changed, limits readers most."""
    return _LEVELS.get(number, SecrecyLevel.TOP_SECRET)


_EVIDENCE = Records(Evidence, evidence, codecs={"secrecy_level": (int, _read_level)})
_RECORDS = Records(StoredRecord, evidence_records)
_ENDS = Records(EvidenceEnd, evidence_ends)
_FIELDS = tuple(name for name in _RECORDS.names if name != "number")  # the database numbers the records

_OPEN = Prepared(
    _EVIDENCE.select()
    .where(evidence.c.tenant_id == bindparam("tenant"), evidence.c.id == bindparam("evidence"))
    .with_for_update()
)
_ADD = Prepared(
    insert(evidence)
    .values({name: bindparam(name) for name in _EVIDENCE.names})
    .on_conflict_do_nothing()
    .returning(evidence.c.id)
)
_OF_EVIDENCE = evidence_records.alias()
_NEWEST = (
    select(func.max(_OF_EVIDENCE.c.position))
    .where(_OF_EVIDENCE.c.tenant_id == evidence.c.tenant_id, _OF_EVIDENCE.c.evidence_id == evidence.c.id)
    .scalar_subquery()
)
# Both in one statement, since an append waits for it. It cannot lock the evidence too: on PostgreSQL a statement that
# waited for the lock would see the end of before.
_END_AND_LAST = Prepared(
    select(*_ENDS.columns, *_RECORDS.columns)
    .select_from(
        evidence.outerjoin(
            evidence_ends,
            and_(evidence_ends.c.tenant_id == evidence.c.tenant_id, evidence_ends.c.evidence_id == evidence.c.id),
        ).outerjoin(
            evidence_records,
            and_(
                evidence_records.c.tenant_id == evidence.c.tenant_id,
                evidence_records.c.evidence_id == evidence.c.id,
                evidence_records.c.position == _NEWEST,
            ),
        )
    )
    .where(evidence.c.tenant_id == bindparam("tenant"), evidence.c.id == bindparam("evidence"))
)
_APPEND = Prepared(insert(evidence_records).values({name: bindparam(name) for name in _FIELDS}))
_KEY = ("tenant_id", "evidence_id")
_STATE_END = insert(evidence_ends).values({name: bindparam(name) for name in (*_KEY, *_ENDS.names)})
_EXTEND = Prepared(
    _STATE_END.on_conflict_do_update(
        index_elements=_KEY,
        set_={name: _STATE_END.excluded[name] for name in _ENDS.names},
    )
)

_NEW_ROW = insert(followed_evidence).values({name: bindparam(name) for name in (*_KEY, "encounter_id", "due_at_us")})
_FOLLOW = Prepared(_NEW_ROW.on_conflict_do_update(index_elements=_KEY, set_={"due_at_us": _NEW_ROW.excluded.due_at_us}))


def _readable(viewer: Viewer) -> Sequence[ColumnElement[bool]]:
    """Return the conditions under which `viewer` may see evidence. The row of evidence never changes, so the level that
    an encounter has got since is that of the encounter; the higher of both limits the viewer."""
    raised = exists().where(
        encounters.c.tenant_id == evidence.c.tenant_id,
        encounters.c.id == evidence.c.subject_id,
        encounters.c.secrecy_level > int(viewer.clearance),
    )
    return *visible(evidence, viewer), ~raised


def _read_end_and_last(rows: Sequence[Sequence[Any]]) -> tuple[EvidenceEnd, StoredRecord | None]:
    """Return the end that evidence states, or that of its last record if it states none, or an earlier one; and the
    last record."""
    if not rows:
        return EvidenceEnd(), None
    stated, newest = rows[0][: len(_ENDS.names)], rows[0][len(_ENDS.names) :]
    end = EvidenceEnd() if stated[0] is None else _ENDS.read(stated)
    last = None if newest[0] is None else _RECORDS.read(newest)
    return end if last is None or end.record_count >= last.position else last.as_end, last


class EvidenceStore:
    """SQL statements on evidence."""

    async def open(
        self, tx: Transaction, wanted: Evidence, *, expect_new: bool = False
    ) -> tuple[Evidence, EvidenceEnd, StoredRecord | None]:
        """Return the evidence with this id, which is added if it is new, its end, and the last record that the database
        has (None: none). They are not the same if records were removed.
        Its row is locked until the transaction ends, so that two appends never follow the same record. (SQLite has one
        writer, and needs no lock.) With `expect_new` it is added before it is looked for: one statement in place of
        five if it is new."""
        key = {"tenant": wanted.tenant_id, "evidence": wanted.id}
        if expect_new and await tx.driver.rows(_ADD, _EVIDENCE.values(wanted)):
            return wanted, EvidenceEnd(), None
        both = ((_OPEN, key), (_END_AND_LAST, key))
        rows, ends = await tx.driver.rows_each(both)
        if not rows:
            await tx.driver.rows(_ADD, _EVIDENCE.values(wanted))
            rows, ends = await tx.driver.rows_each(both)
        return _EVIDENCE.read(rows[0]), *_read_end_and_last(ends)

    async def end_of(self, tx: Transaction, tenant_id: str, evidence_id: str) -> EvidenceEnd:
        """Return the end that evidence states, or that of its last record if it states none, or an earlier one."""
        rows = await tx.driver.rows(_END_AND_LAST, {"tenant": tenant_id, "evidence": evidence_id})
        return _read_end_and_last(rows)[0]

    async def append(self, tx: Transaction, record: StoredRecord) -> None:
        """Add a record behind the last one of its evidence, which the caller has locked with `open`, and state it as
        the end of the chain."""
        values = _RECORDS.values(record)
        await tx.driver.run_later(_APPEND, {name: values[name] for name in _FIELDS})
        key = {"tenant_id": record.tenant_id, "evidence_id": record.evidence_id}
        await tx.driver.run_later(_EXTEND, {**key, **_ENDS.values(record.as_end)})

    async def find(self, tx: Transaction, viewer: Viewer, evidence_id: str) -> Evidence | None:
        """Return the evidence that the viewer may see by its tenant, organisation and secrecy level (contract A-121),
        or None."""
        statement = _EVIDENCE.select().where(*_readable(viewer), evidence.c.id == evidence_id)
        return await _EVIDENCE.first(tx, statement)

    async def list(
        self, tx: Transaction, viewer: Viewer, *, kind: EvidenceKind | None = None, count: int
    ) -> Sequence[Evidence]:
        """Return at most `count` pieces of evidence that the viewer may see, newest first."""
        order = (evidence.c.created_at_us.desc(), evidence.c.id.desc())
        statement = _EVIDENCE.select().where(*_readable(viewer)).order_by(*order).limit(count)
        return await _EVIDENCE.all(tx, statement if kind is None else statement.where(evidence.c.kind == kind.value))

    async def page(self, tx: Transaction, tenant_id: str, *, after: str, count: int) -> Sequence[Evidence]:
        """Return at most `count` pieces of a tenant's evidence in the order of their ids, beginning after an id."""
        mine = (evidence.c.tenant_id == tenant_id, evidence.c.id > after)
        return await _EVIDENCE.all(tx, _EVIDENCE.select().where(*mine).order_by(evidence.c.id).limit(count))

    async def transcript_of(
        self, tx: Transaction, tenant_id: str, evidence_id: str, *, count: int = RECORDS_MAX
    ) -> EvidenceWithRecords | None:
        """Return evidence with its records in order, at most `count`; None if the tenant has no such evidence. The
        caller must have checked that the viewer may see it (`find`)."""
        mine = (evidence.c.tenant_id == tenant_id, evidence.c.id == evidence_id)
        found = await _EVIDENCE.first(tx, _EVIDENCE.select().where(*mine))
        if found is None:
            return None
        table = evidence_records.c
        of_evidence = (table.tenant_id == tenant_id, table.evidence_id == evidence_id)
        statement = _RECORDS.select().where(*of_evidence).order_by(table.position).limit(count)
        end = await self.end_of(tx, tenant_id, evidence_id)
        return EvidenceWithRecords(found, end, await _RECORDS.all(tx, statement))

    async def records_of(
        self, tx: Transaction, tenant_id: str, evidence_id: str, *, after: int, count: int
    ) -> Sequence[StoredRecord]:
        """Return at most `count` records of evidence behind a position, in order. The caller must have checked that the
        viewer may see it (`find`)."""
        table = evidence_records.c
        mine = (table.tenant_id == tenant_id, table.evidence_id == evidence_id, table.position > after)
        return await _RECORDS.all(tx, _RECORDS.select().where(*mine).order_by(table.position).limit(count))

    async def records_after(self, tx: Transaction, tenant_id: str, number: int, count: int) -> Sequence[StoredRecord]:
        """Return at most `count` records of a tenant behind a number, in the order in which they were written."""
        table = evidence_records.c
        mine = (table.tenant_id == tenant_id, table.number > number)
        return await _RECORDS.all(tx, _RECORDS.select().where(*mine).order_by(table.number).limit(count))

    async def follow(self, tx: Transaction, tenant_id: str, evidence_id: str, encounter_id: str, due_us: int) -> None:
        """Let the batches of the encounter's vehicle be referenced from `due_us` on."""
        row = {"tenant_id": tenant_id, "evidence_id": evidence_id, "encounter_id": encounter_id, "due_at_us": due_us}
        await tx.driver.run_later(_FOLLOW, row)

    async def due(self, tx: Transaction, now_us: int, count: int) -> Sequence[tuple[str, str, str]]:
        """Return tenant, id and encounter of followed evidence that is due, at most `count`, the longest due first."""
        table = followed_evidence.c
        statement = select(table.tenant_id, table.evidence_id, table.encounter_id).where(table.due_at_us <= now_us)
        rows = await tx.execute(statement.order_by(table.due_at_us).limit(count))
        return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]

    async def is_due(self, tx: Transaction, tenant_id: str, evidence_id: str, now_us: int) -> bool:
        """Return whether followed evidence is due. The caller has locked it with `open`."""
        table = followed_evidence.c
        mine = (table.tenant_id == tenant_id, table.evidence_id == evidence_id, table.due_at_us <= now_us)
        return (await tx.execute(select(table.due_at_us).where(*mine))).first() is not None

    async def follow_later(self, tx: Transaction, tenant_id: str, evidence_id: str, due_us: int | None) -> None:
        """Set the time at which followed evidence is due again; None: it is followed no more."""
        mine = (followed_evidence.c.tenant_id == tenant_id, followed_evidence.c.evidence_id == evidence_id)
        changed = update(followed_evidence).values(due_at_us=due_us)
        await tx.execute((delete(followed_evidence) if due_us is None else changed).where(*mine))
