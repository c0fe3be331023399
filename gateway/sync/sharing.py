"""Chooses the flow that sends next: live before backlog, urgent lanes before others, and a minimum share for each flow.

A flow is the live batches or the backlog of one lane. By urgency alone, the first flow with a batch would always be
chosen. So each flow is also owed a share of all bytes that are sent while it has a batch queued. A flow that is owed a
whole batch is chosen before the order of urgency applies. Unused shares are not saved up.

Backlog may fill half of the window of `pacing` and waveforms three quarters, so that there is room for an alarm. Live
events and ePCR may exceed the window by a small allowance, so that they never wait for it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from protocols.uplink.lanes import Lane


class Flow(NamedTuple):
    """The live batches of a lane, or its backlog."""

    lane: Lane
    live: bool


MINIMUM_SHARES: Mapping[Flow, float] = {
    Flow(Lane.EVENT, True): 0.15,
    Flow(Lane.EPCR, True): 0.15,
    Flow(Lane.NUMERIC, True): 0.15,
    Flow(Lane.WAVEFORM, True): 0.10,
    Flow(Lane.EVENT, False): 0.10,
    Flow(Lane.EPCR, False): 0.10,
    Flow(Lane.NUMERIC, False): 0.10,
    Flow(Lane.WAVEFORM, False): 0.05,
}
"""Share of each flow, in the order of urgency, by which the unowed rest is distributed. Their sum is below 1."""

BACKLOG_PART = 0.5
WAVEFORM_PART = 0.75
URGENT_ALLOWANCE_BYTES = 64 * 1024
OWED_BYTES_MAX = 256 * 1024
URGENT = (Lane.EVENT, Lane.EPCR)
"""Lanes of single batches, of which an alarm may be one: none of them waits for others."""


class Sharing:
    """Keeps the number of bytes that each flow (live batches or backlog of one lane) is owed while it has a batch
    queued."""

    def __init__(self, shares: Mapping[Flow, float] = MINIMUM_SHARES) -> None:
        assert sum(shares.values()) <= 1.0
        self._shares = shares
        self._owed = dict.fromkeys(shares, 0.0)

    def forget(self) -> None:
        """Owe no flow anything, since none has a batch queued."""
        if any(self._owed.values()):
            self._owed = dict.fromkeys(self._shares, 0.0)

    def choose(self, offers: Mapping[Flow, int], under_way: Mapping[Flow, int], *, window_bytes: int) -> Flow | None:
        """Return the flow whose next batch is sent now, or None where too many bytes are in flight. `offers`: size of
        the next batch of each flow that has one. `under_way`: bytes in flight of each flow."""
        for flow in self._owed:
            if flow not in offers:
                self._owed[flow] = 0.0
        admitted = [
            flow for flow in self._shares if flow in offers and _fits(flow, offers[flow], under_way, window_bytes)
        ]
        owed_a_batch = [flow for flow in admitted if self._owed[flow] >= offers[flow]]
        if owed_a_batch:
            return max(owed_a_batch, key=lambda flow: self._owed[flow] / self._shares[flow])
        return admitted[0] if admitted else None

    def charge(self, chosen: Flow, octets: int, offers: Mapping[Flow, int]) -> None:
        """Record that `chosen` sent a batch of `octets` bytes while the flows in `offers` had a batch queued."""
        for flow, offered in offers.items():
            # A flow that the window holds back is owed a moment of the link at most, not an hour.
            owed = self._owed[flow] + octets * self._shares[flow]
            self._owed[flow] = min(owed, max(OWED_BYTES_MAX, offered))
        self._owed[chosen] = max(0.0, self._owed[chosen] - octets)


def _fits(flow: Flow, octets: int, under_way: Mapping[Flow, int], window_bytes: int) -> bool:
    """Return whether `flow` may have `octets` more bytes in flight. With nothing in flight, one batch always fits."""
    if not under_way.get(flow, 0):
        return True
    total = sum(under_way.values()) + octets
    if flow.lane in URGENT and flow.live:
        return total <= window_bytes + URGENT_ALLOWANCE_BYTES
    ceiling = window_bytes * (WAVEFORM_PART if flow.lane is Lane.WAVEFORM else 1.0)
    if not flow.live:
        backlog = sum(under_way.get(each, 0) for each in under_way if not each.live) + octets
        return backlog <= window_bytes * BACKLOG_PART and total <= ceiling
    return total <= ceiling
