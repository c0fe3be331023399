"""Limit on guesses of a PIN: wrong guesses of each client are counted, and all unknown clients share a further limit.

A known client is counted separately, so that unknown clients cannot lock it out. Waits are short, because a crew in a
hurry mistypes. Times are monotonic: a change of the wall clock neither ends a wait nor makes it longer.
"""

import hmac
from dataclasses import dataclass
from typing import Literal

from protocols.bounded_map import BoundedMap
from protocols.waits import doubled_s

FREE_GUESSES = 5
"""Wrong guesses of one client before it must wait: mistyping with gloves is normal."""
UNKNOWN_GUESSES_MAX = 20
"""Wrong guesses that all unknown clients together have at once: four people who mistype."""
UNKNOWN_REFILL_S = 120.0
"""Seconds until unknown clients have one more wrong guess: half of a million six-digit PINs then takes 1.9 years."""
_CLIENTS_MAX = 256
"""Clients whose wrong guesses are remembered. An unknown client takes a place only with a wrong guess that was
compared, so that replacing all places takes eight hours."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Result for a guess that was not compared, after too many wrong guesses. `seconds`: time to wait before the next
    guess."""

    seconds: float
    by_others: bool = False
    """True when the wrong guesses are those of all unknown clients together."""


@dataclass(slots=True)
class _Guesses:
    wrong: int = 0
    free_at_s: float = 0.0


class GuessLimit:
    """Wrong guesses of the clients of one PIN, or of PINs that share a limit. `wait_s_max`: the longest wait of one
    client."""

    def __init__(self, wait_s_max: float) -> None:
        self._wait_s_max = wait_s_max
        self._clients: BoundedMap[str, _Guesses] = BoundedMap(_CLIENTS_MAX)
        self._unknown_full_at_s = 0.0
        """Time at which unknown clients have all their guesses again, in monotonic seconds."""

    def check(
        self, guess: str, pin: str, client: str, now_s: float, *, known: bool
    ) -> Literal["right", "wrong"] | Wait:
        """Compare `guess` with `pin`, unless `client` has to wait first. `now_s` is monotonic."""
        guesses = self._clients.get(client)
        if guesses is not None and now_s < guesses.free_at_s:
            return Wait(guesses.free_at_s - now_s)
        if not known and (over_s := self._unknown_full_at_s - now_s - self._unknown_debt_s_max) > 0:
            return Wait(over_s, by_others=True)
        if hmac.compare_digest(guess.encode(), pin.encode()):
            self._clients.pop(client, None)
            return "right"
        guesses = self._clients.use(client, _Guesses)
        guesses.wrong += 1
        if guesses.wrong >= FREE_GUESSES:
            guesses.free_at_s = now_s + doubled_s(1.0, guesses.wrong - FREE_GUESSES, self._wait_s_max)
        if not known:
            self._unknown_full_at_s = max(now_s, self._unknown_full_at_s) + UNKNOWN_REFILL_S
        return "wrong"

    @property
    def _unknown_debt_s_max(self) -> float:
        """Limit in seconds above which unknown clients must wait. It limits the time until all their wrong guesses have
        expired; each wrong guess makes that time UNKNOWN_REFILL_S longer."""
        return (UNKNOWN_GUESSES_MAX - 1) * UNKNOWN_REFILL_S
