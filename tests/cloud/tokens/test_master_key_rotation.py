"""The master key is rotated in two steps; nothing sealed under a former key is lost, and a lost key is named."""

import os
from pathlib import Path

import pytest

from cloud.access.tokens.master_keys import described, lost
from cloud.foundation.db import Database, sealed_columns
from cloud.foundation.db.schema import metadata
from cloud.foundation.master_key import CREDENTIAL, KEYS_MAX, MasterKey, MasterKeyUnfit, SealBroken, master_key_path
from cloud.foundation.master_key_rotation import (
    MasterKeyFull,
    MasterKeyNotPrepared,
    MasterKeyPrepared,
    prepare,
    rotate,
)
from cloud.foundation.resealing import CHUNK_ROWS, Resealer, count_by_key
from cloud.partners.webhooks import WebhookKeys
from cloud.settings import read_settings
from cloud.slices import load_tables
from cloud.work.provenance_keys import ProvenanceKeys
from tests.builders.auth_world import MASTER
from tests.builders.cloud_people import HandClock
from tests.builders.cloud_settings import settings_file
from tests.cloud.tokens.test_commands import Console, console

__all__ = ["console"]

FIRST, SECOND = bytes(range(32)), bytes(32)
ROTATED = MasterKey(SECOND, former=[FIRST])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    MasterKey.create(tmp_path / "master.key")
    return tmp_path / "master.key"


def test_rotated_master_key_opens_former_seals_and_names_the_key_that_is_lost() -> None:
    old = MASTER.seal("x", "row", b"plain")
    new = ROTATED.seal("x", "row", b"plain")
    assert ROTATED.open("x", "row", old) == ROTATED.open("x", "row", new) == b"plain"
    with pytest.raises(SealBroken, match=ROTATED.kid):
        MASTER.open("x", "row", new)
    with pytest.raises(SealBroken):
        ROTATED.open("x", "row", new[:5])
    with pytest.raises(SealBroken):
        ROTATED.open("x", "another", new)
    assert ROTATED.kids == [MasterKey(SECOND).kid, MASTER.kid]
    assert MASTER.seal_prefix == b"\x01", "the release before this one opens seals of a key that was never rotated"


def test_keys_derived_from_the_master_key_stay_the_same_after_a_rotation() -> None:
    assert ROTATED.derive("pseudonyms tnt_1") == MASTER.derive("pseudonyms tnt_1")


def test_master_key_file_is_rotated_in_two_steps_and_stays_private(key_file: Path) -> None:
    first = MasterKey.load(key_file)
    sealed = first.seal("x", "row", b"plain")
    with pytest.raises(MasterKeyNotPrepared, match="prepare-master"):
        rotate(key_file)
    prepared = prepare(key_file)
    assert (prepared.kid, prepared.kids) == (first.kid, first.kids)
    with pytest.raises(MasterKeyPrepared):
        prepare(key_file)
    rotated = rotate(key_file)
    assert (rotated.kid, rotated.kids, rotated.successor) == (prepared.successor, [prepared.successor, first.kid], None)
    assert MasterKey.load(key_file).open("x", "row", sealed) == b"plain"
    # A process with the file of the first step opens what the second step seals.
    assert prepared.open("x", "row", rotated.seal("x", "row", b"new")) == b"new"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert list(key_file.parent.iterdir()) == [key_file]


