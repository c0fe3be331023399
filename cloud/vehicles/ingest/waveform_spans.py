"""The spans of one batch: for each of its sources, by each clock of the gateway, number and times."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from cloud.clinical.observations import ObservationColumns
from cloud.clinical.waveforms import SourceSpan


@dataclass(frozen=True, slots=True)
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
    # An owner is a source and a clock as one number, since a tuple for each observation would take most of the time.
    clocks = len(columns.clocks) + 1
    owners: Sequence[int] = columns.source_numbers
    if columns.clocks:
        owners = [clocks * source + clock for source, clock in zip(owners, columns.clock_numbers, strict=True)]
    times_us: defaultdict[int, list[int]] = defaultdict(list)
    monotonic_us: defaultdict[int, list[int]] = defaultdict(list)
    for owner, at_us in zip(owners, columns.observed_at_us, strict=True):
        times_us[owner].append(at_us)
    if columns.clocks:
        for owner, at_us_or_none in zip(owners, columns.monotonic_us, strict=True):
            if at_us_or_none is not None:
                monotonic_us[owner].append(at_us_or_none)
    return [
        BatchSpan(
            *divmod(owner, clocks),
            observations=len(of_owner),
            from_us=min(of_owner),
            until_us=max(of_owner),
            monotonic_from_us=min(monotonic_us[owner], default=None),
            monotonic_until_us=max(monotonic_us[owner], default=None),
        )
        for owner, of_owner in times_us.items()
    ]
