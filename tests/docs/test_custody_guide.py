"""The commands in the guide for courts and experts, and those of the rotation of the master key, run as printed."""

import asyncio
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.ids import UlidIds
from cloud.foundation.master_key import load_master_key
from cloud.settings import read_settings
from cloud.work.evidence import EvidenceStore
from cloud.work.evidence.recorder import Entry, EvidenceRecorder, File
from cloud.work.provenance_keys import ProvenanceKeys, RecordSigner
from cloud.work.tree_heads.settings import ProvenanceSection
from cloud.work.tree_heads.stamping import Stamping
from cloud.work.tree_heads.time_stamps import TimeStampService
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import ActorKind, Operation, sign_root, transcript_root, write_transcript
from tests.builders.evidence import piece
from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.conftest import two_tenants
from tests.cloud.tokens.test_commands import Console, console
from tests.harness.time_stamp_service import TimeStampResponder, time_stamp_service
from tests.tidy.sources import ROOT

__all__ = ["console", "logging_as_before", "two_tenants"]

TENANT = "tnt_1"
RECORDS = 3


def blocks(document: Path, heading: str) -> list[str]:
    """Return the shell blocks below a heading of a document, up to the next heading of its level."""
    level = heading.split()[0]
    text = document.read_text().partition(f"\n{heading}\n")[2].partition(f"\n{level} ")[0]
    return [re.sub(r"^ +", "", block, flags=re.MULTILINE) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)]


class Case:
    """The folder of an expert, with what the operator and the tenant gave: a transcript, keys and tree heads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._settings = read_settings(folder / "cloud.toml")

    def run(self, block: str) -> str:
        """Run a block of commands in the folder; return what it prints."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euc", block], cwd=self.folder / "heads", capture_output=True, text=True, env={"PATH": path}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def record(self) -> None:
        """Record operations on one piece of evidence, and write its transcript and the published keys."""
        database, clock = await open_database(self._settings.database_url), SystemClock()
        keys = ProvenanceKeys(database, clock, lambda: load_master_key(self._settings))
        signer = RecordSigner(keys, clock, lambda: load_master_key(self._settings))
        recorder = EvidenceRecorder(clock, UlidIds(clock), signer)
        content = File(hashlib.sha256(b"synthetic file").digest())
        entry = Entry(operation=Operation.UPDATE, actor_id="usr_1", actor_kind=ActorKind.USER, content=content)
        async with database.transaction() as tx:
            for _ in range(RECORDS):
                await recorder.append(tx, piece(tenant=TENANT, organization=None), entry)
            _, platform = await signer.of_tenant(tx, TENANT)
            found = await EvidenceStore().transcript_of(tx, TENANT, "evd_1")
            assert found is not None
        records = [one.signed(Algorithm.ML_DSA_65) for one in found.records]
        root = transcript_root(one.core for one in records)
        names = {"tenant_id": TENANT, "evidence_id": "evd_1"}
        signature = sign_root(root, platform, record_count=RECORDS, **names)
        transcript = write_transcript(records, root=root, root_signature=signature, **names)
        self.write("transcript.json", transcript)
        self.write("keys.json", {"keys": [key.published_form() for key in await keys.listed()]})
        await database.close()

    def write(self, name: str, document: object) -> None:
        (self.folder / "heads" / name).write_bytes(orjson.dumps(document))

    async def stamp(self, responder: TimeStampResponder, database: Database) -> None:
        section = ProvenanceSection(time_stamp_url=responder.url, time_stamp_certificates=responder.root)
        service = TimeStampService(section)
        assert await Stamping(database, SystemClock(), service).turn() == 1
        await service.close()


@pytest.fixture
def case(console: Console, tmp_path: Path) -> Case:
    made = Case(tmp_path)

    async def stamped() -> None:
        database = await open_database(read_settings(tmp_path / "cloud.toml").database_url)
        async with time_stamp_service(tmp_path) as responder:
            await made.stamp(responder, database)
        await database.close()

    assert console.json("tree-heads", "make", "--tenant", TENANT)["tree_head"] is None
    (tmp_path / "heads").mkdir()
    asyncio.run(made.record())
    assert console.json("tree-heads", "make", "--tenant", TENANT)["tree_head"]["tree_size"] == RECORDS
    assert console.json("tree-heads", "make", "--tenant", TENANT)["tree_head"]["tree_size"] == RECORDS
    assert console.json("tree-heads", "stamp", "--tenant", TENANT)["tree_heads"] == 1
    asyncio.run(stamped())
    records = console.json("evidence", "show", "evd_1", "--tenant", TENANT)["records"]
    exported = tmp_path / "exported"
    console.json("tree-heads", "export", str(exported), "--tenant", TENANT, "--record", records[0]["id"])
    assert "cannot be written" in console.run("tree-heads", "export", str(exported), "--tenant", TENANT)[2]
    for file in exported.iterdir():
        file.rename(tmp_path / "heads" / file.name)
    (tmp_path / "root.pem").rename(tmp_path / "heads" / "root.pem")
    return made


@pytest.mark.contract("C-228", "C-247")
def test_commands_of_the_guide_for_courts_verify_a_transcript_and_a_stamped_tree_head(
    case: Case, console: Console
) -> None:
    (kid,) = [file.stem for file in (case.folder / "heads").glob("prov-*.pem")]
    printed = [
        case.run(block.replace("5120", str(RECORDS)).replace("prov-2026-05-mldsa", kid))
        for block in blocks(ROOT / "docs" / "custody.md", "## Check it offline")
    ]
    assert len(printed) == 3
    assert "Signature Verified Successfully" in printed[1]
    assert "Verification: OK" in printed[2]
    document = orjson.loads((case.folder / "heads" / "tree-heads.json").read_bytes())
    assert (document["inclusion"][0]["leaf_index"], document["consistency"]) == (0, [])
    kept = str(case.folder / "heads" / "tree-heads.json")
    assert console.json("tree-heads", "check", "--tenant", TENANT, "--head", kept) == {
        "valid": True,
        "faults": [],
        "time_stamps_checked": False,
        "kept_heads_compared": 1,
    }
    assert "cannot be read" in console.run("tree-heads", "check", "--tenant", TENANT, "--head", kept + "x")[2]
    (listed,) = console.json("tree-heads", "list", "--tenant", TENANT)
    assert listed["stamped_at"] is not None


def test_commands_of_the_rotation_of_the_master_key_run_as_printed(console: Console) -> None:
    found = blocks(ROOT / "docs" / "operator.md", "### Rotate the master key")
    for block in found:
        for line in block.splitlines():
            code, _, error = console.run(*line.removeprefix("argus-cloud ").split())
            assert code == 0, error
    assert [row["state"] for row in console.json("keys", "master")] == ["current", "former"]
