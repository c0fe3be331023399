"""An operator erases an encounter at the console, and sees what was erased."""

from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, WHERE, Console, console

__all__ = ["console", "logging_as_before"]

WHY = ("--reason", "patient_request")


def test_encounter_is_erased_after_a_confirmation_and_listed_with_its_phase(console: Console):
    console.json("encounters", "add", *WHERE, "--id", "enc_1")
    code, _, err = console.run("erasure", "encounter", "enc_1", *TENANT, *WHY, "--yes")
    assert (code, "encounters finish" in err) == (1, True)
    console.json("encounters", "finish", "enc_1", *TENANT, "--as", "completed")
    counted = console.json("erasure", "encounter", "enc_1", *TENANT, *WHY, "--dry-run")
    assert (counted["observations"], counted["changes"]) == (0, 0)
    assert any("backups" in one for one in counted["stays"])
    code, _, err = console.run("erasure", "encounter", "enc_1", *TENANT, *WHY)
    assert (code, "Confirm it with --yes" in err) == (1, True)
    assert console.json("erasure", "list", *TENANT) == []
    begun = console.json("erasure", "encounter", "enc_1", *TENANT, *WHY, "--yes")
    assert (begun["phase"], begun["reason"], begun["finished_at"]) == ("rows", "patient_request", None)
    assert console.json("erasure", "list", *TENANT) == [begun]
    code, _, err = console.run("erasure", "encounter", "enc_1", *TENANT, *WHY, "--yes")
    assert (code, "was erased" in err) == (1, True)
    assert console.json("encounters", "list", *TENANT) == []
    trail = console.json("audit", "list", *TENANT, "--action", "encounter.erase")
    assert trail[0]["metadata"] == {"erasure_id": begun["id"], "reason": "patient_request"}
    code, out, _ = console.run("doctor")
    assert f"{begun['id']} of enc_1 is in its phase rows" in " ".join(out.split())
