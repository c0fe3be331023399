"""Bonds of the virtual radio's central, and its own identity, in one JSON file that survives restarts.

The central's identity is in the same file because peripherals store their keys under its address: with a new address at
each start every bond would be useless. The file has mode 0600. Each change rewrites the file atomically and durably.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from bumble.hci import Address
from bumble.keys import KeyStore, PairingKeys

from simulators.private_file import write_private

FILE_NAME = "virtual_radio_bonds.json"
_VERSION = 1
# A vehicle has a dozen devices; more means a program that pairs in a loop.
_BONDS_MAX = 200


class BondsUnusable(Exception):
    """The file of bonds cannot be read or written; the text has the remedy."""


class BondFile(KeyStore):
    """File that maps a peer's identity address in Bumble's notation (`str(Address)`: a public address ends in /P) to
    the keys of its bond."""

    def __init__(self, path: Path, address: str, irk: bytes, bonds: dict[str, PairingKeys]) -> None:
        self.path = path
        self.address = address
        self.irk = irk
        self._bonds = bonds

    @classmethod
    def open(cls, folder: Path) -> BondFile:
        """Open the file of bonds in `folder`, or create it with a new identity. Raises BondsUnusable."""
        path = folder / FILE_NAME
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                own = Address.generate_static_address().to_string(False)
                new = cls(path, own, secrets.token_bytes(16), {})
                new._write()
                return new
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise BondsUnusable(f"{path}: {error.strerror or type(error).__name__}") from error
        try:
            stored = json.loads(text)
            if stored["version"] != _VERSION:
                raise ValueError("another version")
            bonds = {name: PairingKeys.from_dict(keys) for name, keys in stored["bonds"].items()}
            return cls(path, str(stored["address"]), bytes.fromhex(stored["irk"]), bonds)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Without the error's text, which may quote a key.
            raise BondsUnusable(f"{path} is no file of bonds; remove it and pair the devices again") from error

    def has(self, address: str) -> bool:
        """Return whether keys are stored for this address, be it a public or a random address."""
        return self._name(address) is not None

    def address_of(self, address: str) -> Address | None:
        """Return the identity address, with its type, under which the keys of the device `address` are stored. Return
        None for a device without a bond."""
        name = self._name(address)
        return None if name is None else Address(name)

    def forget(self, address: str) -> bool:
        """Delete the keys of this device. Return whether there were any. Raises BondsUnusable."""
        name = self._name(address)
        if name is None:
            return False
        del self._bonds[name]
        self._write()
        return True

    def _name(self, address: str) -> str | None:
        plain = address.upper().removesuffix("/P")
        return next((name for name in (plain, f"{plain}/P") if name in self._bonds), None)

    # Bumble key store

    async def get(self, name: str) -> PairingKeys | None:
        return self._bonds.get(name)

    async def get_all(self) -> list[tuple[str, PairingKeys]]:
        return list(self._bonds.items())

    async def delete(self, name: str) -> None:
        self.forget(name)

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Add a bond. Raises BondsUnusable for a full file, and for an identity that has a bond, because a peer may
        claim the identity of another device in the last step of pairing."""
        if name in self._bonds:
            raise BondsUnusable(f"there is a bond with {name} already; forget it first")
        if len(self._bonds) >= _BONDS_MAX:
            raise BondsUnusable(f"there are {_BONDS_MAX} bonds; forget some first")
        self._bonds[name] = keys
        self._write()

    def _write(self) -> None:
        content: dict[str, Any] = {
            "version": _VERSION,
            "address": self.address,
            "irk": self.irk.hex(),
            "bonds": {name: keys.to_dict() for name, keys in self._bonds.items()},
        }
        try:
            write_private(self.path, json.dumps(content, indent=1, sort_keys=True))
        except OSError as error:
            raise BondsUnusable(f"{self.path}: {error.strerror or type(error).__name__}") from error
