"""A PostgreSQL database of an installation after some busy weeks: every table that grows has many rows, and the planner
has statistics. The rows are made by the server from the declared columns, so a new table needs no code here.
"""

from collections.abc import Set

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, LargeBinary, Table

from cloud.foundation.db import metadata
from cloud.slices import load_tables

ROWS = 10_000
PARENTS = 1_000
"""Different values of a column that refers to a row of another table, such as gateways or lanes."""
TENANTS = 20
_OWNERS = ("tenant_id", "organization_id")
_AT_US = 1_790_000_000_000_000

SMALL = {
    "tenants": "one row for each customer",
    "organizations": "a few rows for each tenant",
    "authorities": "one certificate authority",
    "auth_versions": "one row",
    "signing_keys": "a key for each quarter",
    "webhook_keys": "a key for each quarter",
    "provenance_keys": "a key for each quarter",
    "evidence_trees": "one row for each tenant",
    "withheld_scopes": "a few rows for each tenant",
    "minute_rows_since": "one row",
    "staging_processes": "a row for each ingest process of the last week",
}
"""Tables that stay small, which the planner may read whole, each with the reason. They are left empty."""

_FIXED = {
    "auth_changes.version": "-i",  # the versions from 1 on are those that a test records
    "audit_entries.outcome": "'done'",
    "incidents.status": "'closed'",
    "incidents.open_encounters": "0",
    "devices.status": "'active'",
    "devices.merged_into": "NULL",
    "assignments.until_us": "NULL",
    # Delivered and finished, as nearly all rows are.
    "outbox_events.done_at_us": str(_AT_US),
    "outbox_events.parked_at_us": "NULL",
    "jobs.due_at_us": "NULL",
    "tree_heads.stamp_due_us": "NULL",
    "followed_evidence.due_at_us": "4102444800000000",
    "jobs.lease_until_us": "NULL",
    "job_schedules.due_at_us": "NULL",
    "job_schedules.paused_at_us": "NULL",
    "profiles.kind": "'person'",
    "screening_lists.state": "'replaced'",
    "webhook_deliveries.status": "'succeeded'",
    "webhook_subscriptions.status": "'active'",
}
"""Values of columns that a CHECK limits, or that mark pending work."""


def filling_statements() -> list[str]:
    """Return the statements that fill all tables, in one session of an administrator: foreign keys are not checked."""
    load_tables()
    references = {key.parent.name for table in metadata.sorted_tables for key in table.foreign_keys}
    partitions = [
        f"CREATE TABLE {table.name}_rows PARTITION OF {table.name} DEFAULT"
        for table in metadata.sorted_tables
        if table.dialect_options["postgresql"]["partition_by"]
    ]
    filling = [_filling(table, references) for table in metadata.sorted_tables if table.name not in SMALL]
    numbered = [
        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column.name}'), {ROWS})"
        for table in metadata.sorted_tables
        for column in table.primary_key
        if column is table.autoincrement_column
    ]
    return [
        "SET session_replication_role = replica",
        *partitions,
        *filling,
        *numbered,
        "SET default_statistics_target = 20",
        "ANALYZE",
    ]


def _filling(table: Table, references: Set[str]) -> str:
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(_value(column, references) for column in table.columns)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {values} FROM generate_series(1, {ROWS}) i ON CONFLICT DO NOTHING"  # noqa: S608
    )


def _value(column: Column[object], references: Set[str]) -> str:
    """Return the SQL expression of a column's value in row `i`. References are repeated, unless they are the key."""
    fixed = _FIXED.get(f"{column.table.name}.{column.name}")
    if fixed is not None:
        return fixed
    key = [one.name for one in column.table.primary_key]
    row = column.name in key and all(name in references for name in key) and column.name not in _OWNERS
    different = TENANTS if column.name in _OWNERS else PARENTS
    number = f"(i % {different} + 1)" if column.name in references and not row else "i"
    if isinstance(column.type, Boolean):
        return "false"
    if isinstance(column.type, BigInteger | Integer):
        made = f"{_AT_US} + i * 1000" if column.name.endswith("_us") else number
    elif isinstance(column.type, Float):
        made = "i"
    elif isinstance(column.type, LargeBinary):
        made = f"sha256(({number})::text::bytea)"
    else:
        made = f"'{column.name}_' || {number}"
    return f"CASE WHEN i % 100 > 0 THEN {made} END" if column.nullable else made
