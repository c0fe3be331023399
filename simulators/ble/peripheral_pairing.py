"""Pairing on the device's side: none (an attempt is rejected), Just Works, or six digits that the device shows."""

from collections.abc import Callable
from typing import Final

from bumble.pairing import PairingConfig, PairingDelegate

from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import Pairing

_IO: Final = {
    Pairing.NONE: PairingDelegate.NO_OUTPUT_NO_INPUT,
    Pairing.JUST_WORKS: PairingDelegate.NO_OUTPUT_NO_INPUT,
    Pairing.PASSKEY: PairingDelegate.DISPLAY_OUTPUT_ONLY,
}


class Delegate(PairingDelegate):
    """Bumble's delegate for pairing on the device's side. `shows` gets the digits to show; None clears them."""

    def __init__(self, behaviour: BleBehaviour, shows: Callable[[int | None], None]) -> None:
        super().__init__(_IO[behaviour.pairing])
        self._behaviour = behaviour
        self._shows = shows

    async def accept(self) -> bool:
        return self._behaviour.pairing is not Pairing.NONE

    async def display_number(self, number: int, digits: int) -> None:
        self._shows(number)

    async def generate_passkey(self) -> int:
        fixed = self._behaviour.passkey
        return await super().generate_passkey() if fixed is None else fixed


def pairing_config(behaviour: BleBehaviour, shows: Callable[[int | None], None]) -> PairingConfig:
    kind = PairingConfig.AddressType.RANDOM if behaviour.static_random else PairingConfig.AddressType.PUBLIC
    return PairingConfig(
        sc=True,
        mitm=behaviour.pairing is Pairing.PASSKEY,
        bonding=behaviour.pairing is not Pairing.NONE,
        delegate=Delegate(behaviour, shows),
        identity_address_type=kind,
    )
