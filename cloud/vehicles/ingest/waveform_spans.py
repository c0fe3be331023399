"""The spans of one batch: for each of its sources, by each clock of the gateway, number and times."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloud.clinical.observations import ObservationColumns
from cloud.clinical.waveforms import SourceSpan


@dataclass(slots=True)
class BatchSpan:
    """The observations of one source by one clock. `source_number` and `clock_number` are those of the batch's
    columns."""

    source_number: int
    clock_number: int
    observations: int
    from_us: int
    until_us: int
    monotonic_from_us: int | None
    monotonic_until_us: int | None

    def stored(self, source_ids: Sequence[int], clock_ids: Sequence[int]) -> SourceSpan:
        """Return the span with row numbers, which are in the order of the batch's sources and clocks."""
        return SourceSpan(
            source_id=source_ids[self.source_number],
            clock_id=clock_ids[self.clock_number - 1] if self.clock_number else 0,
            observations=self.observations,
            from_us=self.from_us,
            until_us=self.until_us,
            monotonic_from_us=self.monotonic_from_us,
            monotonic_until_us=self.monotonic_until_us,
        )


def spans_of(columns: ObservationColumns) -> list[BatchSpan]:
    """Return a span for each source and clock of a batch."""
    spans: dict[tuple[int, int], BatchSpan] = {}
    for source, clock, at_us, monotonic_us in zip(
        columns.source_numbers, columns.clock_numbers, columns.observed_at_us, columns.monotonic_us, strict=True
    ):
        span = spans.get((source, clock))
        if span is None:
            spans[source, clock] = BatchSpan(source, clock, 1, at_us, at_us, monotonic_us, monotonic_us)
            continue
        span.observations += 1
        span.from_us = min(span.from_us, at_us)
        span.until_us = max(span.until_us, at_us)
        if monotonic_us is not None and span.monotonic_from_us is not None and span.monotonic_until_us is not None:
            span.monotonic_from_us = min(span.monotonic_from_us, monotonic_us)
            span.monotonic_until_us = max(span.monotonic_until_us, monotonic_us)
    return list(spans.values())
