"""Reasons for which a Bluetooth device was not paired, as sentences for an operator, each with its remedy.

They are in one table, so that they can be reviewed together. `trouble` is for programs and stays stable; the sentences
may be improved.
"""

from enum import Enum
from typing import NamedTuple


class Trouble(Enum):
    """Kinds of pairing failure. The values are for programs."""

    NO_ADDRESS = "no_address"
    BAD_PASSKEY = "bad_passkey"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    TOO_MANY = "too_many"
    NOT_HEARD = "not_heard"
    NOT_CONFIRMED = "not_confirmed"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    WRONG_DIGITS = "wrong_digits"
    NO_DIGITS = "no_digits"
    NO_BOND = "no_bond"
    NOT_OURS = "not_ours"
    STORE_FULL = "store_full"
    NOT_PAIRED = "not_paired"


class _Words(NamedTuple):
    """Sentences for the operator about one kind of pairing failure. `{}` is replaced by details from
    the failing code."""

    happened: str
    to_do: str


_WORDS = {
    Trouble.NO_ADDRESS: _Words(
        "That is no Bluetooth address.", "Write it like C0:FF:EE:00:00:01; argus-gateway ble scan shows them."
    ),
    Trouble.BAD_PASSKEY: _Words(
        "That passkey is not six digits.",
        "Give what the device shows, with its zeros: 012345; or none, to be prompted.",
    ),
    Trouble.BUSY: _Words(
        "{} is being paired now.", "One pairing at a time: wait until that one is done, at most three minutes."
    ),
    Trouble.UNAVAILABLE: _Words("Bluetooth cannot be used now: {}.", "See argus-gateway doctor."),
    Trouble.TOO_MANY: _Words("{} devices are paired, which is as many as may be.", "Forget one that is out of use."),
    Trouble.NOT_HEARD: _Words(
        "The device was not heard within {} s.",
        "Switch it on, hold it near, and put it into its pairing mode; a device that is connected to a telephone "
        "or another gateway is not heard: end that first.",
    ),
    Trouble.NOT_CONFIRMED: _Words(
        "The pairing was not confirmed.", "Nothing was changed. Pair again when you are sure."
    ),
    Trouble.UNREACHABLE: _Words(
        "No link to it came about: {}.", "Hold it nearer, wake it up, and try again while it shows that it is on."
    ),
    Trouble.REFUSED: _Words(
        "The device refused to pair: {}.",
        "Put it into its pairing mode; if it remembers another partner, clear that in its menu first. A model that "
        "cannot pair at all is taken with --without-bond.",
    ),
    Trouble.WRONG_DIGITS: _Words(
        "The device did not accept the six digits.", "Try again: it shows new digits each time."
    ),
    Trouble.NO_DIGITS: _Words(
        "The device shows six digits, and they were not entered.",
        "Try again without --yes and type them at the prompt, or give them with --passkey.",
    ),
    Trouble.NO_BOND: _Words(
        "The device does not bond: nothing can prove that it is the same one next time.",
        "If you accept that, use --without-bond: any sender with its address is then taken for it, "
        "and its values can be received by any radio nearby.",
    ),
    Trouble.NOT_OURS: _Words(
        "It measures nothing that Argus understands. It offers: {}.",
        "docs/device-maker.md lists what is understood; is this the right device?",
    ),
    Trouble.STORE_FULL: _Words("The store has no room to remember it.", "Make room on its disk, then pair it again."),
    Trouble.NOT_PAIRED: _Words("{} is not paired.", "argus-gateway ble list shows what is."),
}


class PairingFailed(Exception):
    """A device was not paired. `happened` and `to_do` are whole sentences."""

    def __init__(self, trouble: Trouble, happened: str, to_do: str) -> None:
        self.trouble = trouble
        self.happened = happened
        self.to_do = to_do
        super().__init__(f"{happened} {to_do}")


def failed(trouble: Trouble, more: str = "") -> PairingFailed:
    """Return the exception for a kind of pairing failure. `more`: details for the sentence, without a full stop."""
    words = _WORDS[trouble]
    return PairingFailed(trouble, words.happened.format(more.rstrip(".")), words.to_do)
