"""How a simulated Bluetooth device behaves beside measuring: it comes and goes, pairs, lies, is busy, forgets.

Any kind can be told any of these; together they are what real devices do to a gateway (reference BLE testing §5). Data
only, so that the command line, the demo and the tests say the same thing with the same words. What a device's clock
does is `agents.own_clock`'s, which is the same for every wire.
"""

from dataclasses import dataclass, field
from enum import Enum

from simulators.agents.own_clock import ClockBehaviour, Setting


class Pairing(Enum):
    """What the device asks of who wants to pair."""

    NONE = "none"
    """It cannot pair, and keeps no bond."""
    JUST_WORKS = "just-works"
    PASSKEY = "passkey"
    """It shows six digits, which the other side has to type."""


class Leaving(Enum):
    """How the device goes away."""

    OUT_OF_RANGE = "out-of-range"
    """In the middle of whatever it did; the other side finds out by its supervision timeout."""
    GOODBYE = "goodbye"
    """It ends the connection first, as a meter does that switches itself off."""


class Lie(Enum):
    """What is wrong with a value that the device sends."""

    MISSING_FIELD = "missing-field"
    """Its flags announce more than it holds: the value is cut short."""
    UNKNOWN_FLAG = "unknown-flag"
    """A flag that no specification has."""
    TRAILING = "trailing"
    """Octets that nothing announced."""


class IdForm(Enum):
    """How Device Information gives the system id."""

    RIGHT = "right"
    REVERSED = "reversed"
    """Most significant octet first, as some makers send it."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Away for `for_s` once in `every_s` patient seconds, at the end of each such stretch."""

    every_s: float
    for_s: float
    leaving: Leaving = Leaving.OUT_OF_RANGE

    def away_at(self, patient_s: float) -> bool:
        return patient_s % self.every_s >= self.every_s - self.for_s

    def next_change_s(self, patient_s: float) -> float:
        """The patient second at which it next comes or goes."""
        begun_s = patient_s // self.every_s * self.every_s
        leaves_s = begun_s + self.every_s - self.for_s
        return leaves_s if patient_s < leaves_s else begun_s + self.every_s


@dataclass(frozen=True, slots=True, kw_only=True)
class BleBehaviour:
    """The default is a device of good manners that pairs without asking anybody.

    `passkey`: the digits that it always shows, None: fresh ones each time. `encrypted`: its health values and
    subscriptions are refused on a link that no bond encrypts. `bonds_kept` False: it forgets its bond whenever the
    link ends. `static_random`: its address is a random one that stays. `resends`: after each connection it sends
    its whole memory again, confirmed or not. `lies_every`: one in so many values is spoilt by `lie`.
    `drops_link_after`: it drops the link when so many values of a transfer are out, `drops_link_times` times.
    `busy_times`: so often its record access control point answers that it is busy. `slow_s`: how long it takes to
    answer a read or a control point. `shows_time` False: it has no clock, and its values carry no time.
    """

    clock: ClockBehaviour = field(default_factory=lambda: ClockBehaviour(setting=Setting.MAY))
    shows_time: bool = True
    pairing: Pairing = Pairing.JUST_WORKS
    passkey: int | None = None
    encrypted: bool = True
    bonds_kept: bool = True
    static_random: bool = False
    absence: Absence | None = None
    resends: bool = False
    lie: Lie = Lie.MISSING_FIELD
    lies_every: int | None = None
    drops_link_after: int | None = None
    drops_link_times: int = 1
    busy_times: int = 0
    slow_s: float = 0.0
    id_form: IdForm = IdForm.RIGHT

    @property
    def encrypts(self) -> bool:
        """A device that cannot pair cannot ask for encryption either."""
        return self.encrypted and self.pairing is not Pairing.NONE

    def spoilt(self, octets: bytes) -> bytes:
        """A value as a device of this `lie` sends it."""
        match self.lie:
            case Lie.MISSING_FIELD:
                return octets[:-1]
            case Lie.UNKNOWN_FLAG:
                return bytes((octets[0] | 0x80,)) + octets[1:]
            case Lie.TRAILING:
                return octets + b"\x00"
