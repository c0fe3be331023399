"""Errors of the store, each with what an operator has to do.

A refusal is a `Diagnosis` of three sentences: what happened, what it means for the record, what to do. No text here
ever holds a payload, a key or a device's value.
"""

from dataclasses import dataclass
from enum import Enum


class Trouble(Enum):
    """Reasons for which a store cannot be used, by what the gateway does about it (`keeping.py`)."""

    MISSING = "missing"
    """No file. Nothing is created: a disk that is not mounted looks like this."""
    IN_USE = "in use"
    """Another process writes to it."""
    BUSY = "busy"
    """Something holds its lock; it is tried again."""
    FULL = "full"
    """The disk has no room even to open it; it is tried again."""
    DAMAGED = "damaged"
    """The file is not a whole store. It is set aside and a spare store takes its place."""
    FOREIGN = "foreign"
    """A store of another gateway, key, program or release. Set aside like a damaged one."""
    DISK = "disk"
    """The disk refused to read or write the file. Set aside where its folder can be written."""
    ROLLED_BACK = "rolled back"
    """The file holds less than was committed to it. Continuing would fork its chain, so it is set aside."""

    FORKED = "forked"
    """The cloud holds a later history of its epoch, and no other gateway is in service: it is an older copy that was
    put back. Set aside; what the gateway measured with it is carried over, because the cloud has other batches under
    its numbers."""

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
    """The store cannot be worked with. `diagnosis` explains why; the file is left exactly as it was."""

    def __init__(self, diagnosis: Diagnosis, trouble: Trouble = Trouble.DISK) -> None:
        self.diagnosis = diagnosis
        self.trouble = trouble
        super().__init__(str(diagnosis))


class StoreExists(BufferError):
    """A store is there already; creating another in its place would begin a second history."""


class StoreFull(BufferError):
    """The store has only its reserve left: events, ePCR and gap records are still stored, observations are not."""


class BufferClosed(BufferError):
    """The buffer is closed, or closing."""
