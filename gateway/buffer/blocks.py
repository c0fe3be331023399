"""Groups queued observations into blocks, one per batch. A lane gets several blocks where one would be too large.

A block must fit the broker's packet, because a batch that cannot be sent would block its lane for ever. It also
respects `protocols.uplink.limits`, because the cloud creates no rows from a larger block. Observations keep their order
within a lane. A section is the observations of one device with common facts (`DeviceObservations`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.buffer.settings import BufferSettings
from protocols.observation import Observation
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane, lane_of, lanes_of
from protocols.uplink.limits import PAYLOAD_BYTES_MAX, BlockTooLarge
from protocols.uplink.observations import DeviceObservations, check_block, encode_block


@dataclass(frozen=True, slots=True)
class Block:
    """The content of a batch that has no sequence number yet. `count`: number of observations or events in `payload`.
    `grows`: the payload begins with the content of the lane's open batch, and the block replaces this batch."""

    lane: Lane
    kind: BatchKind
    count: int
    payload: bytes
    grows: bool = False


def blocks_of(sections: Iterable[DeviceObservations], settings: BufferSettings) -> list[Block]:
    """Return the observations of many appends in as few blocks as the limits of `settings` allow, lane by lane."""
    by_lane = sections_by_lane(sections)
    return [block for lane in Lane if lane in by_lane for block in blocks_of_lane(lane, by_lane[lane], settings)]


def blocks_of_lane(lane: Lane, sections: Sequence[DeviceObservations], settings: BufferSettings) -> list[Block]:
    """Return the observations of one lane in as few blocks as the limits of `settings` allow, in their order."""
    blocks: list[Block] = []
    for group in _cut(lane, sections, settings):
        _encode(lane, group, blocks)
    return blocks


def check_sections(content: Mapping[Lane, Sequence[DeviceObservations]], settings: BufferSettings) -> None:
    """Raise the `ProtocolError` that `blocks_of_lane` would raise for `content`. Nothing is compressed, unless the
    observations of a lane are more than one block."""
    for lane, sections in content.items():
        try:
            check_block(sections)
        except BlockTooLarge:
            blocks_of_lane(lane, sections, settings)


def sections_by_lane(sections: Iterable[DeviceObservations]) -> dict[Lane, list[DeviceObservations]]:
    by_lane: dict[Lane, list[DeviceObservations]] = {}
    for section in sections:
        for lane, part in by_lane_of(section):
            by_lane.setdefault(lane, []).append(part)
    return by_lane


def by_lane_of(section: DeviceObservations) -> list[tuple[Lane, DeviceObservations]]:
    """Split a section (observations of one device) by lane. A section whose observations all have one lane, the usual
    case, is returned unchanged."""
    lanes = lanes_of(section.observations)
    if len(lanes) == 1:
        return [(lanes.pop(), section)]
    return [
        (lane, replace(section, observations=[o for o in section.observations if lane_of(o) is lane]))
        for lane in Lane
        if lane in lanes
    ]


def _cut(
    lane: Lane, sections: Sequence[DeviceObservations], settings: BufferSettings
) -> Iterable[list[DeviceObservations]]:
    """Yield groups of sections, each within the limits of one block. A section (observations of one device) that
    exceeds the limits is split."""
    count_max, bytes_max = settings.block_observations_max, settings.block_samples_bytes_max
    group: list[DeviceObservations] = []
    count = samples_bytes = 0
    for section in sections:
        section_bytes = sample_bytes(section.observations) if lane is Lane.WAVEFORM else 0
        if group and (count + len(section.observations) > count_max or samples_bytes + section_bytes > bytes_max):
            yield group
            group, count, samples_bytes = [], 0, 0
        if len(section.observations) > count_max or section_bytes > bytes_max:
            for part in _pieces(section.observations, count_max, bytes_max):
                yield [replace(section, observations=part)]
            continue
        group.append(section)
        count += len(section.observations)
        samples_bytes += section_bytes
    if group:
        yield group


def _pieces(observations: Sequence[Observation], count_max: int, bytes_max: int) -> Iterable[list[Observation]]:
    piece: list[Observation] = []
    piece_bytes = 0
    for observation in observations:
        size = len(observation.samples or b"")
        if piece and (len(piece) >= count_max or piece_bytes + size > bytes_max):
            yield piece
            piece, piece_bytes = [], 0
        piece.append(observation)
        piece_bytes += size
    yield piece


def _encode(lane: Lane, sections: list[DeviceObservations], blocks: list[Block]) -> None:
    count = sum(len(section.observations) for section in sections)
    payload = _encode_within_limits(sections)
    if payload is not None:
        blocks.append(Block(lane, BatchKind.OBSERVATIONS, count, payload))
        return
    # Only long texts, noise or hundreds of devices get here. Halving terminates: one observation is one APDU at most.
    assert count > 1, "one observation is larger than a batch may be"
    if len(sections) > 1:
        halves = (sections[: len(sections) // 2], sections[len(sections) // 2 :])
    else:
        (section,) = sections
        middle = count // 2
        halves = (
            [replace(section, observations=section.observations[:middle])],
            [replace(section, observations=section.observations[middle:])],
        )
    for half in halves:
        _encode(lane, half, blocks)


def _encode_within_limits(sections: Sequence[DeviceObservations]) -> bytes | None:
    """Return the sections encoded as one block, or None when the block exceeds the bytes of a batch or the cloud's
    limits."""
    try:
        payload = encode_block(sections)
    except BlockTooLarge:
        return None
    return payload if len(payload) <= PAYLOAD_BYTES_MAX else None


def sample_bytes(observations: Sequence[Observation]) -> int:
    """Return the total size of the sample arrays of `observations`."""
    return sum([len(o.samples) for o in observations if o.samples is not None])
