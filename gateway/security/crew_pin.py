"""The vehicle's PIN: six digits for a keypad that works with gloves, kept in a file, protected against guessing.

It opens the live values and nothing else. Everyone who works with the vehicle knows it, so it identifies no person: the
patient report needs the PIN of a crew member (`crew_members`).

The file has the PIN and not a hash: anyone can try a million PINs against a hash in an evening, and a process that can
read this 0600 file can read the store's key beside it. The protection is that guesses are slow (`guess_limit`): they
are counted for each address. A tablet that has signed in before is counted separately, so that other clients cannot
lock it out.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Literal

from gateway.durable import flush
from gateway.security.guess_limit import GuessLimit, Wait

DIGITS = 6
WAIT_S_MAX = 30.0
"""Seconds, the longest wait of one client; half of a million PINs then takes half a year."""


class CrewPinUnusable(Exception):
    """The crew PIN cannot be used; the text is the diagnosis."""


def random_pin() -> str:
    """Return a new PIN of `DIGITS` digits."""
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"


class CrewPin:
    """The vehicle's PIN, and the limit on guesses of it."""

    def __init__(self, pin: str) -> None:
        self.text = pin
        """The digits, for `provision` and the demo to show; never for a log."""
        self._limit = GuessLimit(WAIT_S_MAX)

    @classmethod
    def create(cls, path: Path) -> "CrewPin":
        """Write a random PIN to a new file (0600). Raises `CrewPinUnusable` if the file exists or cannot be written."""
        pin = random_pin()
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
        tablet that has signed in before; None: an unknown client at `address`."""
        client = f"address {address}" if tablet is None else f"tablet {tablet}"
        return self._limit.check(guess, self.text, client, now_s, known=tablet is not None)
