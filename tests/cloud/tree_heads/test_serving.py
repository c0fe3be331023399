"""Tree heads and their proofs over HTTP, and what `argus-cloud doctor` finds about them."""

from cloud.foundation.db import Database
from cloud.foundation.findings import Level
from cloud.foundation.http import Host
from cloud.settings import MODEL
from cloud.work.tree_heads.findings import tree_head_findings
from cloud.work.tree_heads.model import DAY_US
from cloud.work.tree_heads.routes import routes
from cloud.work.tree_heads.store import HeadStore
from protocols.provenance import merkle
from tests.builders.auth_world import MASTER, auth_world
from tests.builders.contract_samples import shape_faults
from tests.builders.parts import SETTINGS, make_parts
from tests.cloud.tree_heads.test_trees import Story
from tests.harness.auth_server import auth_server

SCOPE = "argus:provenance:read"
STAMPS = {"provenance": {"time_stamp_url": "https://tsa.example.org/", "time_stamp_certificates": "root.pem"}}


def hashes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text.removeprefix("sha256:")) for text in texts]


async def test_tree_heads_and_proofs_are_served_to_their_tenant_with_the_scope(database: Database) -> None:
    world = await auth_world(database, SCOPE)
    story = Story(database, world.home.tenant.id, world.clock)
    story.organization_id = world.home.organization.id
    await story.turn()
    await story.record(3)
    await story.midnight()
    await story.record(2)
    await story.midnight()
    first_record = next(iter(await story.records()))
    rows = routes(make_parts(database, world.clock, master=MASTER))
    async with auth_server(world, more_rows=rows) as server:
        token = await world.token(SCOPE)

        async def read(path: str) -> tuple[int, dict]:  # type: ignore[type-arg]
            response = await server.ask(
                "GET", f"/v1/provenance/{path}", Host.API, headers={"Authorization": f"Bearer {token}"}
            )
            return response.status, response.document

        assert (await server.ask("GET", "/v1/provenance/tree-heads", Host.API)).status == 401
        _, page = await read("tree-heads?limit=1")
        _, rest = await read(f"tree-heads?limit=1&cursor={page['next_cursor']}")
        (second,), (first,) = page["tree_heads"], rest["tree_heads"]
        assert (first["tree_size"], second["tree_size"], rest["next_cursor"]) == (3, 5, None)
        assert (second["tenant_id"], second["time_stamp"]) == (world.home.tenant.id, None)
        _, proof = await read(f"inclusion?tree_size=5&record_id={first_record}")
        (leaf,), (root,) = hashes([proof["leaf_hash"]]), hashes([proof["tree_head"]["root_hash"]])
        assert merkle.is_included(leaf, proof["leaf_index"], 5, hashes(proof["proof"]), root)
        _, step = await read("consistency?first=5&second=3")
        roots = hashes([step["first"]["root_hash"], step["second"]["root_hash"]])
        assert merkle.is_consistent(3, roots[0], 5, roots[1], hashes(step["proof"]))
        for row, document in zip(rows, (page, proof, step), strict=True):
            row.response.model_validate(row.response_example)
            assert shape_faults(document, row.response_example) == []
        absent = [await read(path) for path in ("consistency?first=4&second=3", "inclusion?tree_size=5&record_id=x")]
        assert [(status, one["code"]) for status, one in absent] == [
            (404, "tree_head_unknown"),
            (404, "record_not_in_tree"),
        ]
        assert (await read("inclusion?tree_size=0&record_id=x"))[0] == 400


async def test_doctor_finds_late_heads_and_missing_time_stamps(database: Database) -> None:
    world = await auth_world(database)
    story = Story(database, world.home.tenant.id, world.clock, stamps=True)
    plain, stamping = MODEL.model_validate(SETTINGS), MODEL.model_validate({**SETTINGS, **STAMPS})
    await story.turn()
    await story.record()

    async def levels(stamped: bool) -> list[tuple[Level, str]]:
        found = await tree_head_findings(stamping if stamped else plain, database, world.clock)
        return [(one.level, one.sentence) for one in found]

    assert [level for level, _ in await levels(False)] == [Level.OK]
    world.clock.advance(us=2 * DAY_US)
    assert "does one run" in (await levels(False))[0][1]
    await story.midnight()
    assert [level for level, _ in await levels(True)] == [Level.OK]
    world.clock.advance(us=2 * DAY_US)
    await story.turn()
    assert "The attempts go on." in (await levels(True))[-1][1]
    (head,) = await story.listed()
    async with database.transaction() as tx:
        await HeadStore().fail(tx, head, "synthetic", None)
    assert "1 heads have no time stamp" in (await levels(True))[-1][1]
