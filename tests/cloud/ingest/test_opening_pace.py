"""Numerics and waveforms that arrive one after another are opened together."""

from cloud.vehicles.ingest.opening_pace import OPENING_EVERY_S, OpeningPace


def test_live_batches_after_a_pause_are_opened_at_once_and_the_next_ones_wait_for_others() -> None:
    pace = OpeningPace()
    assert pace.wait_s(1, now_s=0.0) == 0.0
    pace.begin(0.0)
    assert pace.wait_s(1, now_s=0.0) == OPENING_EVERY_S
    assert pace.wait_s(1, now_s=OPENING_EVERY_S) == 0.0
    assert pace.wait_s(1, now_s=60.0) == 0.0


def test_opening_waits_for_others_with_fewer_than_sixteen_batches() -> None:
    """Sixteen of the backlog of one vehicle are opened at once. The live batches of some vehicles wait."""
    pace = OpeningPace()
    pace.begin(0.0)
    assert pace.wait_s(15, now_s=0.0) == OPENING_EVERY_S
    assert pace.wait_s(16, now_s=0.0) == 0.0
