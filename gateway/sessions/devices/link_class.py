"""Classes of links by how well they identify the device at the other end, and the rules for system ids.

An agent chooses its own system id, and over TCP nothing else confirms the id: any machine on the vehicle's network can
claim to be the defibrillator. A cable reaches only the device at its plug, and a bond is a key that only the two sides
hold. So the store keeps for each device the strongest class of link over which this gateway has known it. A weaker link
never takes the id, even while the device is silent or switched off, or after a restart.

A device that was only ever known over TCP may connect, since it may be the only monitor of the vehicle. Its values
carry the flag `unverified_link` until an operator accepts the device. A Bluetooth device that was paired without a bond
needs no acceptance, because the operator has chosen it. But the class of its link is no stronger than TCP, since a
Bluetooth address proves nothing either.
"""

from enum import StrEnum


class LinkClass(StrEnum):
    """The kinds of link, by what they prove about the device."""

    UNKNOWN = "unknown"
    """A link over which the device was known before links were classified."""
    TCP = "tcp"
    """A TCP connection: any machine on the network can be at the other end."""
    PAIRED = "paired"
    """Bluetooth without a bond: an operator chose the device by its address, which can be copied."""
    SERIAL = "serial"
    """A cable."""
    BONDED = "bonded"
    """Bluetooth with a bond: both sides hold its keys."""

    @property
    def rank(self) -> int:
        """The rank of the class. A link never takes a system id from a link of a higher rank."""
        return _RANKS[self]

    @property
    def proves_device(self) -> bool:
        """True when the link itself identifies the device."""
        return self.rank >= _RANKS[LinkClass.SERIAL]

    @property
    def needs_acceptance(self) -> bool:
        """True for a class of link whose values carry the flag `unverified_link` until an operator
        accepts the device."""
        return self is LinkClass.TCP


_RANKS = {
    LinkClass.UNKNOWN: 0,
    LinkClass.TCP: 1,
    LinkClass.PAIRED: 1,
    LinkClass.SERIAL: 2,
    LinkClass.BONDED: 2,
}


def class_named(name: str) -> LinkClass:
    """Return the class of link named `name`, or UNKNOWN if this release has no class with this name."""
    try:
        return LinkClass(name)
    except ValueError:
        return LinkClass.UNKNOWN


def stronger(one: LinkClass, other: LinkClass) -> LinkClass:
    """Return the class of link with the higher rank, which better proves a device's identity. Return `one` if the ranks
    are equal."""
    return other if other.rank > one.rank else one
