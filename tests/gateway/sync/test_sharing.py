"""The order of the flows (the live batches or the backlog of one lane): live before backlog, alarms before waveforms.

Every flow with pending batches gets a minimum share of the bytes.
"""

import random
from collections import Counter

import pytest

from gateway.sync.sharing import MINIMUM_SHARES, OWED_BYTES_MAX, URGENT_ALLOWANCE_BYTES, Flow, Sharing
from protocols.uplink.lanes import Lane

WINDOW = 100_000
LIVE_EVENT, LIVE_NUMERIC, LIVE_WAVEFORM = (Flow(lane, True) for lane in (Lane.EVENT, Lane.NUMERIC, Lane.WAVEFORM))
OLD_EVENT, OLD_NUMERIC, OLD_WAVEFORM = (Flow(lane, False) for lane in (Lane.EVENT, Lane.NUMERIC, Lane.WAVEFORM))


def octets_sent(offers: dict[Flow, int], turns: int = 4000) -> Counter[Flow]:
    """Send `turns` batches over a link without limits, each of the size in `offers` for its flow; return the bytes sent
    for each flow."""
    sharing, sent = Sharing(), Counter[Flow]()
    for _ in range(turns):
        flow = sharing.choose(offers, {}, window_bytes=WINDOW)
        assert flow is not None
        sharing.charge(flow, offers[flow], offers)
        sent[flow] += offers[flow]
    return sent


def test_most_urgent_flow_is_sent_first_when_every_flow_had_its_minimum_share():
    order = list(MINIMUM_SHARES)
    for place, flow in enumerate(order):
        offers = dict.fromkeys(order[place:], 1000)
        assert Sharing().choose(offers, {}, window_bytes=WINDOW) == flow


def test_every_live_flow_is_more_urgent_than_every_backlog_flow():
    order = list(MINIMUM_SHARES)
    assert [flow.live for flow in order] == [True] * 4 + [False] * 4


@pytest.mark.parametrize("seed", range(5))
def test_each_flow_with_pending_batches_gets_its_minimum_share_of_the_bytes(seed: int):
    print("seed", seed)
    chance = random.Random(seed)
    offers = {flow: chance.randint(500, 20_000) for flow in MINIMUM_SHARES if chance.random() < 0.8}
    sent = octets_sent(offers)
    for flow in offers:
        assert sent[flow] / sent.total() >= MINIMUM_SHARES[flow] * 0.95


def test_bytes_above_the_minimum_shares_go_to_the_most_urgent_flow():
    sent = octets_sent({LIVE_NUMERIC: 1000, OLD_WAVEFORM: 1000})
    assert sent[LIVE_NUMERIC] / sent.total() == pytest.approx(1 - MINIMUM_SHARES[OLD_WAVEFORM], abs=0.01)


def test_single_flow_with_pending_batches_gets_all_bytes():
    assert octets_sent({OLD_WAVEFORM: 1000}, turns=10) == {OLD_WAVEFORM: 10_000}


def test_flow_without_pending_batches_accumulates_no_share_for_later():
    sharing = Sharing()
    for _ in range(1000):
        sharing.choose({LIVE_NUMERIC: 1000}, {}, window_bytes=WINDOW)
        sharing.charge(LIVE_NUMERIC, 1000, {LIVE_NUMERIC: 1000})
    both = {LIVE_NUMERIC: 1000, OLD_WAVEFORM: 1000}
    turns = []
    for _ in range(10):
        flow = sharing.choose(both, {}, window_bytes=WINDOW)
        assert flow is not None
        sharing.charge(flow, 1000, both)
        turns.append(flow)
    assert turns == [LIVE_NUMERIC] * 10


def test_backlog_flows_use_at_most_half_of_the_pacing_window():
    under_way = {OLD_NUMERIC: 49_500}
    assert Sharing().choose({OLD_NUMERIC: 1000}, under_way, window_bytes=WINDOW) is None
    assert Sharing().choose({LIVE_NUMERIC: 1000}, under_way, window_bytes=WINDOW) == LIVE_NUMERIC


def test_live_event_up_to_a_byte_limit_is_sent_when_the_pacing_window_is_full():
    under_way = {LIVE_NUMERIC: WINDOW, LIVE_EVENT: 500}
    assert Sharing().choose({LIVE_NUMERIC: 1000}, under_way, window_bytes=WINDOW) is None
    assert Sharing().choose({LIVE_EVENT: 1000}, under_way, window_bytes=WINDOW) == LIVE_EVENT
    too_much = {LIVE_NUMERIC: WINDOW, LIVE_EVENT: URGENT_ALLOWANCE_BYTES}
    assert Sharing().choose({LIVE_EVENT: 1000}, too_much, window_bytes=WINDOW) is None


def test_batch_larger_than_the_pacing_window_is_sent_when_no_batch_is_in_flight():
    assert Sharing().choose({OLD_EVENT: 900_000}, {}, window_bytes=WINDOW) == OLD_EVENT


def test_bytes_in_flight_are_limited_when_all_flows_have_pending_batches():
    sharing, under_way = Sharing(), Counter[Flow]()
    offers = dict.fromkeys(MINIMUM_SHARES, 5000)
    while (flow := sharing.choose(offers, under_way, window_bytes=WINDOW)) is not None:
        sharing.charge(flow, 5000, offers)
        under_way[flow] += 5000
    assert under_way.total() <= WINDOW + URGENT_ALLOWANCE_BYTES


def test_number_of_bytes_owed_to_a_flow_is_limited_when_none_of_its_batches_is_sent():
    sharing = Sharing()
    both = {LIVE_NUMERIC: 1000, OLD_WAVEFORM: 1000}
    for _ in range(10_000):
        sharing.charge(LIVE_NUMERIC, 1000, both)
    assert sharing._owed[OLD_WAVEFORM] == OWED_BYTES_MAX
