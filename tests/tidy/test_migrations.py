"""Issue «Storage and ingest for a thousand vehicles», item 7: a migration blocks no large table, and after it the
program of the release before can still use the database.
"""

import ast
from pathlib import Path

import pytest

from cloud.foundation.db import RELEASE_BEFORE, metadata
from cloud.foundation.db.revisions import MIGRATIONS
from cloud.slices import load_tables
from tests.builders.cloud_large import SMALL
from tests.tidy.migration_statements import blocking_statements

FLEET = {
    "app_secrets",
    "apps",
    "background_steps",
    "consents",
    "crew_members",
    "devices",
    "gateway_certificates",
    "gateway_former_keys",
    "gateway_quotas",
    "gateways",
    "recovery_codes",
    "retention_holds",
    "retention_periods",
    "silent_devices",
    "silent_gateways",
    "users",
    "vehicles",
    "webhook_subscriptions",
}
"""Tables with a row for each vehicle, device, person or app: thousands in a region, so a statement on all rows takes a
fraction of a second. With the tables in `SMALL` they are the ones that a migration may change; all others are large."""

EARLIER = {
    "m0001_tenancy_fleet_devices_assignments_events.py": {
        "create_index of a table that is not a constant": "the tables are created in the same migration",
    },
    "m0005_posted_observations_encounters_crew.py": {
        "create_index encounters": "a partial unique index, which must exist before the first encounter is posted",
    },
    "m0006_webhooks.py": {
        "create_index of a table that is not a constant": "the tables are created in the same migration",
    },
    "m0009_incidents_silences.py": {
        "execute of a text that is not a constant": "reads encounters, devices and gateways of the first versions",
    },
    "m0012_finished_only_indexes.py": {
        "drop_index of a table that is not a constant": "two indexes of finished rows, which are kept for a month",
    },
}
"""Findings in the migrations up to 0020, with the reason for which they stay: databases of the release before have them
already. The indexes of these migrations are built in a background step where a table is large.

A later migration has no entry here, with one exception: it contracts what a release removed from the program one
release earlier. Its reason names that release."""

_FILES = sorted((MIGRATIONS / "versions").glob("m[0-9]*.py"))


def large_tables() -> set[str]:
    load_tables()
    return set(metadata.tables) - FLEET - set(SMALL)


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_migration_has_no_statement_that_blocks_a_large_table(file: Path) -> None:
    assert set(blocking_statements(file.read_text(), large_tables())) == EARLIER.get(file.name, {}).keys()


def test_each_migration_follows_the_one_before_in_the_order_of_file_names() -> None:
    before = "None"
    for file in _FILES:
        assigned = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Assign)]
        values = {ast.unparse(node.targets[0]): ast.unparse(node.value).strip("'") for node in assigned}
        assert (values["revision"], values["down_revision"]) == (file.name[1:5], before), file.name
        before = values["revision"]


def test_tables_that_grow_with_time_are_large() -> None:
    assert {"observations", "batches", "audit_entries", "outbox_events", "webhook_deliveries"} <= large_tables()
    assert (FLEET | SMALL.keys()) - set(metadata.tables) == set()


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.name)
def test_new_migration_declares_that_the_program_of_the_release_before_can_use_the_database(file: Path) -> None:
    values = {
        target.id: ast.literal_eval(node.value)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in ("revision", "compatible_from")
    }
    if values["revision"] > RELEASE_BEFORE:
        assert values.get("compatible_from", values["revision"]) <= RELEASE_BEFORE


MIGRATION = """
import sqlalchemy as sa
from alembic import op

_FILL = "UPDATE batches SET kind = 'x'"


def upgrade() -> None:
    op.create_table("made", sa.Column("id", sa.Text(), primary_key=True))
    op.create_index(None, "made", ["id"])
    op.create_index(None, "users", ["id"])
    {statement}
"""


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ('op.create_index(None, "batches", ["kind"])', "create_index batches"),
        ('op.drop_index("ix_batches", table_name="batches")', "drop_index batches"),
        ('op.create_unique_constraint("uq", "batches", ["kind"])', "create_unique_constraint batches"),
        ('op.alter_column("batches", "kind", nullable=False)', "alter_column batches"),
        ('with op.batch_alter_table("batches") as batch: pass', "batch_alter_table batches"),
        ('op.drop_column("users", "email")', "drop_column users"),
        ('op.rename_table("users", "people")', "rename_table users"),
        ('op.drop_table("users")', "drop_table users"),
        ("op.drop_index(name, table)", "drop_index of a table that is not a constant"),
        ("op.execute(_FILL)", "execute UPDATE with batches"),
        ('op.execute(sa.text("DELETE FROM batches"))', "execute DELETE with batches"),
        ('op.execute("INSERT INTO made SELECT kind FROM batches")', "execute INSERT with batches"),
        ('op.execute("ALTER TABLE batches SET (fillfactor = 70)")', "execute ALTER with batches"),
        ('op.execute("ALTER TABLE batches SET (autovacuum_enabled = 1), DROP a")', "execute ALTER with batches"),
        ('op.execute(f"UPDATE {table}")', "execute of a text that is not a constant"),
        (
            'op.add_column("batches", sa.Column("a", sa.Text(), nullable=False))',
            "add_column batches: NOT NULL without a default",
        ),
        (
            'op.add_column("batches", sa.Column("a", sa.Text(), server_default=sa.text("gen_random_uuid()")))',
            "add_column batches: a default that is computed for each row",
        ),
        (
            'op.add_column("batches", sa.Column("a", sa.Text(), sa.ForeignKey("users.id")))',
            "add_column batches: a constraint that is checked on all rows",
        ),
    ],
)
def test_statement_that_blocks_a_large_table_or_breaks_the_release_before_is_found(
    statement: str, finding: str
) -> None:
    assert blocking_statements(MIGRATION.format(statement=statement), {"batches"}) == [finding]


@pytest.mark.parametrize(
    "statement",
    [
        'op.add_column("batches", sa.Column("a", sa.Text()))',
        'op.add_column("batches", sa.Column("a", sa.Boolean(), nullable=False, server_default=sa.false()))',
        'op.add_column("batches", sa.Column("a", sa.Integer(), nullable=False, server_default=sa.text("0")))',
        'op.execute("UPDATE users SET name = upper(name)")',
        'op.execute("CREATE TRIGGER kept BEFORE DELETE ON batches BEGIN SELECT 1; END")',
        'op.execute("CREATE FUNCTION keep() RETURNS trigger AS $$ BEGIN SELECT 1 FROM batches; END $$")',
        'op.execute("ALTER TABLE batches SET (autovacuum_analyze_threshold = 1000)")',
        "pass",
    ],
)
def test_statement_that_expands_the_schema_is_allowed(statement: str) -> None:
    assert blocking_statements(MIGRATION.format(statement=statement), {"batches"}) == []
