"""The errors of a connection to the broker."""

from gateway.sync.unconfirmed import Lost


class MqttUnavailable(Exception):
    """There is no connection to the broker; the message explains why, for an operator."""


class MqttTakenOver(MqttUnavailable):
    """Another client connected with this gateway's name."""


class MqttPubackLost(MqttUnavailable):
    """The broker did not confirm packets in time, so this side ends the connection."""

    def __init__(self, lost: Lost) -> None:
        self.lost = lost
        super().__init__(f"the broker did not confirm {lost.packets} packets within {lost.oldest_s:.0f} s")


class MqttRefused(Exception):
    """The broker received the packet and refused its request: its ACL, its quota. The message has its reason."""
