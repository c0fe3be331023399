"""An operator shows and sets retention periods at the console, and places and releases legal holds."""

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


def test_retention_commands_refuse_wrong_options_with_an_explanation(console: Console):
    refused = {
        ("set", "--kind", "waveform", "--days", "30"): "Did you mean waveforms?",
        ("set", "--kind", "spans", "--days", "0"): "spans: 1 to 36525 days",
        ("set", "--kind", "spans", "--days", "5", "--forever"): "give either --days or --forever",
        ("set", "--kind", "spans"): "give either --days or --forever",
        ("hold", *CASE): "exactly one scope",
        ("hold", *CASE, "--all", "--gateway", "gw_1"): "exactly one scope",
        ("hold", *CASE, "--gateway", "none_1"): "There is no gateway",
        ("hold", *CASE, "--device", "none_1"): "There is no device",
        ("hold", *CASE, "--encounter", "none_1"): "There is no encounter",
        ("hold", *CASE, "--incident", "none_1"): "There is no incident",
    }
    for words, error in refused.items():
        code, _, err = console.run("retention", words[0], *TENANT, *words[1:])
        assert code != 0, words
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
