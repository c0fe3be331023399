"""An operator shows and sets retention periods at the console, and places and releases legal holds."""

import pytest

from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.tokens.test_commands import TENANT, WHERE, Console, console

__all__ = ["console", "logging_as_before"]

CASE = ("--reason", "case 4711")


def test_retention_show_lists_every_kind_with_its_period(console: Console):
    shown = console.json("retention", "show", *TENANT)
    assert {one["kind"]: one["days"] for one in shown["periods"]}["waveforms"] == 90
    assert shown["holds"] == []
    code, out, _ = console.run("retention", "show", *TENANT)
    assert code == 0
    assert "90 days (default)" in out


def test_retention_set_prints_both_periods_and_needs_confirmation_for_a_shorter_one(console: Console):
    longer = console.json("retention", "set", *TENANT, "--kind", "waveforms", "--days", "120")
    assert (longer["before_days"], longer["after_days"]) == (90, 120)
    code, out, err = console.run("retention", "set", *TENANT, "--kind", "waveforms", "--days", "30")
    assert (code, out) == (1, "")
    assert "30 days instead of 120 days deletes 0 stored rows" in err
    assert "Confirm it with --yes" in err
    shorter = console.json("retention", "set", *TENANT, "--kind", "waveforms", "--days", "30", "--yes")
    assert shorter["after_days"] == 30
    assert console.json("retention", "set", *TENANT, "--kind", "waveforms", "--forever")["after_days"] is None
    trail = console.json("audit", "list", *TENANT, "--action", "retention.set")
    assert [one["metadata"]["after_days"] for one in trail] == [None, 30, 120]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--kind", "waveform", "--days", "30"), "Did you mean waveforms?"),
        (("--kind", "spans", "--days", "0"), "spans: 1 to 36525 days"),
        (("--kind", "spans", "--days", "5", "--forever"), "give either --days or --forever"),
        (("--kind", "spans"), "give either --days or --forever"),
    ],
)
def test_retention_set_refuses_wrong_options_with_an_explanation(console: Console, words: tuple[str, ...], error: str):
    code, _, err = console.run("retention", "set", *TENANT, *words)
    assert code != 0
    assert error in err


def test_legal_hold_is_placed_listed_and_released(console: Console):
    console.json("encounters", "add", *WHERE, "--id", "enc_1")
    placed = console.json("retention", "hold", *TENANT, "--encounter", "enc_1", *CASE)
    assert (placed["scope"], placed["object_id"]) == ("encounter", "enc_1")
    console.json("retention", "hold", *TENANT, "--all", *CASE)
    holds = console.json("retention", "show", *TENANT)["holds"]
    assert [(one["scope"], one["reason"]) for one in holds] == [("encounter", "case 4711"), ("tenant", "case 4711")]
    assert console.json("retention", "show", *TENANT)["periods"][1]["is_held"] is True
    console.json("retention", "release", placed["id"], *TENANT)
    code, _, err = console.run("retention", "release", placed["id"], *TENANT)
    assert code == 1
    assert "already released" in err
    trail = [one["action"] for one in console.json("audit", "list", *TENANT)]
    assert trail[:3] == ["retention.release", "retention.hold", "retention.hold"]


def test_legal_hold_needs_one_scope_that_exists(console: Console):
    code, _, err = console.run("retention", "hold", *TENANT, *CASE)
    assert code == 1
    assert "exactly one scope" in err
    code, _, err = console.run("retention", "hold", *TENANT, *CASE, "--all", "--gateway", "gw_1")
    assert code == 1
    for option in ("--gateway", "--device", "--encounter", "--incident"):
        code, _, err = console.run("retention", "hold", *TENANT, *CASE, option, "none_1")
        assert code == 1
        assert "There is no" in err
