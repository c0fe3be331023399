"""Reference the signed batches of an encounter's vehicle in its evidence, so that custody begins at the patient.

A vehicle signs each of its batches, and each batch has the hash of the one before (DESIGN D7). Ingest verifies both,
and keeps with each lane the signature of the last batch of its unbroken part. A record of evidence names these ends:
gateway, key, lane, first and last sequence number, the hash before and the hash after. The hash after covers every
batch up to it, so a record names each of them: a changed, removed or inserted batch no longer leads to that hash.

Why not a record for each batch: a live lane has a batch each second, and a record costs two signatures. Ingest pays
nothing for evidence but four columns of a row that it writes anyway. Why by lane and not by encounter: the hash chain
is that of a lane. A range may have batches without data of this encounter; their content is not part of the record.

A record follows after at least five minutes, and later after a twelfth of the time since the encounter began: twelve
in the first hour, about a hundred in a month. A vehicle may send hours later what it could not send then, so a lane is
followed until it is complete: a batch that the vehicle made after the end of the encounter has also arrived after it,
since the vehicle's clock alone proves nothing. A report may be written and signed long after the end, so a lane with
changes of the report is referenced again when it has further ones, also in the log of a report that the crew opened
before the call arrived and joined to it (`report_entries`). An encounter is followed until all its lanes are
complete, at least for a day (a lane may begin late), and for 30 days if it has a report. A value of a vehicle that no
record can hold concerns its own lane only, and an encounter that cannot be followed does not stop the others.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select

from cloud.clinical.epcr import CareLog, Encounter, EncounterLogs, Encounters, care_changes
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.moments import write_moment
from cloud.foundation.retention import DAY_US
from cloud.foundation.stopping import pause
from cloud.foundation.viewer import Actor
from cloud.vehicles.custody import Reason, lanes, quarantined_batches
from cloud.work.evidence.chain_ends import ChainEnd, ends_of_vehicle, lanes_left_out
from cloud.work.evidence.encounters import CLOUD, evidence_of
from cloud.work.evidence.recorder import Document, Entry, EvidenceRecorder
from cloud.work.evidence.report_entries import CAPTURES, REPORTS, ReportEntries, captures_wait
from cloud.work.evidence.report_records import CHANGES_MAX
from cloud.work.evidence.store import EvidenceStore
from protocols.provenance.hash_chain import genesis
from protocols.provenance.transcript import ActorKind, Operation
from protocols.uplink.lanes import Lane

EVERY_S = 10.0
"""Seconds between two turns: the first batches of an encounter are referenced at most this much after they arrived."""
FIRST_US = 20_000_000
"""Least time between two looks before the first batch is referenced."""
APART_US = 300_000_000
"""Least time between two records of one encounter."""
AGE_PARTS = 12
"""A record follows the one before after the age of the encounter divided by this, if that is longer."""
FOLLOWED_LEAST_US = DAY_US
"""Least time after the end of an encounter in which batches are referenced."""
FOLLOWED_US = 30 * DAY_US
"""Time after the end of an encounter in which batches are referenced. A vehicle keeps batches for less, and a report is
signed, with its addenda, in less."""
NAMED_MAX = 64
"""Broken links, and batches with signatures of people, that a record names for one lane."""
INCOMPLETE = "incomplete"
"""Member of a range of batches: the names of what the record states only in part, since there is more than it may hold.
It is absent if the record has everything."""
SIGNATURES = "signatures."
"""Beginning of the keys of the catalogue's group of signatures."""
AT_ONCE = 100
CHAINS = "vehicle_chains"
"""Member of the content with the ends of the chains that were referenced."""
BATCHES = "vehicle_batches"
"""Member of a record's details with the ranges of batches that it references."""
LANES_LEFT_OUT = "lanes_left_out"
"""Member of a record's details with the number of lanes that it does not reference, since there are more than
`LANES_MAX`. It is absent if there are none."""

log = structlog.get_logger()


