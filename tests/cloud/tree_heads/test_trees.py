"""Each midnight the root over all evidence records of a tenant is signed; proofs hold, and a change is named."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import SecrecyLevel, Viewer
from cloud.work.evidence.recorder import Entry, File
from cloud.work.provenance_keys import ProvenanceKeys, RecordSigner
from cloud.work.tree_heads import keeping
from cloud.work.tree_heads.checking import TreeCheck
from cloud.work.tree_heads.errors import RecordNotInTree, TreeHeadUnknown
from cloud.work.tree_heads.keeping import TreeKeeper
from cloud.work.tree_heads.model import DAY_US, SETTLE_US, StoredHead, cutoff_of, next_due_us
from cloud.work.tree_heads.service import TreeHeads
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.stamping import ATTEMPTS_MAX, Stamping
from cloud.work.tree_heads.store import HeadStore
from cloud.work.tree_heads.time_stamps import TimeStampService, read_certificates
from protocols.provenance import merkle
from protocols.provenance.transcript import ActorKind, Operation
from tests.builders.auth_world import MASTER
from tests.builders.cloud_people import HandClock, household
from tests.builders.evidence import EvidenceRoom, piece
from tests.harness.time_stamp_service import time_stamp_service

HOUR_US = 3_600_000_000
UPDATE_TIME = "UPDATE evidence_records SET signed_at_us = :at WHERE record_id = :id"
CHANGE = "UPDATE evidence_records SET core = replace(core, 'usr_1', 'usr_2') WHERE record_id = :id"
WORK = Entry(
    operation=Operation.UPDATE, actor_id="usr_1", actor_kind=ActorKind.USER, content=File(hashlib.sha256(b"x").digest())
)


class Story:
    """A tenant with evidence, the worker that makes heads, and a reader of the whole tenant."""

    def __init__(self, database: Database, tenant_id: str, clock: HandClock, *, stamps: bool = False) -> None:
        self.database, self.tenant_id, self.clock = database, tenant_id, clock
        self.room = EvidenceRoom(database, clock, UlidIds(clock))
        self.signer = RecordSigner(ProvenanceKeys(database, clock, lambda: MASTER), clock, lambda: MASTER)
        self.keeper = TreeKeeper(self.signer, stamps=stamps)
        self.viewer = Viewer(tenant_id, None, SecrecyLevel.TOP_SECRET)
        self.heads = TreeHeads(database)
        self.organization_id: str | None = None

    async def record(self, count: int = 1, evidence: str = "evd_1", *, level: int = 0) -> None:
        async with self.database.transaction() as tx:
            wanted = piece(
                evidence, tenant=self.tenant_id, organization=self.organization_id, level=SecrecyLevel(level)
            )
            for _ in range(count):
                await self.room.recorder.append(tx, wanted, WORK)

    async def turn(self) -> int:
        async with self.database.transaction() as tx:
            return await self.keeper.work(tx, self.clock.now_us())

    async def midnight(self) -> None:
        """Let the next head become due, and make it."""
        self.clock.advance(us=next_due_us(self.clock.now_us()) - self.clock.now_us())
        while await self.turn():
            pass

    async def listed(self) -> Sequence[StoredHead]:
        return await self.heads.page(self.viewer, None, 100)

    async def records(self) -> dict[str, bytes]:
        """Return the leaf of each record of the tenant, by the id of the record."""
        async with self.database.read() as tx:
            rows = await tx.execute(text("SELECT record_id, leaf_hash FROM evidence_records ORDER BY number"))
        return {str(row[0]): bytes(row[1]) for row in rows}

    async def make_now(self) -> None:
        async with self.database.transaction() as tx:
            assert await self.keeper.make_now(tx, self.tenant_id, self.clock.now_us()) == 0

    async def faults(self, certificates: Path | None = None, kept: Sequence[StoredHead] = ()) -> list[str]:
        keys = await self.signer.verify_keys(self.tenant_id)
        read = [] if certificates is None else read_certificates(certificates)
        check = TreeCheck(self.database, self.tenant_id, keys, read, kept)
        return [fault async for fault in check.faults(self.clock.now_us())]

    async def run(self, *statements: str, **values: object) -> None:
        async with self.database.transaction() as tx:
            for one in statements:
                await tx.execute(text(one), {name: values[name] for name in values if f":{name}" in one})

    async def bypass(self, statement: str, **values: object) -> None:
        """Run a statement without the triggers of evidence, as an administrator of the database can."""
        if self.database.dialect == "postgresql":
            await self.run("SET LOCAL session_replication_role = replica", statement, **values)
        else:
            async with self.database.read() as tx:
                names = [
                    row[0] for row in await tx.execute(text("SELECT name FROM sqlite_schema WHERE type = 'trigger'"))
                ]
            await self.run(*(f"DROP TRIGGER {name}" for name in names), statement, **values)


@pytest.fixture
async def story(database: Database) -> Story:
    clock = HandClock()
    home = await household(database, clock)
    made = Story(database, home.tenant.id, clock)
    await made.turn()  # gives the tenant its tree
    return made


def test_head_of_a_midnight_is_due_when_the_transactions_of_the_day_have_ended() -> None:
    midnight = 20_000 * DAY_US
    assert next_due_us(midnight - 1) == midnight + SETTLE_US
    assert next_due_us(midnight + SETTLE_US) == midnight + DAY_US + SETTLE_US
    assert cutoff_of(midnight + SETTLE_US) == midnight
    assert cutoff_of(midnight + SETTLE_US - 1) == midnight - DAY_US


async def test_daily_head_has_the_records_of_the_days_before_and_proves_each_of_them(story: Story) -> None:
    await story.record(3)
    await story.midnight()
    await story.record(2, "evd_2")
    await story.midnight()
    second, first = await story.listed()
    assert (first.tree_size, second.tree_size) == (3, 5)
    leaves = await story.records()
    assert first.root_hash == merkle.root([*leaves.values()][:3])
    for record_id, leaf in leaves.items():
        found = await story.heads.inclusion(story.viewer, 5, record_id)
        assert found.leaf_hash == leaf
        assert merkle.is_included(leaf, found.leaf_index, 5, found.proof, second.root_hash)
    step = await story.heads.consistency(story.viewer, 5, 3)
    assert merkle.is_consistent(3, first.root_hash, 5, second.root_hash, step.proof)
    assert await story.faults() == []
    with pytest.raises(RecordNotInTree):
        await story.heads.inclusion(story.viewer, 3, [*leaves][4])
    with pytest.raises(TreeHeadUnknown):
        await story.heads.inclusion(story.viewer, 4, next(iter(leaves)))
    with pytest.raises(TreeHeadUnknown):
        await story.heads.consistency(story.viewer, 3, 4)


async def test_day_without_records_has_no_head_and_records_after_midnight_are_in_the_next_one(story: Story) -> None:
    await story.midnight()
    assert await story.listed() == []
    story.clock.advance(us=-SETTLE_US // 2)  # a clock that was set back, and a record before the head is due
    await story.record()
    await story.midnight()
    await story.midnight()
    assert [head.tree_size for head in await story.listed()] == [1]


async def test_interrupted_work_on_a_head_goes_on_behind_the_last_chunk(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CHUNK_RECORDS", 4)
    await story.record(9)
    story.clock.advance(us=DAY_US)
    with suppress(RuntimeError):
        async with story.database.transaction() as tx:
            await story.keeper.work(tx, story.clock.now_us())
            raise RuntimeError  # killed before the commit
    assert await story.turn() == 4
    another = Story(story.database, story.tenant_id, story.clock)  # the worker of another process
    assert [await another.turn() for _ in range(3)] == [4, 2, 0]
    (head,) = await story.listed()
    assert (head.tree_size, head.root_hash) == (9, merkle.root((await story.records()).values()))


async def test_record_that_was_committed_late_is_in_the_next_head(story: Story) -> None:
    await story.record(4)
    hidden = [*(await story.records())][1]
    # A transaction that has a number and is not committed yet: its row is not visible.
    await story.bypass(UPDATE_TIME, at=next_due_us(story.clock.now_us()) - 1, id=hidden)
    await story.midnight()
    await story.bypass(UPDATE_TIME, at=1, id=hidden)
    await story.record()
    await story.midnight()
    second, first = await story.listed()
    assert (first.tree_size, second.tree_size) == (3, 5)
    step = await story.heads.consistency(story.viewer, 3, 5)
    assert merkle.is_consistent(3, first.root_hash, 5, second.root_hash, step.proof)
    assert (await story.heads.inclusion(story.viewer, 5, hidden)).leaf_index == 3


@pytest.mark.parametrize("count", [300, 700])
async def test_large_tree_reads_stored_nodes_and_its_proofs_hold(database: Database, count: int) -> None:
    story = Story(database, (await household(database, HandClock())).tenant.id, HandClock())
    await story.turn()
    await story.record(count)
    await story.midnight()
    await story.record(1)
    await story.midnight()
    second, first = await story.listed()
    leaves = await story.records()
    assert second.root_hash == merkle.root(leaves.values())
    step = await story.heads.consistency(story.viewer, count, count + 1)
    assert merkle.is_consistent(count, first.root_hash, count + 1, second.root_hash, step.proof)
    for index in (0, 255, 256, count):
        record_id = [*leaves][index]
        found = await story.heads.inclusion(story.viewer, count + 1, record_id)
        assert merkle.is_included(leaves[record_id], index, count + 1, found.proof, second.root_hash)


async def test_record_above_the_clearance_or_of_another_tenant_has_no_proof(story: Story) -> None:
    await story.record(1, "evd_secret", level=3)
    await story.midnight()
    (record_id,) = await story.records()
    with pytest.raises(RecordNotInTree):
        await story.heads.inclusion(Viewer(story.tenant_id, None), 1, record_id)
    with pytest.raises(TreeHeadUnknown):
        await story.heads.inclusion(Viewer("tnt_other", None), 1, record_id)


async def test_check_names_a_changed_or_removed_record_and_a_changed_head(story: Story) -> None:
    await story.record(4)
    await story.midnight()
    await story.bypass("UPDATE tree_heads SET signed_at_us = signed_at_us + 1")
    assert [fault.rpartition(": ")[2] for fault in await story.faults()] == ["its signature is not valid."]
    await story.bypass("UPDATE tree_heads SET signed_at_us = signed_at_us - 1")
    second = [*(await story.records())][1]
    await story.bypass(CHANGE, id=second)
    assert await story.faults() == ["Record 1 of the tree was changed."]
    await story.bypass("DELETE FROM evidence_records WHERE record_id = :id", id=second)
    assert await story.faults() == ["Record 1 of the tree was removed."]
    await story.bypass(
        "UPDATE evidence_tree_nodes SET hash = (SELECT hash FROM evidence_tree_nodes WHERE position = 0)"
    )
    assert "root" in (await story.faults())[-1]


async def test_head_is_stamped_by_the_service_after_an_outage_and_then_never_again(
    database: Database, tmp_path: Path
) -> None:
    clock = HandClock()
    story = Story(database, (await household(database, clock)).tenant.id, clock, stamps=True)
    await story.turn()
    await story.record()
    await story.midnight()
    async with time_stamp_service(tmp_path) as responder:
        section = ProvenanceSection(time_stamp_url=responder.url, time_stamp_certificates=responder.root)
        service = TimeStampService(section)
        stamping = Stamping(database, clock, service)
        responder.status = 503
        assert (await stamping.turn(), await stamping.turn()) == (1, 0)
        (head,) = await story.listed()
        assert (head.stamp_attempts, head.stamp, "503" in str(head.stamp_failure)) == (1, None, True)
        responder.status = 200
        clock.advance(us=HOUR_US)
        assert (await stamping.turn(), await stamping.turn()) == (1, 0)
        await service.close()
        (head,) = await story.listed()
        assert head.stamp == responder.responses[-1]
        stamp = head.document()["time_stamp"]
        assert stamp["time"].startswith("20")
        assert await story.faults(responder.root) == []
        await story.bypass("UPDATE tree_heads SET stamped_at_us = stamped_at_us - 1")
        assert "another time" in (await story.faults(responder.root))[0]


async def test_attempts_to_stamp_a_head_end_and_begin_again_on_request(story: Story, tmp_path: Path) -> None:
    story.keeper = TreeKeeper(story.signer, stamps=True)
    await story.record()
    await story.midnight()
    heads = HeadStore()
    async with time_stamp_service(tmp_path) as responder:
        section = ProvenanceSection(time_stamp_url=responder.url, time_stamp_certificates=responder.root)
    service = TimeStampService(section)  # nothing listens there any more
    stamping = Stamping(story.database, story.clock, service)
    await story.run("UPDATE tree_heads SET stamp_attempts = :count", count=ATTEMPTS_MAX - 1)
    assert await stamping.turn() == 1
    story.clock.advance(us=100 * DAY_US)
    assert await stamping.turn() == 0
    async with story.database.read() as tx:
        assert await heads.counts(tx) == (1, 1, 1, None)
    async with story.database.transaction() as tx:
        assert await heads.stamp_again(tx, story.tenant_id, story.clock.now_us()) == 1
    assert await stamping.turn() == 1
    await service.close()
