"""The four lanes of the uplink, and the lane of each observation.

A lane is a separate queue with its own sequence, its share of the bandwidth, and its rank in the order in which data is
dropped (DESIGN D2). So a waveform backlog neither delays an alarm nor causes its deletion when the disk is full.
"""

from collections.abc import Sequence
from enum import StrEnum

from protocols.observation import Channel, Observation

EVENT_PARTITION = 3
"""11073-10101 partition 3 holds events and alarms: an enumeration of such a type is an alarm, not a vital sign."""


class Lane(StrEnum):
    """Lanes in the order of urgency: the first is sent first."""

    EVENT = "event"
    EPCR = "epcr"
    NUMERIC = "numeric"
    WAVEFORM = "waveform"

    __hash__ = str.__hash__
    """Hash of the text. `Enum` has a function in Python for it, and ingest looks up each batch by its lane often."""


def lane_of_channel(channel: Channel) -> Lane:
    """Return the lane of every observation of `channel`. All values of a channel use one lane, so that they stay in the
    order of device time. So a numeric with the status "in alarm" stays in the numeric lane: in the event lane it would
    overtake earlier values of its channel."""
    if channel.array is not None:
        return Lane.WAVEFORM
    return Lane.EVENT if channel.type.partition == EVENT_PARTITION else Lane.NUMERIC


def lanes_of(observations: Sequence[Observation]) -> set[Lane]:
    """Return the lanes of `observations`."""
    has_arrays = [observation.channel.array is not None for observation in observations]
    if has_arrays and all(has_arrays):  # what a device sends most, without a call for each value
        return {Lane.WAVEFORM}
    return {lane_of_channel(observation.channel) for observation in observations}


def lane_of(observation: Observation) -> Lane:
    return lane_of_channel(observation.channel)
