"""Changes of the tree and of its heads by hand are refused, found, and do not stop the heads of other tenants; and no
record is left out of the tree for good.
"""

from collections.abc import Awaitable, Callable

import orjson
import pytest
from sqlalchemy import select

from cloud.foundation.db import ConstraintViolated, Database, insert
from cloud.settings import MODEL
from cloud.work.evidence import evidence_records
from cloud.work.tree_heads.errors import KeptHeadsMalformed, TreeDamaged
from cloud.work.tree_heads.findings import tree_head_findings
from cloud.work.tree_heads.kept_heads import read_kept_heads
from cloud.work.tree_heads.model import DAY_US
from cloud.work.tree_heads.store import HeadStore
from tests.builders.cloud_people import HandClock, household
from tests.builders.parts import SETTINGS
from tests.cloud.tree_heads.test_trees import UPDATE_TIME, Story, story

__all__ = ["story"]

HOUR_US = 3_600_000_000


async def hide(story: Story, record_id: str) -> Callable[[], Awaitable[None]]:
    """Remove a record, as if its transaction were not committed yet; return the function that commits it."""
    async with story.database.read() as tx:
        row = (await tx.execute(select(evidence_records).where(evidence_records.c.record_id == record_id))).first()
    assert row is not None
    await story.bypass("DELETE FROM evidence_records WHERE record_id = :id", id=record_id)
    values = dict(zip(evidence_records.c.keys(), row, strict=True))

    async def commit() -> None:
        async with story.database.transaction() as tx:
            await tx.execute(insert(evidence_records).values(values))

    return commit


async def test_record_that_was_hidden_from_two_heads_within_seconds_is_in_a_later_one(story: Story) -> None:
    await story.record(3)
    hidden = [*(await story.records())][1]
    commit = await hide(story, hidden)
    for _ in range(2):
        await story.make_now()
        await story.record()
    await commit()
    await story.midnight()
    assert (await story.heads.inclusion(story.viewer, 5, hidden)).leaf_index < 5
    assert await story.faults() == []


async def test_record_that_was_left_out_for_days_is_in_a_later_head(story: Story) -> None:
    await story.record(2)
    late = next(iter(await story.records()))
    for day in range(1, 4):
        # Each pass ends some minutes after midnight, and the record is from after each of these midnights.
        due_us = (story.clock.now_us() // DAY_US + 1) * DAY_US
        await story.bypass(UPDATE_TIME, at=due_us + 1, id=late)
        await story.midnight()
        await story.record()
        assert (await story.listed())[0].tree_size == day
    await story.midnight()
    assert (await story.heads.inclusion(story.viewer, 5, late)).leaf_index == 3


async def test_record_of_a_clock_that_was_years_ahead_is_in_the_next_head(story: Story) -> None:
    await story.record()
    story.clock.advance(us=3000 * DAY_US)
    await story.record(1, "evd_2")
    story.clock.advance(us=-3000 * DAY_US)
    await story.midnight()
    assert [head.tree_size for head in await story.listed()] == [2]


@pytest.mark.parametrize("column", ["scanned_number", "start_number", "high_number", "due_at_us"])
async def test_place_of_a_tree_that_was_set_by_hand_leaves_out_no_record(story: Story, column: str) -> None:
    await story.record(2)
    await story.run(f"UPDATE evidence_trees SET {column} = 9000000000000000000")  # noqa: S608  a name of ours
    await story.midnight()
    await story.record()
    await story.midnight()
    assert [head.tree_size for head in await story.listed()] == [3, 2]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM tree_heads",
        "UPDATE tree_heads SET root_hash = signature",
        "UPDATE tree_heads SET stamp = NULL",
        "DELETE FROM evidence_tree_nodes",
        "UPDATE evidence_tree_nodes SET record_number = NULL",
    ],
)
async def test_database_refuses_to_change_trees_and_stamped_heads(story: Story, statement: str) -> None:
    await story.record()
    await story.midnight()
    async with story.database.transaction() as tx:
        (head,) = await HeadStore().list(tx, story.tenant_id, before=None, count=2)
        await HeadStore().stamp(tx, head, b"synthetic", 1)
        await HeadStore().stamp(tx, head, b"a second one, which is not kept", 2)
    with pytest.raises(ConstraintViolated):
        await story.run(statement)
    assert (await story.listed())[0].stamp == b"synthetic"


async def test_check_finds_records_outside_the_tree_and_removed_heads_and_stamps(story: Story) -> None:
    await story.record(2)
    story.clock.advance(us=2 * DAY_US)
    assert "not in the tree" in (await story.faults())[0]
    await story.midnight()
    kept = await story.listed()
    assert await story.faults() == []
    await story.bypass("UPDATE tree_heads SET stamped_at_us = 1")
    assert "its time stamp was removed." in (await story.faults())[0]
    await story.bypass("UPDATE tree_heads SET stamped_at_us = NULL")
    await story.bypass("DELETE FROM tree_heads")
    removed = await story.faults()
    assert removed[0] == "1 of 1 signed heads were removed."
    assert removed[1].startswith("The tree has 2 records, and its newest head 0")
    found = await tree_head_findings(MODEL.model_validate(SETTINGS), story.database, story.clock)
    assert story.tenant_id in found[0].sentence
    await story.record()
    await story.midnight()  # a new head does not hide it
    assert await story.faults() == ["1 of 2 signed heads were removed."]
    assert "not stored any more" in (await story.faults(kept=kept))[1]


