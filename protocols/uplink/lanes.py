"""The four lanes of the uplink, and the lane of each observation.

A lane is a separate queue. Each has its own sequence, its share of the bandwidth, and its place in the order in which
data is dropped (DESIGN D2). So a waveform backlog can neither delay an alarm nor cause its deletion when the disk is
full. The shares are defined in `gateway/sync`.
"""

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


def lane_of_channel(channel: Channel) -> Lane:
    """Return the lane of every observation of `channel`. It never changes within a channel, so that values stay in the
    order of device time.

    For this reason a numeric with the status "in alarm" stays in the numeric lane: in the event lane it would overtake
    earlier values of its channel.
    """
    if channel.array is not None:
        return Lane.WAVEFORM
    return Lane.EVENT if channel.type.partition == EVENT_PARTITION else Lane.NUMERIC


def lane_of(observation: Observation) -> Lane:
    """Return the lane of one observation, which is the lane of its channel."""
    return lane_of_channel(observation.channel)
