"""A store is created only on request, and an existing file is opened only if it is a store of this gateway."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.buffer import BufferUnusable, Diagnosis, StoreExists, create_store
from gateway.buffer.database import APPLICATION_ID
from gateway.buffer.migrations import VERSION, migrate
from gateway.buffer.statements import SCHEMA
from gateway.buffer.store_reader import StoreReader
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import numerics, section
from tests.builders.buffer_store import GATEWAY, KEY, OTHER_KEY, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict

DATABASES = Path(__file__).parents[2] / "databases"
UNPRIVILEGED = 65534
"""User id of `nobody`."""


async def refusal(path: Path) -> Diagnosis:
    """Try to open a store that must not open, and check that its file is unchanged; return the diagnosis."""
    before = path.read_bytes() if path.exists() else None
    with pytest.raises(BufferUnusable) as caught:
        async with opened(path):
            pass
    assert (path.read_bytes() if path.exists() else None) == before, "a refused file is left as it was"
    diagnosis = caught.value.diagnosis
    assert all(sentence.endswith(".") for sentence in (diagnosis.happened, diagnosis.means, diagnosis.to_do))
    return diagnosis


def test_store_is_never_created_over_an_existing_store(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    before = path.read_bytes()
    with pytest.raises(StoreExists):
        new_store(tmp_path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["buffer.db"]


def test_each_store_has_its_own_epoch_and_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    epochs = {create_store(tmp_path / f"{n}.db", gateway=GATEWAY, key=KEY, now_us=0) for n in range(5)}
    assert len(epochs) == 5
    assert (tmp_path / "0.db").stat().st_mode & 0o777 == 0o600


def test_error_for_a_store_that_cannot_be_created_names_the_command_to_repeat(tmp_path: Path) -> None:
    with pytest.raises(BufferUnusable) as caught:
        new_store(tmp_path / "absent")
    assert "provision again" in caught.value.diagnosis.to_do


async def test_opening_a_missing_store_fails_and_creates_no_file(tmp_path: Path) -> None:
    diagnosis = await refusal(tmp_path / "buffer.db")
    assert "no store" in diagnosis.happened
    assert "mounted" in diagnosis.to_do
    assert not (tmp_path / "buffer.db").exists()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("not a database at all\n" * 100)


def _foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE places (name TEXT)")


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def _cut(path: Path) -> None:
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) // 2 // 4096 * 4096])


def _scribbled(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[4096 * 2 : 4096 * 6] = b"\x5a" * (4096 * 4)
    path.write_bytes(octets)


def _schema_hit(path: Path) -> None:
    octets = path.read_bytes()
    at = octets.index(b"TABLE lanes")
    path.write_bytes(octets[:at] + b"\xa0" + octets[at + 1 :])


def _header_hit(path: Path) -> None:
    octets = bytearray(path.read_bytes())
    octets[0] ^= 0x40
    path.write_bytes(octets)


@pytest.mark.parametrize(
    ("happen", "says"),
    [
        (_emptied, "is empty"),
        (_text, "is no SQLite database"),
        (_foreign, "belongs to another program"),
        (_newer, "newer release"),
        (_cut, "is damaged"),
        (_scribbled, "is damaged"),
        (_header_hit, "is no SQLite database"),
        (_schema_hit, "is damaged"),
    ],
)
async def test_opening_a_foreign_or_damaged_file_as_a_store_fails(
    tmp_path: Path, happen: Callable[[Path], None], says: str
) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        for n in range(40):
            await buffer.append_sections([section(numerics(200, first=float(n)))])
    happen(path)
    assert says in (await refusal(path)).happened


async def test_store_of_another_gateway_or_key_is_rejected(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    create_store(other, gateway="gw-other", key=KEY, now_us=0)
    assert "belongs to gateway gw-other" in (await refusal(other)).happened
    sealed = tmp_path / "sealed.db"
    create_store(sealed, gateway=GATEWAY, key=OTHER_KEY, now_us=0)
    diagnosis = await refusal(sealed)
    assert "another key" in diagnosis.happened
    assert OTHER_KEY.hex() not in str(diagnosis)


@contextmanager
def acting_as(user: int) -> Iterator[None]:
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.finding("reliability-A1")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
async def test_error_for_a_store_file_of_another_user_names_both_users() -> None:
    """A command that ran as root has left a file that belongs to root."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, UNPRIVILEGED, -1)
        path = new_store(Path(folder))
        with acting_as(UNPRIVILEGED), pytest.raises(BufferUnusable) as caught:
            async with opened(path):
                pass
    diagnosis = caught.value.diagnosis
    assert "it belongs to the user root, and this process runs as nobody" in diagnosis.happened
    assert "chown" in diagnosis.to_do
    assert "disk" not in f"{diagnosis.happened} {diagnosis.to_do}".replace(str(path), "")


