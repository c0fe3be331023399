"""Phase of the second at which the gateways are requested to cut their batches of numerics and waveforms.

Batches that arrive together share a commit and an object. Each commit writes the last pages of tables, indexes and log
again, so with few vehicles the cloud writes much less when all of them send at once. With many vehicles, groups are
full without a request, and one burst a second would wait for the one processor that decodes it. So a phase is requested
only while the batches of a second fit into one group.

Each process measures the load of the gateways that it serves. Before the first measurement no phase is requested.
"""

from cloud.vehicles.ingest.live_queue import BATCHES_FULL

WINDOW_S = 5.0
"""Time over which the rate of batches is measured: some batches of each vehicle, and short enough that a restarted
process requests the phase soon."""

PHASE_MS = 0
"""The requested phase: the whole second."""

AGAIN_PART = 0.75
"""Part of the largest rate below which the phase is requested again. The difference keeps a fleet at the limit from
changing the times of its batches in each window."""


class CutPhase:
    """The request of one process. `requested_ms`: the phase in ms after the whole second of UTC; None: no request."""

    def __init__(self) -> None:
        self.requested_ms: int | None = None
        self._batches = 0
        self._since_s: float | None = None

    def add(self, batches: int, now_s: float) -> None:
        """Count batches of numerics and waveforms that arrived. `now_s` is the time of the event loop."""
        if self._since_s is None:
            self._since_s = now_s
        self._batches += batches
        elapsed_s = now_s - self._since_s
        if elapsed_s >= WINDOW_S:
            part = AGAIN_PART if self.requested_ms is None else 1.0
            fits = self._batches / elapsed_s <= part * BATCHES_FULL
            self.requested_ms = PHASE_MS if fits else None
            self._since_s, self._batches = now_s, 0