class Following:
    """References the batches of vehicles in the evidence of their encounters."""

    def __init__(self, database: Database, clock: Clock, recorder: EvidenceRecorder) -> None:
        self._database = database
        self._clock = clock
        self._recorder = recorder
        self._store = EvidenceStore()
        self._reports = ReportEntries(self._store, clock)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work every `EVERY_S` seconds until a stop is requested. After an error the next turn continues."""
        while not stopping.is_set():
            try:
                await self.turn(stopping)
            except DomainError as error:
                log.warning("evidence.following_interrupted", code=error.code)
            await pause(stopping, EVERY_S)

    async def turn(self, stopping: asyncio.Event | None = None) -> int:
        """Look at all evidence that is due, each in a transaction. Return the number of records that were made."""
        stopping = stopping or asyncio.Event()
        made = 0
        while not stopping.is_set():
            async with self._database.read() as tx:
                due = await self._store.due(tx, self._clock.now_us(), AT_ONCE)
            for one in due:
                if stopping.is_set():
                    break
                made += await self._follow_or_postpone(*one)
            if len(due) < AT_ONCE:
                break
        return made

    async def _follow_or_postpone(self, tenant_id: str, evidence_id: str, encounter_id: str) -> bool:
        """Reference the new batches of an encounter's vehicle in a transaction. After any error the encounter is due
        again later, so that those due after it are reached. Raises the errors of the database if it is lost."""
        try:
            async with self._database.transaction() as tx:
                return await self._follow(tx, tenant_id, evidence_id, encounter_id)
        except Exception as error:
            name = error.code if isinstance(error, DomainError) else type(error).__name__
            log.warning("evidence.encounter_postponed", evidence=evidence_id, error=name)
        async with self._database.transaction() as tx:
            await self._store.follow_later(tx, tenant_id, evidence_id, self._clock.now_us() + APART_US)
        return False

    async def _follow(self, tx: Transaction, tenant_id: str, evidence_id: str, encounter_id: str) -> bool:
        """Reference the new batches of an encounter's vehicle. Return whether a record was made."""
        now_us = self._clock.now_us()
        encounter = await Encounters().find(tx, Actor.operator(tenant_id), encounter_id)
        if encounter is None:  # it was erased meanwhile
            await self._store.follow_later(tx, tenant_id, evidence_id, None)
            return False
        evidence = evidence_of(encounter)
        content = await self._recorder.last_content(tx, evidence)
        if content is None or not await self._store.is_due(tx, tenant_id, evidence_id, now_us):
            return False  # another process was faster
        known: dict[str, Any] = dict(content.get(CHAINS, {}))
        complete = {name for name, end in known.items() if _is_complete(end, encounter)}
        logs = await CareLog().logs(tx, encounter)
        found = await ends_of_vehicle(tx, encounter, logs)
        ends = [one for one in found if one.name not in complete or await _has_changes(tx, encounter, logs, one, known)]
        moved = [end for end in ends if end.sequence > known.get(end.name, {}).get("last_sequence", 0)]
        chains = known | {end.name: _content_of(end, known.get(end.name), now_us) for end in moved}
        seals = await self._reports.seals(tx, encounter, logs, found, known, chains)
        captures = await self._reports.captures(tx, encounter, logs, found, chains)
        if moved:
            left_out = await lanes_left_out(tx, encounter, logs)
            entry = Entry(
                operation=Operation.UPDATE,
                actor_id=CLOUD,
                actor_kind=ActorKind.SYSTEM,
                content=Document({CHAINS: chains}),
                details={BATCHES: [await _reference(tx, encounter, logs, end, known.get(end.name)) for end in moved]}
                | ({LANES_LEFT_OUT: left_out} if left_out else {}),
            )
            await self._recorder.append(tx, evidence, entry)
        for one in (*seals, *captures):
            await self._recorder.append(tx, evidence, one.with_members({CHAINS: chains}))
        is_open = bool(ends) or any(captures_wait(one) for one in chains.values())
        is_over = await _is_over(tx, encounter, logs, now_us, is_complete=bool(complete) and not is_open)
        least_us = APART_US if known or moved else FIRST_US
        next_us = now_us + max(least_us, (now_us - encounter.created_at_us) // AGE_PARTS)
        await self._store.follow_later(tx, tenant_id, evidence_id, None if is_over else next_us)
        return bool(moved or seals or captures)


async def _is_over(
    tx: Transaction, encounter: Encounter, logs: EncounterLogs, now_us: int, *, is_complete: bool
) -> bool:
    """Return whether an encounter is followed no more. `is_complete`: all its lanes that are known are complete."""
    ended_us = encounter.ended_at_us or (encounter.created_at_us if encounter.status.is_final else None)
    if ended_us is None or now_us <= ended_us + FOLLOWED_LEAST_US:
        return False
    if now_us > ended_us + FOLLOWED_US:
        return True
    return is_complete and not await _has_report(tx, encounter, logs)


async def _has_report(tx: Transaction, encounter: Encounter, logs: EncounterLogs) -> bool:
    """Return whether a vehicle has sent changes of a report, which may still get a signature or an addendum."""
    table = care_changes.c
    statement = select(table.lane_id).join(lanes, lanes.c.lane_id == table.lane_id)
    return (await tx.execute(statement.where(*logs.conditions()).limit(1))).first() is not None


async def _has_changes(
    tx: Transaction, encounter: Encounter, logs: EncounterLogs, end: ChainEnd, known: Mapping[str, Any]
) -> bool:
    """Return whether a lane has changes of an encounter's report behind the end that was referenced."""
    if end.lane != Lane.EPCR.value:
        return False
    table, before = care_changes.c, known[end.name]["last_sequence"]
    statement = (
        select(table.sequence)
        .where(*logs.conditions())
        .where(table.lane_id == end.lane_id, table.sequence > before, table.sequence <= end.sequence)
    )
    return (await tx.execute(statement.limit(1))).first() is not None


def _is_complete(end: Mapping[str, Any], encounter: Encounter) -> bool:
    """Return whether a lane in the content has all batches from before the encounter's end: its last one was made after
    that by the vehicle's clock, and arrived after it by the cloud's."""
    ended, made, arrived = write_moment(encounter.ended_at_us), end.get("made_at"), end.get("arrived_after")
    # Times of this form sort as text.
    return ended is not None and made is not None and arrived is not None and made > ended and arrived >= ended


def _content_of(end: ChainEnd, before: Mapping[str, Any] | None, now_us: int) -> dict[str, Any]:
    """Return a lane as the content has it. `made_at` is by the vehicle's clock, which may have any value; a time beyond
    the years 1 to 9999 is cut. `arrived_after` is when the lane was referenced before, so before this end arrived."""
    kept = {name: before[name] for name in (CAPTURES, REPORTS) if name in before} if before else {CAPTURES: 0}
    return (kept if end.lane == Lane.EPCR.value else {}) | {
        "last_sequence": end.sequence,
        "hash": end.hash.hex(),
        "made_at": write_moment(end.made_at_us),
        "referenced_at": write_moment(now_us),
        "arrived_after": None if before is None else before.get("referenced_at"),
    }


async def _reference(
    tx: Transaction, encounter: Encounter, logs: EncounterLogs, end: ChainEnd, before: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the range of batches from the end that was referenced before (None: from the first batch of the lane). If
    some of them have signatures of people in the encounter's care record, `sign_offs` has their sequence numbers."""
    first = 1 if before is None else before["last_sequence"] + 1
    named = {
        "sign_offs": await _sign_offs(tx, encounter, logs, end, first),
        "broken_links": await _broken_links(tx, encounter.tenant_id, end, first),
    }
    incomplete = [name for name, batches in named.items() if len(batches) > NAMED_MAX]
    if end.lane == Lane.EPCR.value and await _has_more_changes(tx, encounter, logs, end):
        incomplete.append("report")
    sign_offs = named["sign_offs"][:NAMED_MAX]
    return (
        ({"sign_offs": sign_offs} if sign_offs else {})
        | {
            "gateway_id": end.gateway_id,
            "epoch": end.epoch,
            "lane": end.lane,
            "first_sequence": first,
            "last_sequence": end.sequence,
            "hash_before": genesis(end.gateway_id, end.epoch, end.lane).hex() if before is None else before["hash"],
            "hash": end.hash.hex(),
            "signature": end.signature,
            "gateway_key": end.public_key,
            "broken_links": named["broken_links"][:NAMED_MAX],
        }
        | ({INCOMPLETE: incomplete} if incomplete else {})
    )


async def _has_more_changes(tx: Transaction, encounter: Encounter, logs: EncounterLogs, end: ChainEnd) -> bool:
    """Return whether a lane has more changes of one of the logs than are read for its seals and captures."""
    table = care_changes.c
    for log_id in logs.of_gateway(end.gateway_id):
        mine = (*logs.conditions(), table.encounter_id == log_id, table.lane_id == end.lane_id)
        statement = select(table.sequence).where(*mine).order_by(table.sequence, table.position)
        if (await tx.execute(statement.offset(CHANGES_MAX).limit(1))).first() is not None:
            return True
    return False


async def _sign_offs(
    tx: Transaction, encounter: Encounter, logs: EncounterLogs, end: ChainEnd, first: int
) -> list[int]:
    """Return the batches of a range that have entries of the catalogue's group of signatures for the encounter, at most
    one more than a record names."""
    table = care_changes.c
    statement = (
        select(table.sequence)
        .distinct()
        .where(*logs.conditions())
        .where(table.lane_id == end.lane_id, table.sequence.between(first, end.sequence))
        .where(table.element_key.startswith(SIGNATURES, autoescape=True))
        .order_by(table.sequence)
        .limit(NAMED_MAX + 1)
    )
    return [int(row[0]) for row in await tx.execute(statement)]


async def _broken_links(tx: Transaction, tenant_id: str, end: ChainEnd, first: int) -> list[int]:
    """Return the batches of a range that do not follow the batch before them, as ingest has found, at most one more
    than a record names."""
    table = quarantined_batches.c
    statement = (
        select(table.sequence)
        .where(table.tenant_id == tenant_id, table.gateway_id == end.gateway_id)
        .where(table.reason == Reason.CHAIN_BROKEN.value, table.epoch == end.epoch, table.lane == end.lane)
        .where(table.sequence.between(first, end.sequence))
        .order_by(table.sequence)
        .limit(NAMED_MAX + 1)
    )
    return [int(row[0]) for row in await tx.execute(statement)]
