"""A prepared statement is compiled once per database, and its values are bound by name in any order."""

import pytest
from sqlalchemy import bindparam, select, update

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import Prepared, compiled

RENAME = update(tenants).where(tenants.c.id == bindparam("which"), tenants.c.created_at_us > 5).values(name="new")


def test_compiled_statement_has_the_placeholders_of_its_database() -> None:
    assert compiled(RENAME, "sqlite").text.count("?") == 3
    assert "$3" in compiled(RENAME, "postgresql").text


def test_prepared_statement_requires_no_argument_for_a_value_fixed_in_its_text() -> None:
    for dialect in ("sqlite", "postgresql"):
        ready = compiled(RENAME, dialect)
        assert ready.arguments({"which": "tnt_1"}) == ("new", "tnt_1", 5)
        with pytest.raises(KeyError):
            ready.arguments({})


def test_prepared_statement_is_compiled_once_per_database() -> None:
    prepared = Prepared(RENAME)
    assert prepared.on("sqlite") is prepared.on("sqlite")


def test_statement_with_an_in_list_cannot_be_prepared() -> None:
    with pytest.raises(ValueError, match="IN list"):
        compiled(select(tenants.c.id).where(tenants.c.id.in_(["a", "b"])), "sqlite")
