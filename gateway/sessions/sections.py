"""Turn a report's observations into the buffer's input: sections, each of one device with one clock relation.

A clock relation converts times of the device's clock to the gateway's clock. A report is cut where its time stamps
change to another clock of the device, or to another relation of the same clock because the clock was set or a counter
restarted. The order is kept. Each report first updates the estimate of the clock; its times are then converted with the
updated estimate.

**Stored observations** (DESIGN D3) are the observations of a *confirmed* report whose date a working clock could give
(`credible_dates`). The device resends a confirmed report when the acknowledgement did not arrive. So the cloud must
recognise a stored observation by its content, which includes the device's date. A counter of seconds since power-on is
no such date: it shows the same values after each power-on, and two true readings would become one. Unconfirmed reports
are never repeated, and 97, 97, 97 are three readings.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from gateway.sessions.clocks.clock_relation import UNKNOWN, ClockRelation
from gateway.sessions.clocks.device_clock import DeviceClock, DeviceClocks
from gateway.transports.clock import Instant
from protocols.device_time import TimeKind
from protocols.observation import Observation
from protocols.observation_record import RECEPTION_US
from protocols.uplink.observations import DeviceObservations, DeviceRef

Placed = Iterator[tuple[ClockRelation | None, Sequence[Observation]]]
"""Observations of one clock in pieces, each with its clock relation."""


def sections_of(
    observations: Sequence[Observation],
    received_s: float,
    device: DeviceRef,
    clocks: DeviceClocks,
    instant: Instant,
    *,
    live: bool,
    wall_synchronised: bool,
    keyed: Sequence[bool] = (),
) -> Iterator[DeviceObservations]:
    """Yield the observations that were received at monotonic `received_s` as sections, each with one clock relation, in
    order.

    `live`: the device keeps no copy of the observations. `keyed`: for each observation, whether it gets a content key,
    by which the cloud drops duplicates; if empty, none gets one.
    """
    received_us = round(received_s * 1_000_000)

    def place(kind: TimeKind | None, run: Sequence[Observation]) -> Placed:
        return _placed(kind, run, device, clocks, received_us, live=live)

    yield from cut_sections(
        observations, keyed, place, device, instant, received_us, wall_synchronised=wall_synchronised
    )


def cut_sections(
    observations: Sequence[Observation],
    keyed: Sequence[bool],
    place: Callable[[TimeKind | None, Sequence[Observation]], Placed],
    device: DeviceRef,
    instant: Instant,
    received_us: int,
    *,
    wall_synchronised: bool,
) -> Iterator[DeviceObservations]:
    """Yield sections, cut where the device clock, the clock relation or the presence of a content key changes. `place`
    yields pieces of the observations of one clock, each with its clock relation."""
    for kind, run in runs_of(observations):
        for relation, placed in place(kind, run):
            for stored, piece in cut_by_key(placed, keyed):
                yield section_of(
                    piece, relation, device, instant, received_us, wall_synchronised=wall_synchronised, stored=stored
                )
            keyed = keyed[len(placed) :]


def cut_by_key(
    observations: Sequence[Observation], keyed: Sequence[bool]
) -> Iterator[tuple[bool, Sequence[Observation]]]:
    """Yield groups of successive observations with the same flag in `keyed`, each group with its flag. Almost every
    report is one group."""
    flags = keyed[: len(observations)]
    if len(set(flags)) <= 1:
        yield bool(flags) and flags[0], observations
        return
    start = 0
    for stored, group in groupby(flags):
        end = start + len(list(group))
        yield stored, observations[start:end]
        start = end


def section_of(
    observations: Sequence[Observation],
    relation: ClockRelation | None,
    device: DeviceRef,
    instant: Instant,
    received_us: int,
    *,
    wall_synchronised: bool,
    stored: bool,
) -> DeviceObservations:
    """Return the observations as one section. If `relation` is None or has no offset, the uncertainty is the distance
    between the observations' times and their reception. If the wall clock is synchronised, its error is added to the
    uncertainty. If not, the uncertainty is relative to the gateway's monotonic clock."""
    wall_offset_us = instant.wall_us - round(instant.monotonic_s * 1_000_000)
    wall_error_us = instant.wall_error_us if wall_synchronised else 0
    offset_us, uncertainty_us = None, RECEPTION_US
    if relation is not None and relation.offset_us is not None:
        offset_us, uncertainty_us = wall_offset_us + relation.offset_us, relation.uncertainty_us
    elif (local_us := _sent_local_us(observations)) is not None:
        uncertainty_us = max(RECEPTION_US, abs(wall_offset_us + received_us - local_us))
    return DeviceObservations(
        device=device,
        boot_id=instant.boot_id,
        wall_offset_us=wall_offset_us,
        wall_synchronised=wall_synchronised,
        device_offset_us=offset_us,
        uncertainty_us=uncertainty_us + wall_error_us,
        stored=stored,
        observations=observations,
    )


