"""Replaying a wire capture gives exactly the measured values, whether the configuration is known or in the capture."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.cli.replay import Replay
from gateway.transports.capture import read_capture
from gateway.transports.recorded_agent import NoConfiguration
from tests.harness.captures import WITH_TRUTH, capture_path, readings_of, truth_of


@pytest.mark.parametrize("known", [True, False], ids=["known", "explained"])
@pytest.mark.parametrize("name", WITH_TRUTH)
def test_replaying_a_capture_returns_exactly_the_measured_values(name, known):
    rows = list(Replay(read_capture(capture_path(name)), known).observations())
    assert readings_of(rows) == truth_of(name)


@pytest.mark.parametrize("name", WITH_TRUTH[:1])
def test_replayed_observation_has_no_gateway_and_has_the_report_number_as_its_sequence(name):
    rows = list(Replay(read_capture(capture_path(name))).observations())
    assert {(row["gateway"], row["epoch"], row["encounter_id"], row["uncertainty_ms"]) for row in rows} == {
        ("", "", None, None)
    }
    assert [(row["sequence"], row["index"]) for row in rows[:4]] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert rows[0]["observed_at"] == "2024-05-06T07:08:09.500000Z"
    assert rows[0]["received_at"].startswith("1970-01-01T00:00:00.")


def test_replayed_waveforms_have_raw_samples_with_slope_and_offset():
    rows = list(Replay(read_capture(capture_path("synth_ecg_rtsa"))).observations())
    waves = [row for row in rows if row["lane"] == "waveform"]
    assert [len(row["samples"]) for row in waves] == [100] * 4
    assert waves[0]["samples"][:4] == [0, 37, 74, 111]
    assert waves[0]["sample_period_s"] == 0.004
    assert (waves[0]["slope"] * 0xFFF) + waves[0]["offset"] == pytest.approx(5.0)


def test_damaged_capture_is_replayed_to_its_end_or_raises_the_no_configuration_error():
    dice = random.Random(20601)
    captures = [read_capture(capture_path(name)) for name in (*WITH_TRUTH, "synth_ecg_rtsa")]
    ended = 0
    for _ in range(400):
        capture = dice.choice(captures)
        records = list(capture.records)
        for _ in range(dice.choice((1, 2, 5))):
            place = dice.randrange(len(records))
            records[place] = replace(records[place], octets=damaged(records[place].octets, dice))
        replay = Replay(replace(capture, records=tuple(records)), dice.random() < 0.5)
        with suppress(NoConfiguration):
            list(replay.observations())
            ended += 1
    assert ended > 350


def damaged(octets: bytes, dice: random.Random) -> bytes:
    """Return the bytes with random damage: one byte changed, the end cut off, bytes inserted, or all replaced."""
    place = dice.randrange(len(octets) + 1)
    return dice.choice(
        (
            octets[:place] + dice.randbytes(1) + octets[place + 1 :],
            octets[:place],
            octets[:place] + dice.randbytes(4) + octets[place:],
            dice.randbytes(40),
        )
    )
