"""A wire capture through the manager: exactly what was measured, whether the configuration was known or had to be
explained."""

import pytest

from gateway.cli.replay import Replay
from gateway.transports.capture import read_capture
from tests.harness.captures import WITH_TRUTH, capture_path, readings_of, truth_of


@pytest.mark.parametrize("known", [True, False], ids=["known", "explained"])
@pytest.mark.parametrize("name", WITH_TRUTH)
def test_a_replayed_capture_gives_exactly_what_was_measured(name, known):
    rows = list(Replay(read_capture(capture_path(name)), known).observations())
    assert readings_of(rows) == truth_of(name)


@pytest.mark.parametrize("name", WITH_TRUTH[:1])
def test_a_replay_has_no_gateway_and_counts_reports_as_sequences(name):
    rows = list(Replay(read_capture(capture_path(name))).observations())
    assert {(row["gateway"], row["epoch"], row["encounter_id"], row["uncertainty_ms"]) for row in rows} == {
        ("", "", None, None)
    }
    assert [(row["sequence"], row["index"]) for row in rows[:4]] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert rows[0]["observed_at"] == "2024-05-06T07:08:09.500000Z"
    assert rows[0]["received_at"].startswith("1970-01-01T00:00:00.")


def test_samples_come_raw_with_their_scale():
    rows = list(Replay(read_capture(capture_path("synth_ecg_rtsa"))).observations())
    waves = [row for row in rows if row["lane"] == "waveform"]
    assert [len(row["samples"]) for row in waves] == [100] * 4
    assert waves[0]["samples"][:4] == [0, 37, 74, 111]
    assert waves[0]["sample_period_s"] == 0.004
    assert (waves[0]["slope"] * 0xFFF) + waves[0]["offset"] == pytest.approx(5.0)