def test_master_key_file_is_complete_after_a_kill_before_and_after_its_replacement(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = MasterKey.load(key_file)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for owner, name in ((os, "fsync"), (Path, "replace")):
        monkeypatch.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(key_file)
        monkeypatch.undo()
        assert MasterKey.load(key_file).kids == first.kids
        assert MasterKey.load(key_file).successor is None
    prepare(key_file)
    opened = os.open

    def killed_at_folder(path: object, flags: int, *more: int) -> int:
        if flags & os.O_DIRECTORY:
            raise KeyboardInterrupt
        return opened(str(path), flags, *more)

    monkeypatch.setattr(os, "open", killed_at_folder)
    with pytest.raises(KeyboardInterrupt):
        rotate(key_file)
    monkeypatch.undo()
    assert len(MasterKey.load(key_file).kids) == 2


def test_master_key_file_with_too_many_or_equal_keys_is_refused(key_file: Path) -> None:
    line = key_file.read_bytes()
    key_file.write_bytes(line * 2)
    with pytest.raises(MasterKeyUnfit, match="different keys"):
        MasterKey.load(key_file)
    key_file.write_bytes(line)
    for _ in range(KEYS_MAX - 1):
        prepare(key_file)
        rotate(key_file)
    with pytest.raises(MasterKeyFull):
        prepare(key_file)


def test_master_key_is_read_from_a_systemd_credential_unless_a_file_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    settings = read_settings(settings_file(tmp_path))
    assert master_key_path(settings) == tmp_path / "master.key"
    MasterKey.create(tmp_path / CREDENTIAL)
    (tmp_path / CREDENTIAL).chmod(0o440)  # as systemd shows its access list
    assert master_key_path(settings) == tmp_path / CREDENTIAL
    assert MasterKey.load(master_key_path(settings)).kids
    named = read_settings(settings_file(tmp_path, more='[secrets]\nmaster_key_file = "elsewhere"\n'))
    assert master_key_path(named) == tmp_path / "elsewhere"


def test_every_column_of_sealed_values_is_declared_for_the_rotation() -> None:
    load_tables()
    declared = {(one.column.table.name, one.column.name) for one in sealed_columns()}
    named = {
        (table.name, one.name) for table in metadata.sorted_tables for one in table.columns if "sealed" in one.name
    }
    assert declared == named
    for one in sealed_columns():
        key, unique = one.column.table.primary_key, one.column.table.constraints
        assert [*key] == [one.name_column] or any([*each.columns] == [one.name_column] for each in unique)  # type: ignore[attr-defined]


async def test_worker_seals_values_again_under_the_rotated_master_key(database: Database) -> None:
    clock, master = HandClock(), [MASTER]
    await WebhookKeys(database, clock, lambda: MASTER).ensure()
    await ProvenanceKeys(database, clock, lambda: MASTER).ensure()
    resealer = Resealer(lambda: master[0])

    async def turn() -> int:
        async with database.transaction() as tx:
            return await resealer.work(tx, clock.now_us())

    async def counts() -> dict[str | None, int]:
        async with database.read() as tx:
            return await count_by_key(tx)

    assert (await turn(), await counts()) == (0, {None: 4})
    master[0] = ROTATED
    done = 0
    while rows := await turn():
        assert rows <= CHUNK_ROWS
        done += rows
    assert (done, await counts()) == (4, {ROTATED.kid: 4})
    assert await turn() == 0
    _, current = await ProvenanceKeys(database, clock, lambda: ROTATED).listed()
    assert current.signer(ROTATED).kid == current.kid
    with pytest.raises(SealBroken, match=ROTATED.kid):
        current.signer(MASTER)
    assert lost(MASTER, await counts()) == {ROTATED.kid: 4}
    assert described(MASTER, await counts())[-1] == {"kid": ROTATED.kid, "state": "missing", "sealed_values": 4}


async def test_worker_leaves_a_value_that_no_key_opens_and_goes_on(database: Database) -> None:
    clock = HandClock()
    await WebhookKeys(database, clock, lambda: MasterKey(bytes([7] * 32))).ensure()
    await ProvenanceKeys(database, clock, lambda: MASTER).ensure()
    resealer = Resealer(lambda: ROTATED)
    async with database.transaction() as tx:
        while await resealer.work(tx, 0):
            pass
    async with database.read() as tx:
        assert await count_by_key(tx) == {None: 2, ROTATED.kid: 2}


def test_console_rotates_the_master_key_and_the_audit_trail_records_it(console: Console, tmp_path: Path) -> None:
    (first,) = console.json("keys", "master")
    assert (first["state"], first["kid"][:3]) == ("current", "mk-")
    assert "prepare-master" in console.run("keys", "rotate-master")[2]
    prepared = console.json("keys", "prepare-master")
    assert console.json("keys", "rotate-master")["kid"] == prepared["kid"]
    states = [(row["kid"], row["state"]) for row in console.json("keys", "master")]
    assert states == [(prepared["kid"], "current"), (first["kid"], "former")]
    (entry,) = console.json("audit", "list", "--tenant", "tnt_1", "--action", "master_key.rotate")
    assert entry["object"] == prepared["kid"]
