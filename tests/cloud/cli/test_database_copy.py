"""`argus-cloud copy-database`: an installation moves from SQLite to PostgreSQL, and nothing is lost on the way."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.db import metadata
from cloud.foundation.master_key import MasterKey
from cloud.slices import load_tables
from tests.builders.cloud_settings import HOSTS, settings_file
from tests.cloud.cli.test_console import Console, add_vehicle
from tests.harness.large_store import fill
from tests.harness.postgresql import PostgresqlCluster

pytestmark = pytest.mark.pg

OBSERVATIONS = 30
MINUTES = (
    "INSERT INTO observation_minutes ({}) VALUES ({})",
    {"TEXT": "x", "BLOB": b"x", "BIGINT": 1, "INTEGER": 1, "SMALLINT": 1, "BOOLEAN": 1, "DOUBLE": 1.0, "FLOAT": 1.0},
)


class Move:
    """One box with SQLite, and the settings of a new installation with PostgreSQL that has its key and its objects."""

    def __init__(self, folder: Path, url: str) -> None:
        old, new = folder / "old", folder / "new"
        old.mkdir()
        new.mkdir()
        self.file = old / "cloud.db"
        self.old_url, self.new_url = f"sqlite:///{self.file}", url
        secrets = f'[secrets]\nmaster_key_file = "{folder / "master.key"}"\n'
        more = f'objects_dir = "{folder / "objects"}"\n{HOSTS}\n{secrets}'
        self.new_settings = settings_file(new, database_url=self.new_url, more=more)
        self.here = Console(settings_file(old, database_url=self.old_url, more=more))
        self.there = Console(self.new_settings)
        self.here.json("init")

    def copy(self) -> dict[str, int]:
        tables: dict[str, int] = self.here.json("copy-database", str(self.new_settings))["tables"]
        return tables

    def refused(self) -> str:
        return self.here.refused("copy-database", str(self.new_settings))

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as file:
            file.execute(statement, values)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of all tables of the SQLite file, in the order of their keys."""
        load_tables()
        with closing(sqlite3.connect(self.file)) as file:
            return {table.name: file.execute(_selected(table)).fetchall() for table in metadata.sorted_tables}


def _selected(table: Any) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    keys = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    return f"SELECT {columns} FROM {table.name} ORDER BY {keys}"  # noqa: S608


@pytest.fixture
def move(tmp_path: Path, postgresql: PostgresqlCluster) -> Any:
    with postgresql.database() as url:
        yield Move(tmp_path, url)


def test_copied_installation_has_every_row_and_takes_further_batches(move: Move, postgresql: PostgresqlCluster) -> None:
    add_vehicle(move.here)
    asyncio.run(fill(move.old_url, OBSERVATIONS, "epoch-a"))
    move.here.json("encounters", "add", "--tenant", "tnt_1", "--organization", "org_1")
    before = move.rows()
    copied = move.copy()
    assert copied == {name: len(rows) for name, rows in before.items()}
    assert copied["observations"] == OBSERVATIONS
    name = move.new_url.partition("?")[0].rpartition("/")[2]
    for table in metadata.sorted_tables:
        there = [tuple(row) for row in postgresql.administer(_selected(table), database=name)]
        assert there == before[table.name], table.name
    asyncio.run(fill(move.new_url, OBSERVATIONS, "epoch-b"))
    lanes = move.there.json("custody", "check", "--rows")["lanes"]
    assert [(lane["epoch"], lane["observations"], lane["intact"]) for lane in lanes] == [
        ("epoch-a", OBSERVATIONS, True),
        ("epoch-b", OBSERVATIONS, True),
    ]
    counts = {"evidence": 1, "records": 1, "files_read": 0, "files_not_stored": 0}
    assert move.there.json("evidence", "check", "--tenant", "tnt_1") == {**counts, "findings": []}
    move.there.json("tenants", "add", "--name", "South")


def test_rows_that_refer_to_their_own_table_and_rows_of_days_are_copied(move: Move) -> None:
    add_vehicle(move.here)
    where = ("--tenant", "tnt_1", "--organization", "org_1", "--vehicle", "veh_1")
    for number in ("SN-1", "SN-2"):
        what = ("--serial-number", number, "--class", "oximeter", "--manufacturer", "Synthetic Medical")
        move.here.json("devices", "enrol", *where, *what)
    move.change(
        "UPDATE devices SET status = 'merged', merged_into = (SELECT max(id) FROM devices)"
        " WHERE id < (SELECT max(id) FROM devices)"
    )
    load_tables()
    table = metadata.tables["observation_minutes"]
    for day in (19_000, 20_500):
        row = {column.name: MINUTES[1][str(column.type).partition("(")[0]] for column in table.columns} | {"day": day}
        columns = ", ".join(f'"{name}"' for name in row)
        move.change(MINUTES[0].format(columns, ", ".join("?" * len(row))), *row.values())
    copied = move.copy()
    assert (copied["devices"], copied["observation_minutes"]) == (2, 2)


def test_copy_creates_the_tables_of_an_empty_database(tmp_path: Path, postgresql: PostgresqlCluster) -> None:
    with postgresql.database(template="template0") as url:
        move = Move(tmp_path, url)
        add_vehicle(move.here)
        move.copy()
        assert [one["id"] for one in move.there.json("vehicles", "list", "--tenant", "tnt_1")] == ["veh_1"]


def test_database_that_a_program_has_open_is_not_copied(move: Move) -> None:
    with closing(sqlite3.connect(move.file)) as service:
        service.execute("SELECT count(*) FROM tenants").fetchone()
        assert "Stop the service" in move.refused()
    assert move.here.json("tenants", "list") == []
    move.copy()


def test_copied_sqlite_database_is_not_used_again(move: Move) -> None:
    move.copy()
    for words in (("tenants", "list"), ("migrate",), ("init",), ("copy-database", str(move.new_settings))):
        assert "was copied to PostgreSQL" in move.here.refused(*words), words


def test_database_with_rows_is_not_the_target_of_a_copy(move: Move) -> None:
    move.there.json("tenants", "add", "--name", "South")
    assert "rows in tenants" in move.refused()
    assert move.here.json("tenants", "list") == []
    assert [tenant["name"] for tenant in move.there.json("tenants", "list")] == ["South"]


def test_value_that_postgresql_refuses_is_named_by_its_table_and_nothing_is_copied(move: Move) -> None:
    add_vehicle(move.here)
    move.change("UPDATE vehicles SET name = 'a' || char(0)")
    refusal = move.refused()
    assert "Table vehicles" in refusal
    move.change("UPDATE vehicles SET name = 'RTW 1'")
    assert move.copy()["vehicles"] == 1


@pytest.mark.parametrize(
    ("present", "wanted", "named"),
    [
        ("master.key", "other.key", "another master key"),
        ("/objects", "/elsewhere", "another object store"),
        ("postgresql:", "sqlite:", "no PostgreSQL database"),
    ],
)
def test_new_settings_that_do_not_fit_are_refused_before_anything_is_copied(
    move: Move, tmp_path: Path, present: str, wanted: str, named: str
) -> None:
    MasterKey.create(tmp_path / "other.key")
    settings = move.new_settings.read_text()
    assert present in settings
    move.new_settings.write_text(settings.replace(present, wanted))
    assert named in move.refused()
    assert move.here.json("tenants", "list") == []
