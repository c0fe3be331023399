"""Behaviour of a simulated Bluetooth device apart from its measurements: absences, pairing, faults and bonds.

Every kind of device supports every behaviour; together they cover what real devices do to a gateway (founders'
reference on testing Bluetooth, §5). The module has only data, so that the command line, the demo and the tests use the
same terms. The device's clock is in `agents.own_clock`.
"""

from dataclasses import dataclass, field

from simulators.agents.own_clock import ClockBehaviour, Setting
from simulators.ble.options import Absence, IdForm, Lie, Pairing


@dataclass(frozen=True, slots=True, kw_only=True)
class BleBehaviour:
    """Behaviour of one device. The default is a conforming device that pairs without user interaction.

    - `shows_time` False: the device has no clock, and its values carry no time.
    - `passkey`: the digits that it shows at every pairing; None: random ones each time.
    - `encrypted`: it refuses reads of health data and subscriptions on an unencrypted link.
    - `bonds_kept` False: it deletes its bond whenever the link ends.
    - `static_random`: its address is a static random address, not a public one.
    - `resends`: on each new connection it sends its whole store again, even confirmed values.
    - `lies_every` n: it damages every n-th value in the way that `lie` selects; None: no value.
    - `drops_link_after`: it drops the link after this many values of a transfer, at most `drops_link_times` times.
    - `busy_times`: it responds "server busy" to this many requests to its record access control point.
    - `slow_s`: its delay before it responds to a read or a write.
    - `id_form`: the form of its system id.
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
        """True if the device requires encryption. A device that cannot pair never requires encryption."""
        return self.encrypted and self.pairing is not Pairing.NONE

    def spoilt(self, octets: bytes) -> bytes:
        """Return the value `octets`, damaged in the way that `lie` selects."""
        match self.lie:
            case Lie.MISSING_FIELD:
                return octets[:-1]
            case Lie.UNKNOWN_FLAG:
                return bytes((octets[0] | 0x80,)) + octets[1:]
            case Lie.TRAILING:
                return octets + b"\x00"