def _placed(
    kind: TimeKind | None,
    observations: Sequence[Observation],
    device: DeviceRef,
    clocks: DeviceClocks,
    received_us: int,
    *,
    live: bool,
) -> Placed:
    sent_local_us = None if kind is None else _sent_local_us(observations)
    if kind is None or sent_local_us is None:
        yield None, observations
        return
    clock = clocks.clock(device.system_id, kind)
    clock.observe(sent_local_us, received_us, live=live)
    yield from placed_by(clock, observations, received_us, live=live)


def placed_by(clock: DeviceClock, observations: Sequence[Observation], received_us: int, *, live: bool) -> Placed:
    """Yield the observations in pieces, each with the relation of `clock` that applies to the piece. The relation has
    the greatest uncertainty of all times in the piece. The estimate of the clock is not updated."""
    last = _relation(clock, observations[-1], received_us, live=live)
    if live and last.offset_us is None:
        yield last, observations
        return
    # Of reports that arrived together only the last is certainly recent; earlier ones may have been queued.
    if clock.uniform:
        # All times of this clock are placed alike; only the uncertainty depends on their age.
        first = last if len(observations) == 1 else _relation(clock, observations[0], received_us, live=False)
        if first.offset_us == last.offset_us:
            yield _worst([first, last]), observations
            return
    start, piece = 0, [_relation(clock, observations[0], received_us, live=False)]
    for index in range(1, len(observations)):
        same = observations[index].device_time is observations[index - 1].device_time
        relation = piece[-1] if same else _relation(clock, observations[index], received_us, live=False)
        if relation.offset_us != piece[-1].offset_us:
            yield _worst(piece), observations[start:index]
            start, piece = index, []
        piece.append(relation)
    yield _worst(piece), observations[start:]


def _relation(clock: DeviceClock, observation: Observation, received_us: int, *, live: bool) -> ClockRelation:
    local_us = _sent_local_us([observation])
    if local_us is None:
        return UNKNOWN
    return clock.place(local_us, received_us, live=live)


def _worst(relations: Sequence[ClockRelation]) -> ClockRelation:
    return max(relations, key=lambda relation: relation.uncertainty_us)


def runs_of(observations: Sequence[Observation]) -> Iterator[tuple[TimeKind | None, Sequence[Observation]]]:
    """Yield groups of successive observations with times of the same device clock, each group with the clock's kind
    (None: no time)."""
    if len({_kind(each) for each in observations}) == 1:
        yield _kind(observations[0]), observations
        return
    start = 0
    for index in range(1, len(observations) + 1 if observations else 0):
        if index == len(observations) or _kind(observations[index]) is not _kind(observations[start]):
            yield _kind(observations[start]), observations[start:index]
            start = index


def _kind(observation: Observation) -> TimeKind | None:
    return None if observation.device_time is None else observation.device_time.kind


def _sent_local_us(observations: Sequence[Observation]) -> int | None:
    """Return the device time of the last observation (for an array: of its last sample) in µs; None without a time."""
    last = observations[-1]
    local_us = None if last.device_time is None else last.device_time.local_us()
    array = last.channel.array
    if local_us is None or array is None or last.samples is None:
        return local_us
    return local_us + round(len(last.samples) // array.format.width_bytes * array.period_s * 1_000_000)