async def test_second_gateway_process_on_the_same_store_is_rejected(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        child = (
            "import asyncio, sys; from pathlib import Path\n"
            "from tests.builders.buffer_store import opened\n"
            "async def main():\n"
            "    async with opened(Path(sys.argv[1])): pass\n"
            "asyncio.run(main())\n"
        )
        second = await asyncio.create_subprocess_exec(sys.executable, "-c", child, str(path), stderr=subprocess.PIPE)
        _, said = await second.communicate()
        assert b"Another process has the store" in said
        await buffer.append_sections([section(numerics(1))])
    async with opened(path) as buffer:
        assert buffer.marks()[Lane.NUMERIC].last == 1


async def test_store_is_readable_while_the_gateway_has_it_open_for_writing(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(3))])
        beside = StoreReader(path, gateway=GATEWAY, key=KEY)
        try:
            batches, damaged = beside.next_batches(Lane.NUMERIC, after=0, last=1, limit_batches=9, limit_bytes=9999)
        finally:
            beside.close()
        await buffer.append_sections([section(numerics(3))])
    assert damaged is None
    assert [batch.count for batch in batches] == [3]


async def test_write_ahead_log_of_the_gateway_stays_in_place_when_a_reader_process_exits(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    log = path.with_name(path.name + "-wal")
    reads = (
        "import sys; from pathlib import Path; from gateway.buffer.store_reader import StoreReader\n"
        "from tests.builders.buffer_store import GATEWAY, KEY; from protocols.uplink.lanes import Lane\n"
        "outbox = StoreReader(Path(sys.argv[1]), gateway=GATEWAY, key=KEY)\n"
        "print(len(outbox.blocks(Lane.NUMERIC, after=0, since_us=None, limit=99))); outbox.close()\n"
    )
    async with opened(path) as buffer:
        for n in range(1, 4):
            await buffer.append_sections([section(numerics(1))])
            inode = log.stat().st_ino
            beside = await asyncio.create_subprocess_exec(
                sys.executable, "-c", reads, str(path), stdout=subprocess.PIPE
            )
            said, _ = await beside.communicate()
            assert int(said) == n
            assert log.stat().st_ino == inode, "the log is the writer's and stays"


async def test_store_file_of_each_earlier_version_opens_with_all_its_content(tmp_path: Path) -> None:
    for form in range(1, VERSION + 1):
        path = Path(shutil.copy(DATABASES / f"buffer_v{form}.db", tmp_path))
        async with opened(path) as buffer:
            marks = buffer.marks()
            assert (marks[Lane.NUMERIC].last, marks[Lane.NUMERIC].acked, marks[Lane.EVENT].last) == (10, 2, 1)
            assert marks[Lane.NUMERIC].backlog_observations == 16
            values = [record.value async for record in buffer.records(lane=Lane.NUMERIC, limit=100)]
            assert values == [10.0 * n + k for n in range(10) for k in range(2)]
            batches = await whole_lane(buffer, Lane.NUMERIC)
            assert type(verdict(batches, buffer.epoch, Lane.NUMERIC)).__name__ == "Intact"
            assert [device.model for device in await buffer.devices()] == ["Invented Oximeter"]
            assert await buffer.state_get("wall_us") == "1700000000000000"


def schema_of(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return [(name, sql) for name, sql in rows if not name.startswith("sqlite_")]


def test_migrations_from_version_1_produce_the_declared_schema(tmp_path: Path) -> None:
    declared = sqlite3.connect(":memory:")
    declared.executescript(SCHEMA)
    migrated = sqlite3.connect(shutil.copy(DATABASES / "buffer_v1.db", tmp_path), isolation_level=None)
    migrate(migrated)
    assert schema_of(migrated) == schema_of(declared)
    assert migrated.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_failed_migration_leaves_the_schema_and_version_unchanged(tmp_path: Path) -> None:
    connection = sqlite3.connect(shutil.copy(DATABASES / "buffer_v1.db", tmp_path), isolation_level=None)
    before = schema_of(connection)

    def adds(database: object) -> None:
        connection.execute("ALTER TABLE devices ADD COLUMN serial_number TEXT")

    def fails(database: object) -> None:
        connection.execute("DROP TABLE devices")
        raise RuntimeError("power went")

    with pytest.raises(RuntimeError):
        migrate(connection, [fails])
    assert (schema_of(connection), connection.execute("PRAGMA user_version").fetchone()) == (before, (1,))
    migrate(connection, [adds])
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    with pytest.raises(RuntimeError):
        migrate(connection, [adds, fails])
    assert connection.execute("SELECT system_id, serial_number FROM devices").fetchall() == [("00000000000000aa", None)]
