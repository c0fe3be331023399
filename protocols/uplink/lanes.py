"""The four lanes of the uplink, and which lane an observation takes.

A lane is a queue of its own with its own sequence, share of the link and place in the drop order (D2), so that a
waveform backlog can neither delay an alarm nor push it out of a full disk. What a lane's share is belongs to
`gateway/sync`.
"""

from enum import StrEnum

from protocols.observation import Channel, Observation

EVENT_PARTITION = 3
"""11073-10101 partition 3 holds events and alarms: an enumeration of such a type is an alarm, not a vital sign."""


class Lane(StrEnum):
    """In the order of urgency: what is named first is sent first."""

    EVENT = "event"
    EPCR = "epcr"
    NUMERIC = "numeric"
    WAVEFORM = "waveform"


def lane_of_channel(channel: Channel) -> Lane:
    """The lane of every observation of `channel`; it never changes within a channel, so that device time keeps its
    order.

    A numeric whose status says "in alarm" stays numeric for that reason: it would overtake its own neighbours.
    """
    if channel.array is not None:
        return Lane.WAVEFORM
    return Lane.EVENT if channel.type.partition == EVENT_PARTITION else Lane.NUMERIC


def lane_of(observation: Observation) -> Lane:
    """The lane of one observation: that of its channel."""
    return lane_of_channel(observation.channel)
