"""The crew's PIN: six digits on a glove-friendly key pad, kept in a file, guarded against guessing.

Why the file holds the PIN and no hash: a million PINs are tried against any hash in an evening, so a hash would only
look like protection; who can read this 0600 file can read the store's key beside it. What does protect is that guesses
are slow. Wrong guesses are counted by client, so that a stranger on the vehicle's network cannot lock the crew out of
its own page; a bound over all clients keeps many addresses from guessing in parallel. Waits are short, because a crew
in a hurry mistypes.

Does not know cookies or sessions: that is `gateway/crew`.
"""

import hmac
import os
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.durable import flush

DIGITS = 6
FREE_GUESSES = 5
"""Wrong guesses of one client before it must wait: mistyping with gloves is normal."""
WAIT_S_MAX = 30.0
"""The longest wait of one client; half of a million PINs then takes half a year."""
_CLIENTS_MAX = 256
_ALL_GUESSES_MAX = 30
_ALL_WINDOW_S = 60.0
"""Wrong guesses of all clients together in a window; beyond it everyone waits until the window moves on."""


class CrewPinUnusable(Exception):
    """The crew PIN cannot be used; the text is the diagnosis."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not looked at: this client (or all of them) guessed wrong too often. Seconds until the next guess is taken."""

    seconds: float


@dataclass(slots=True)
class _Guesses:
    wrong: int = 0
    free_at_s: float = 0.0


class CrewPin:
    """The PIN and the wrong guesses so far. `now_s` is monotonic time, in seconds."""

    def __init__(self, pin: str) -> None:
        self._pin = pin
        self._clients: OrderedDict[str, _Guesses] = OrderedDict()
        self._wrong_at_s: list[float] = []

    @classmethod
    def create(cls, path: Path) -> "CrewPin":
        """Choose a PIN and write it to a new file, mode 0600. Raises `CrewPinUnusable` when the file is there."""
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
        """Read the PIN. Raises `CrewPinUnusable` when there is none or the file holds something else."""
        try:
            pin = path.read_text()[:64].strip()
        except FileNotFoundError:
            raise CrewPinUnusable(f"{path} is missing: run argus-gateway provision, or write a PIN into it") from None
        except (OSError, UnicodeDecodeError):
            raise CrewPinUnusable(f"{path} cannot be read: it must be a text file of the gateway's user") from None
        if not re.fullmatch(rf"[0-9]{{{DIGITS},12}}", pin):
            raise CrewPinUnusable(f"{path} holds no PIN: write {DIGITS} to 12 digits into it")
        return cls(pin)

    @property
    def text(self) -> str:
        """The digits, for `provision` and the demo to show; never for a log."""
        return self._pin

    def check(self, guess: str, client: str, now_s: float) -> Literal["right", "wrong"] | Wait:
        """Whether `guess` is the PIN, unless `client` (its network address) has to wait first."""
        guesses = self._clients.setdefault(client, _Guesses())
        self._clients.move_to_end(client)
        if len(self._clients) > _CLIENTS_MAX:
            self._clients.popitem(last=False)
        self._wrong_at_s = [at_s for at_s in self._wrong_at_s if at_s > now_s - _ALL_WINDOW_S]
        if now_s < guesses.free_at_s:
            return Wait(guesses.free_at_s - now_s)
        if len(self._wrong_at_s) >= _ALL_GUESSES_MAX:
            return Wait(self._wrong_at_s[0] + _ALL_WINDOW_S - now_s)
        if hmac.compare_digest(guess.encode(), self._pin.encode()):
            del self._clients[client]
            return "right"
        guesses.wrong += 1
        self._wrong_at_s.append(now_s)
        if guesses.wrong >= FREE_GUESSES:
            guesses.free_at_s = now_s + min(WAIT_S_MAX, 2.0 ** (guesses.wrong - FREE_GUESSES))
        return "wrong"
