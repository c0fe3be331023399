"""Append records to evidence, each in the transaction of the operation that it records.

A record names the leaf of the record before it, so it is made while the row of its evidence is locked. Both signatures
are made there too. They take 0.7 ms (ML-DSA-65), as long as some statements of the same transaction. The library
releases the interpreter's lock while it signs, so a thread could sign meanwhile. But beside a busy event loop the
thread then waits up to 5 ms for that lock, and the row stays locked that long.

A record follows the end that its evidence states, even if the record there was removed from the database. The chain
then shows the removal for ever, and the operation that is recorded is not held up.

The time of a record is never before that of the record before it, even if the clock was set back between them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor
from cloud.work.evidence.model import Evidence, EvidenceEnd, EvidenceKind, StoredRecord
from cloud.work.evidence.store import EvidenceStore
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.merkle import leaf_hash
from protocols.provenance.signatures import Signer
from protocols.provenance.transcript import ActorKind, Operation, Record, hash_text, sign_core

log = structlog.get_logger()


class RecordSigners(Protocol):
    """The keys that sign the records of a tenant."""

    async def of_tenant(self, tx: Transaction, tenant_id: str) -> Sequence[Signer]:
        """Return the current key of HMAC-SHA-256, then that of ML-DSA-65. Raises the errors of the master key."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """Content of evidence that is a document of ours: members that replace those of the content before."""

    members: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File:
    """Content of evidence that is a file, which is kept elsewhere; by its SHA-256."""

    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An operation to record. `content` is the content after it; a `Document` without members is unchanged. `details`
    are signed with the record. Neither has data of a patient."""

    operation: Operation
    actor_id: str
    actor_kind: ActorKind
    content: Document | File
    details: Mapping[str, Any] = field(default_factory=dict)
    trace_id: str | None = None
    job_id: str | None = None

    def with_members(self, members: Mapping[str, Any]) -> "Entry":
        """Return the entry with further members in its content, which is a document."""
        assert isinstance(self.content, Document)
        return replace(self, content=Document({**self.content.members, **members}))


class EvidenceRecorder:
    """Appends records to evidence."""

    def __init__(self, clock: Clock, ids: Ids, signers: RecordSigners) -> None:
        self._clock = clock
        self._ids = ids
        self._signers = signers
        self._store = EvidenceStore()

    async def append(
        self,
        tx: Transaction,
        evidence: Evidence,
        entry: Entry,
        *,
        first: Entry | None = None,
        expect_new: bool = False,
    ) -> StoredRecord:
        """Append the record of an operation on evidence, and return it. Evidence that is new is added, and begins with
        the record of `first`, if there is one. `expect_new` saves statements for evidence that is new. If the
        transaction appends to several pieces of evidence, the caller appends in the order of their ids, so that two
        transactions never wait for each other. Raises the errors of the master key."""
        kept, end, last = await self._open(tx, evidence, expect_new=expect_new)
        if end.record_count == 0 and first is not None:
            last = await self._append(tx, kept, first, end, None)
            end = last.as_end
        return await self._append(tx, kept, entry, end, last)

    async def last_content(self, tx: Transaction, evidence: Evidence) -> Mapping[str, Any] | None:
        """Lock evidence, and return its content: {} for a file, None if it has no record yet."""
        kept, _, last = await self._open(tx, evidence)
        return None if last is None else await self._content_of(tx, kept, last)

    async def _open(
        self, tx: Transaction, wanted: Evidence, *, expect_new: bool = False
    ) -> tuple[Evidence, EvidenceEnd, StoredRecord | None]:
        wanted = replace(wanted, created_at_us=self._clock.now_us())
        return await self._store.open(tx, wanted, expect_new=expect_new)

    async def _content_of(self, tx: Transaction, evidence: Evidence, last: StoredRecord) -> Mapping[str, Any]:
        """Return the content after the last record. If that was changed or removed in the database, continue from the
        newest one before that has the hash of its record: the operation must not fail, and the check names the other.
        """
        if evidence.kind == EvidenceKind.EXPORT and last.content is None:
            return {}
        if last.content_hash == last.core_members.get("content_hash"):
            return last.content_members
        log.warning("evidence.content_damaged", evidence=evidence.id, record=last.record_id)
        found = await self._store.transcript_of(tx, evidence.tenant_id, evidence.id)
        for one in reversed(found.records if found else ()):
            if one.content is not None and one.content_hash == one.core_members.get("content_hash"):
                return one.content_members
        return {}

    async def _append(
        self, tx: Transaction, evidence: Evidence, entry: Entry, end: EvidenceEnd, before: StoredRecord | None
    ) -> StoredRecord:
        content = None
        if isinstance(entry.content, File):
            sha256 = entry.content.sha256
        else:
            known = {} if before is None else await self._content_of(tx, evidence, before)
            encoded = canonical_json({**known, **entry.content.members})
            content, sha256 = encoded.decode(), hashlib.sha256(encoded).digest()
        signed_at_us = self._clock.now_us()
        if before is not None:
            signed_at_us = max(signed_at_us, before.signed_at_us)
        moment = write_moment(signed_at_us)
        assert moment is not None
        record = Record(
            id=self._ids.new(""),
            operation=entry.operation,
            actor_id=entry.actor_id,
            actor_kind=entry.actor_kind,
            content_hash=hash_text(sha256),
            parent_id=end.last_record_id,
            parent_hash=None if end.last_leaf_hash is None else hash_text(end.last_leaf_hash),
            signed_at=moment,
            trace_id=entry.trace_id,
            job_id=entry.job_id,
            details=dict(entry.details),
        )
        core = canonical_json(record.core())
        signers = await self._signers.of_tenant(tx, evidence.tenant_id)
        hmac, mldsa = sign_core(core, signers, tenant_id=evidence.tenant_id, evidence_id=evidence.id)
        stored = StoredRecord(
            tenant_id=evidence.tenant_id,
            evidence_id=evidence.id,
            position=end.record_count + 1,
            record_id=record.id,
            operation=entry.operation.value,
            signed_at_us=signed_at_us,
            core=core.decode(),
            leaf_hash=leaf_hash(core),
            content=content,
            hmac_kid=hmac.kid,
            hmac_signature=hmac.value,
            mldsa_kid=mldsa.kid,
            mldsa_signature=mldsa.value,
        )
        await self._store.append(tx, stored)
        return stored


def kind_of(actor: Actor) -> ActorKind:
    """Return the kind of an actor: an app is a service, and the console's operator a part of the system, since the
    console does not know the person."""
    if actor.client_id is None and actor.subject == "operator":
        return ActorKind.SYSTEM
    return ActorKind.SERVICE if actor.subject == actor.client_id else ActorKind.USER


def entry_of(
    actor: Actor,
    operation: Operation,
    content: Document | File,
    *,
    details: Mapping[str, Any] | None = None,
    job_id: str | None = None,
) -> Entry:
    """Return the record of an operation by `actor`. With `job_id` the job is the actor, and the caller who requested it
    is a detail."""
    found = dict(details or {})
    if job_id is not None:
        found["requested_by"] = actor.subject
    return Entry(
        operation=operation,
        actor_id=actor.subject if job_id is None else job_id,
        actor_kind=kind_of(actor) if job_id is None else ActorKind.JOB,
        content=content,
        details=found,
        trace_id=None if actor.trace is None else actor.trace.trace_id,
        job_id=job_id,
    )
