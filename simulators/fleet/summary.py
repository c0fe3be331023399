"""Result of one run of a fleet, as JSON and as text."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocols.uplink.lanes import Lane
from simulators.fleet.comparison import DIFFERENCES_MAX, Comparison
from simulators.fleet.latency import Latencies
from simulators.fleet.measured_source import Acknowledged
from simulators.fleet.vehicle import Vehicle


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Result of one run. Batches and observations are sums over all vehicles.

    `seconds`: time in which devices reported. `drain_s`: time after it until the cloud had acknowledged everything, or
    until the run gave up. `batches_sent` and `envelope_bytes_sent` count repeated sendings too. `batches_left`,
    `observations_left`: committed in the vehicles, not acknowledged. `batches_pending`: the same when the devices
    ended, `batches_pending_max`: the most during the run, as sampled once a second. `reconnections`: connections
    after the first one of each vehicle. Acknowledgement times are from a batch's last commit in the vehicle to the
    acknowledgement's arrival, and include the time until the batch is cut; None without one. They are those of all
    lanes, where one batch in about sixty is of events; `event_ack_ms_p99` is that of events alone. `late_s_max`: the
    longest time by which a vehicle appended a report too late. `processor_s`: processor time of the fleet itself.
    `comparison` None: the cloud was not compared.
    """

    vehicles: int
    profile: str
    seconds: float
    drain_s: float
    storms: int
    reconnections: int
    batches_sent: int
    batches_acknowledged: int
    batches_left: int
    batches_pending: int
    batches_pending_max: int
    batches_dropped: int
    observations_recorded: int
    observations_acknowledged: int
    observations_left: int
    payload_bytes: int
    envelope_bytes_sent: int
    ack_ms_p50: float | None
    ack_ms_p99: float | None
    ack_ms_max: float | None
    event_ack_ms_p99: float | None
    late_s_max: float
    processor_s: float
    comparison: Comparison | None

    @property
    def is_whole(self) -> bool:
        """True when the cloud has acknowledged everything, and the comparison found no difference."""
        return not (
            self.batches_left or self.batches_dropped or (self.comparison is not None and self.comparison.differences)
        )

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        return {**asdict(self), "whole": self.is_whole}

    def lines(self) -> list[str]:
        """Return the summary as lines for an operator."""
        vehicle_s = max(self.seconds, 0.001) * self.vehicles
        delays = " / ".join(map(_shown_ms, (self.ack_ms_p50, self.ack_ms_p99, self.ack_ms_max)))
        facts = {
            "vehicles": f"{self.vehicles} ({self.profile}) for {self.seconds:,.0f} s, {self.drain_s:,.1f} s to drain",
            "observations": f"{self.observations_recorded:,} recorded, "
            f"{self.observations_acknowledged:,} acknowledged, {self.observations_left:,} left",
            "batches": f"{self.batches_sent:,} sent, {self.batches_acknowledged:,} acknowledged, "
            f"{self.batches_left:,} left, {self.batches_dropped:,} dropped; "
            f"at most {self.batches_pending_max:,} pending",
            "each vehicle": f"{self.batches_acknowledged / vehicle_s:,.1f} batches and "
            f"{self.payload_bytes / vehicle_s:,.0f} bytes of payload a second",
            "acknowledgement": f"{delays} ms (p50 / p99 / longest); events {_shown_ms(self.event_ack_ms_p99)} ms (p99)",
            "connections": f"{self.storms} storms, {self.reconnections:,} reconnections",
            "the fleet itself": f"{self.processor_s / max(self.seconds + self.drain_s, 0.001):,.2f} cores, "
            f"reports at most {self.late_s_max:,.2f} s late",
        }
        return [f"{name:17}{fact}" for name, fact in facts.items()] + _comparison_lines(self.comparison)


def _shown_ms(delay_ms: float | None) -> str:
    return "–" if delay_ms is None else f"{delay_ms:,.0f}"


def _comparison_lines(comparison: Comparison | None) -> list[str]:
    if comparison is None:
        return ["compared         not with the cloud: give --cloud-config or --demo"]
    if not comparison.differences:
        rows = "" if comparison.rows is None else f" and {comparison.rows:,} rows"
        return [f"compared         {comparison.lanes} lanes{rows}: nothing is lost and nothing is doubled"]
    listed = comparison.differences[:DIFFERENCES_MAX]
    more = len(comparison.differences) - len(listed)
    return [f"DIFFERENCE       {each}" for each in listed] + ([f"                 and {more} more"] if more else [])


def summarize(
    vehicles: Sequence[Vehicle],
    acknowledged: Acknowledged,
    *,
    profile: str,
    seconds: float,
    drain_s: float,
    storms: int,
    pending: int,
    pending_max: int,
    processor_s: float,
    comparison: Comparison | None,
) -> Summary:
    """Return the summary of a run from its vehicles, whose stores are still open."""
    marks = [mark for vehicle in vehicles for mark in vehicle.buffer.marks().values()]
    latencies = Latencies.joined(acknowledged.latencies.values())
    return Summary(
        vehicles=len(vehicles),
        profile=profile,
        seconds=seconds,
        drain_s=drain_s,
        storms=storms,
        reconnections=sum(max(0, vehicle.connections - 1) for vehicle in vehicles),
        batches_sent=sum(vehicle.uplink.state.sent_batches for vehicle in vehicles),
        batches_acknowledged=acknowledged.batches,
        batches_left=sum(mark.backlog_batches for mark in marks),
        batches_pending=pending,
        batches_pending_max=pending_max,
        batches_dropped=acknowledged.dropped_batches,
        observations_recorded=sum(sum(vehicle.recorded.values()) for vehicle in vehicles),
        observations_acknowledged=acknowledged.observations,
        observations_left=sum(mark.backlog_observations for mark in marks),
        payload_bytes=acknowledged.payload_bytes,
        envelope_bytes_sent=sum(vehicle.uplink.state.sent_bytes for vehicle in vehicles),
        ack_ms_p50=latencies.percentile_ms(50),
        ack_ms_p99=latencies.percentile_ms(99),
        ack_ms_max=latencies.ms_max if latencies.count else None,
        event_ack_ms_p99=acknowledged.latencies[Lane.EVENT].percentile_ms(99),
        late_s_max=max((vehicle.late_s_max for vehicle in vehicles), default=0.0),
        processor_s=processor_s,
        comparison=comparison,
    )
