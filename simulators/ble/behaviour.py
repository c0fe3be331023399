"""Behaviour of a simulated Bluetooth device besides measuring: absences, pairing, malformed values, a busy server, lost
bonds.

Any kind can be given any of these; together they cover what real devices do to a gateway (reference BLE testing §5).
Data only, so that the command line, the demo and the tests use the same terms. The device's clock is in
`agents.own_clock`, which is the same for every transport.
"""

from dataclasses import dataclass, field

from simulators.agents.own_clock import ClockBehaviour, Setting
from simulators.ble.options import Absence, IdForm, Lie, Pairing


@dataclass(frozen=True, slots=True, kw_only=True)
class BleBehaviour:
    """The default is a conforming device that pairs without user interaction.

    `passkey`: the digits that it always shows, None: new ones each time. `encrypted`: its health values and
    subscriptions are refused on a link that no bond encrypts. `bonds_kept` False: it drops its bond whenever the link
    ends. `static_random`: its address is a static random one. `resends`: after each connection it sends its whole
    memory again, confirmed or not. `lies_every`: one in that many values is damaged by `lie`. `drops_link_after`: it
    drops the link after that many values of a transfer, `drops_link_times` times. `busy_times`: number of responses
    "busy" of its record access control point. `slow_s`: time that it takes to respond to a read or a control point.
    `shows_time` False: it has no clock, and its values carry no time.
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
        """True where it requires encryption; a device that cannot pair cannot require it."""
        return self.encrypted and self.pairing is not Pairing.NONE

    def spoilt(self, octets: bytes) -> bytes:
        """Return a value as a device with this `lie` sends it."""
        match self.lie:
            case Lie.MISSING_FIELD:
                return octets[:-1]
            case Lie.UNKNOWN_FLAG:
                return bytes((octets[0] | 0x80,)) + octets[1:]
            case Lie.TRAILING:
                return octets + b"\x00"
