"""Errors of the store.

The error of an unusable store has a `Diagnosis` of three sentences: what happened, what it means for the patient
record, what to do. No text here ever contains a payload, a key or a device's value.
"""

from dataclasses import dataclass
from enum import Enum


class Trouble(Enum):
    """Reasons why a store cannot be used, each with the reaction of a running gateway (`store_in_use.py`)."""

    MISSING = "missing"
    """There is no file. No store is created, because a disk that is not mounted looks the same."""
    IN_USE = "in use"
    """Another process has the store open for writing."""
    BUSY = "busy"
    """The store is locked. Opening is retried."""
    FULL = "full"
    """The disk has no room even to open the store. Opening is retried."""
    DAMAGED = "damaged"
    """The file is not an intact store. It is set aside, and a spare store replaces it."""
    FOREIGN = "foreign"
    """The file belongs to another gateway, key or program, or to a newer release. It is set aside like a damaged one.
    """
    DISK = "disk"
    """The disk failed to read or write the file. It is set aside if its folder is writable."""
    ROLLED_BACK = "rolled back"
    """The file lacks batches that were committed to it. Continuing would fork the hash chain, so it is set aside."""

    FORKED = "forked"
    """The cloud holds a later history of the store's epoch, and no other gateway uses this identity: the store was
    restored from an older copy. It is set aside. Measurements since it was opened are carried over to the spare store,
    because the cloud has other batches under their sequence numbers."""

    @property
    def sets_aside(self) -> bool:
        """Return whether a spare store replaces the file."""
        return self in (Trouble.DAMAGED, Trouble.FOREIGN, Trouble.DISK, Trouble.ROLLED_BACK, Trouble.FORKED)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Three sentences for a person: `happened`, what it `means` for the patient record, and what `to_do`."""

    happened: str
    means: str
    to_do: str

    def __str__(self) -> str:
        return f"{self.happened} {self.means} {self.to_do}"


class BufferError(Exception):
    """Base of the store's errors."""


class BufferUnusable(BufferError):
    """The store cannot be used. `diagnosis` states why. The file is left exactly as it was."""

    def __init__(self, diagnosis: Diagnosis, trouble: Trouble = Trouble.DISK) -> None:
        self.diagnosis = diagnosis
        self.trouble = trouble
        super().__init__(str(diagnosis))


class StoreExists(BufferError):
    """A store already exists at this path. Creating another one would begin a second history."""


class StoreFull(BufferError):
    """The record cannot be stored now. While only the reserve is left, events, ePCR and gap records are still stored,
    but no observations; without any store, nothing is."""


class BufferClosed(BufferError):
    """The buffer is closed, or closing."""
