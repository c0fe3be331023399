"""Clearing of fetched segments (reference 20601 §7), after a repeated request has shown that they are unchanged.

A device may have measured between the fetch and the clearing, and entries that were not fetched must not be lost.
`pm_stores` decides when to clear, and which segments.
"""

from collections.abc import Callable, Sequence
from functools import partial

from protocols.ieee11073.apdu.actions import ActionType
from protocols.ieee11073.apdu.pm_store import AllSegments, SegmentList, encode_selection
from protocols.ieee11073.association.pm_store_steps import Store, StoreSteps
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.segment_events import SegmentsCleared
from protocols.ieee11073.association.settings import PmStoreSettings
from protocols.ieee11073.dim.segments import Segment
from protocols.ieee11073.tolerances import Oddity


class SegmentClearing:
    """Clearing of segments in one association; `done` is called at the end, also if nothing was cleared."""

    def __init__(
        self, requests: Requests, steps: StoreSteps, settings: PmStoreSettings, done: Callable[[], None]
    ) -> None:
        self._requests = requests
        self._steps = steps
        self._settings = settings
        self._done = done

    def start(self, store: Store, segments: Sequence[Segment]) -> None:
        """Clear one segment, or all segments of a store that cannot clear single ones."""
        numbers = tuple(segment.number for segment in segments)
        selection = encode_selection(SegmentList(numbers) if store.clears_each else AllSegments())
        listed = partial(self._listed, store, tuple(segments), selection)
        self._steps.act(store, ActionType.SEG_GET_INFO, selection, listed, self._settings.to_action_s)

    def _listed(self, store: Store, segments: tuple[Segment, ...], selection: bytes, received: Received) -> None:
        now = {info.seg_inst_no: self._steps.segment(store, info) for info in self._steps.infos(store, received) or ()}
        if len(now) != len(segments) or not all(_is_same(segment, now.get(segment.number)) for segment in segments):
            self._requests.notes.add(Oddity.SEGMENT_CHANGED, segment=segments[0].number)
            self._done()
            return
        numbers = tuple(segment.number for segment in segments if segment.usage_count)
        cleared = partial(self._cleared, store, numbers)
        to_s = store.clear_timeout_s or self._settings.to_clear_s
        self._steps.act(store, ActionType.SEG_CLR, selection, cleared, to_s, ahead=True)

    def _cleared(self, store: Store, numbers: tuple[int, ...], received: Received) -> None:
        if self._steps.result(store, received, "SEG_CLR") is not None:
            self._requests.emit(SegmentsCleared(store.handle, numbers))
        self._done()


def _is_same(fetched: Segment, listed: Segment | None) -> bool:
    """Return whether a segment is unchanged since its fetch. Return False if the device no longer lists the segment, or
    lists it without a usage count."""
    return listed is not None and listed.usage_count is not None and listed.state == fetched.state
