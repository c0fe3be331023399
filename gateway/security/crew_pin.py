"""The crew's PIN: six digits for a keypad that works with gloves, kept in a file, protected against guessing.

The file has the PIN and not a hash: anyone can try a million PINs against a hash in an evening, and a process that can
read this 0600 file can read the store's key beside it. The protection is that guesses are slow. Wrong guesses are
counted for each address, with a limit over all addresses against parallel guessing. A tablet that has entered the PIN
before is counted separately, so that other clients cannot lock it out. Waits are short, because a crew in a hurry
mistypes.
"""

import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.durable import flush
from protocols.bounded_map import BoundedMap
from protocols.waits import doubled_s

DIGITS = 6
FREE_GUESSES = 5
"""Wrong guesses of one client before it must wait: mistyping with gloves is normal."""
WAIT_S_MAX = 30.0
"""Seconds, the longest wait of one client; half of a million PINs then takes half a year."""
UNKNOWN_GUESSES_MAX = 20
"""Wrong guesses that all unknown clients together have at once: four people who mistype."""
UNKNOWN_REFILL_S = 120.0
"""Seconds until unknown clients have one more wrong guess: half of a million six-digit PINs then takes 1.9 years."""
_CLIENTS_MAX = 256
"""Clients whose wrong guesses are remembered; the bound over all unknown ones holds beyond it."""


class CrewPinUnusable(Exception):
    """The crew PIN cannot be used; the text is the diagnosis."""


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


class CrewPin:
    """The crew's PIN, and the count of wrong guesses of each client."""

    def __init__(self, pin: str) -> None:
        self.text = pin
        """The digits, for `provision` and the demo to show; never for a log."""
        self._clients: BoundedMap[str, _Guesses] = BoundedMap(_CLIENTS_MAX)
        self._unknown_full_at_s = 0.0
        """Time at which unknown clients have all their guesses again, in monotonic seconds."""

    @classmethod
    def create(cls, path: Path) -> "CrewPin":
        """Write a random PIN to a new file (0600). Raises `CrewPinUnusable` if the file exists or cannot be written."""
        pin = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise CrewPinUnusable(
                f"{path} exists: the PIN is chosen once; remove the file to choose a new one"
            ) from None
        except OSError as error:
            raise CrewPinUnusable(f"{path} cannot be written ({error.strerror}): check the folder's owner") from None
        with os.fdopen(descriptor, "w") as file:
            file.write(pin + "\n")
            file.flush()
            os.fsync(file.fileno())
        flush(path.parent)
        return cls(pin)

    @classmethod
    def load(cls, path: Path) -> "CrewPin":
        """Read the PIN. Raises `CrewPinUnusable` where the file is missing, cannot be read or has no PIN."""
        try:
            pin = path.read_text()[:64].strip()
        except FileNotFoundError:
            raise CrewPinUnusable(f"{path} is missing: run argus-gateway provision, or write a PIN into it") from None
        except (OSError, UnicodeDecodeError):
            raise CrewPinUnusable(f"{path} cannot be read: it must be a text file of the gateway's user") from None
        if not re.fullmatch(rf"[0-9]{{{DIGITS},12}}", pin):
            raise CrewPinUnusable(f"{path} holds no PIN: write {DIGITS} to 12 digits into it")
        return cls(pin)

    def check(
        self, guess: str, address: str, now_s: float, *, tablet: str | None = None
    ) -> Literal["right", "wrong"] | Wait:
        """Compare `guess` with the PIN, unless the client has to wait first. `now_s` is monotonic. `tablet`: id of a
        tablet that has entered the PIN before; None: an unknown client at `address`."""
        client = f"address {address}" if tablet is None else f"tablet {tablet}"
        guesses = self._clients.use(client, _Guesses)
        if now_s < guesses.free_at_s:
            return Wait(guesses.free_at_s - now_s)
        if tablet is None and (over_s := self._unknown_full_at_s - now_s - self._unknown_debt_s_max) > 0:
            return Wait(over_s, by_others=True)
        if hmac.compare_digest(guess.encode(), self.text.encode()):
            del self._clients[client]
            return "right"
        guesses.wrong += 1
        if guesses.wrong >= FREE_GUESSES:
            guesses.free_at_s = now_s + doubled_s(1.0, guesses.wrong - FREE_GUESSES, WAIT_S_MAX)
        if tablet is None:
            self._unknown_full_at_s = max(now_s, self._unknown_full_at_s) + UNKNOWN_REFILL_S
        return "wrong"

    @property
    def _unknown_debt_s_max(self) -> float:
        """Limit in seconds above which unknown clients must wait. It limits the time until all their wrong guesses have
        expired; each wrong guess makes that time UNKNOWN_REFILL_S longer."""
        return (UNKNOWN_GUESSES_MAX - 1) * UNKNOWN_REFILL_S
