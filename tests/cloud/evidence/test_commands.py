"""An operator lists, reads and verifies evidence at the console, with the keys of the installation."""

import sqlite3
from pathlib import Path

from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, WHERE, Console, console

__all__ = ["console", "logging_as_before"]


def test_evidence_of_an_encounter_is_listed_shown_and_verified(console: Console, tmp_path: Path) -> None:
    console.json("encounters", "add", *WHERE, "--id", "enc_evidence")
    console.json("provenance-keys", "rotate", "--at-once")
    console.json("encounters", "finish", "enc_evidence", *TENANT)
    (listed,) = console.json("evidence", "list", *TENANT, "--kind", "encounter")
    assert (listed["subject_id"], listed["secrecy_level"]) == ("enc_evidence", "standard")
    assert console.json("evidence", "list", "--tenant", "tnt_2") == []
    shown = console.json("evidence", "show", listed["id"], *TENANT)
    assert [one["operation"] for one in shown["records"]] == ["evidence.create", "evidence.update"]
    assert console.json("evidence", "check", *TENANT) == {
        "evidence": 1,
        "records": 2,
        "files_read": 0,
        "files_not_stored": 0,
        "findings": [],
    }
    code, out, _ = console.run("evidence", "check", *TENANT)
    assert (code, "Evidence checked: 1. Records: 2." in out) == (0, True)
    code, _, err = console.run("evidence", "show", listed["id"], "--tenant", "tnt_2")
    assert (code, "There is no" in err) == (1, True)
    with sqlite3.connect(tmp_path / "cloud.db") as database:
        database.execute("DROP TRIGGER evidence_records_not_updated")
        database.execute("UPDATE evidence_records SET content = '{}' WHERE position = 2")
    database.close()
    code, out, _ = console.run("evidence", "check", *TENANT)
    assert (code, "content_hash_mismatch" in out, shown["records"][1]["id"] in out) == (1, True, True)
