"""Numerics and waveforms that arrive one after another are opened together; nothing else waits for them."""

from cloud.vehicles.ingest.opening_pace import OPENING_ENOUGH, OPENING_EVERY_S, OpeningPace
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import Handover

LIVE = [Handover().delivery(b"", lane=lane) for lane in (Lane.NUMERIC, Lane.WAVEFORM)]
OTHERS = [Handover().delivery(b"", lane=lane) for lane in (Lane.EVENT, Lane.EPCR)]


def test_live_batches_after_a_pause_are_opened_at_once_and_the_next_ones_wait_for_others() -> None:
    pace = OpeningPace()
    assert pace.wait_s(LIVE, now_s=0.0) == 0.0
    pace.begin(0.0)
    assert pace.wait_s(LIVE, now_s=0.0) == OPENING_EVERY_S
    assert pace.wait_s(LIVE, now_s=OPENING_EVERY_S) == 0.0
    assert pace.wait_s(LIVE, now_s=60.0) == 0.0


def test_opening_with_an_event_or_a_care_record_or_with_many_batches_does_not_wait() -> None:
    pace = OpeningPace()
    pace.begin(0.0)
    for other in OTHERS:
        assert pace.wait_s([*LIVE, other], now_s=0.0) == 0.0
    assert pace.wait_s(LIVE * (OPENING_ENOUGH // 2), now_s=0.0) == 0.0
