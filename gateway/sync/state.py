"""State of the uplink, as the status, `doctor` and the crew page show it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.sync.lane_window import LaneWindow
from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneProgress:
    """Progress of one lane. `agreed`: the cloud has acknowledged the lane on this connection. `through`: the cloud
    holds all batches up to this sequence number."""

    agreed: bool
    contested: bool
    through: int
    last: int
    under_way_batches: int
    backlog: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkState:
    """The state of the uplink. `since_us` is the wall-clock time at which `connected` last changed. `sent_batches` and
    `sent_bytes` (of their envelopes) count repeated sendings too."""

    connected: bool
    contested: bool
    since_us: int
    last_error: str | None
    attempts: int
    sent_batches: int
    sent_bytes: int
    under_way_bytes: int
    window_bytes: int
    lanes: Mapping[Lane, LaneProgress]


def lanes_progress(windows: Mapping[Lane, LaneWindow], *, connected: bool) -> dict[Lane, LaneProgress]:
    """Return the progress of each lane. `agreed` is false for all lanes while not connected."""
    return {
        lane: LaneProgress(
            agreed=window.agreed and connected,
            contested=window.contested,
            through=window.through,
            last=window.last,
            under_way_batches=window.under_way_batches,
            backlog=window.has_backlog,
        )
        for lane, window in windows.items()
    }