async def test_check_compares_heads_that_someone_else_has_kept(story: Story) -> None:
    await story.record(3)
    await story.midnight()
    await story.record()
    await story.midnight()
    documents = [head.document() for head in await story.listed()]
    file = orjson.dumps({"tree_heads": documents, "next_cursor": None})
    kept = read_kept_heads(file, story.tenant_id)
    assert [head.tree_size for head in kept] == [4, 3]
    assert await story.faults(kept=kept) == []
    (lone,) = read_kept_heads((await story.listed())[0].stamped_bytes, story.tenant_id)
    assert lone == kept[0]
    stamped = orjson.dumps({**documents[0], "time_stamp": {"time": "2026-05-08T00:05:14Z", "response": "AAAA"}})
    assert "was removed" in (await story.faults(kept=read_kept_heads(stamped, story.tenant_id)))[0]
    foreign = orjson.dumps({**documents[0], "root_hash": "sha256:" + 64 * "0"})
    found = await story.faults(kept=read_kept_heads(foreign, story.tenant_id))
    assert [fault.rpartition(": ")[2] for fault in found] == [
        "its root is not that of the records.",
        "its signature is not valid.",
    ]
    larger = orjson.dumps({**documents[0], "tree_size": 9})
    assert "only the first 4 of 9" in (await story.faults(kept=read_kept_heads(larger, story.tenant_id)))[-1]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"tree_heads": 1}', b'{"tree_heads": [{}]}', b'{"tree_heads": {"a": 1}}', b"\xff"]
)
def test_file_without_heads_is_refused(data: bytes) -> None:
    with pytest.raises(KeptHeadsMalformed):
        read_kept_heads(data, "tnt_1")


async def test_values_of_a_kept_head_are_checked_before_use(story: Story) -> None:
    await story.record()
    await story.midnight()
    document = (await story.listed())[0].document()
    for changed in (
        {"tenant_id": "tnt_other"},
        {"tree_size": 0},
        {"tree_size": 2**63},
        {"signature": "x"},
        {"signed_at": "yesterday"},
        {"version": "1"},
        {"time_stamp": {"time": "2026-05-08T00:05:14Z", "response": "?"}},
    ):
        with pytest.raises(KeptHeadsMalformed):
            read_kept_heads(orjson.dumps({**document, **changed}), story.tenant_id)


async def test_damaged_tree_gets_no_head_and_does_not_stop_those_of_other_tenants(
    database: Database,
) -> None:
    clock = HandClock()
    damaged = Story(database, (await household(database, clock)).tenant.id, clock)
    intact = Story(database, (await household(database, clock, name="south")).tenant.id, clock)
    await damaged.turn()
    await damaged.record(300)
    await intact.record(1, "evd_2")
    await damaged.midnight()
    await damaged.bypass("DELETE FROM evidence_tree_nodes WHERE level = 1")
    await damaged.record(1)
    await intact.record(1, "evd_2")
    await damaged.midnight()
    assert [head.tree_size for head in await intact.listed()] == [2, 1]
    assert [head.tree_size for head in await damaged.listed()] == [300]
    assert await damaged.faults() == ["Hash 0 of level 1 of the tree is missing or wrong."]
    found = await tree_head_findings(MODEL.model_validate(SETTINGS), database, clock)
    assert f"tree-heads check --tenant {damaged.tenant_id}" in found[0].sentence
    record_id = [*(await damaged.records())][299]
    with pytest.raises(TreeDamaged):
        await damaged.heads.inclusion(damaged.viewer, 300, record_id)
    with pytest.raises(TreeDamaged):
        await damaged.make_now()
    await damaged.bypass("DELETE FROM evidence_tree_nodes WHERE position = 7")
    assert "only the first 7 of 300 leaves" in " ".join(await damaged.faults())
    await damaged.bypass("DELETE FROM evidence_trees WHERE tenant_id = :id", id=damaged.tenant_id)
    clock.advance(us=HOUR_US)
    await damaged.midnight()
    assert [head.tree_size for head in await damaged.listed()] == [300]


async def test_values_of_wrong_kinds_do_not_end_the_check(story: Story) -> None:
    await story.record(2)
    await story.midnight()
    await story.bypass("UPDATE evidence_records SET core = 'no JSON' WHERE position = 1")
    await story.bypass("UPDATE tree_heads SET signature = root_hash, signed_at_us = :at", at=2**62)
    found = await story.faults()
    assert found[0] == "Record 0 of the tree was changed."
    assert "its signature is not valid." in found[1]
    await story.bypass("UPDATE provenance_keys SET public_key = substr(public_key, 1, 5)")
    await story.bypass("UPDATE tree_heads SET signature = root_hash")
    assert "was changed" in (await story.faults())[1]
