"""What goes wrong with the store, said so that an operator knows what to do.

A refusal is a `Diagnosis` of three sentences: what happened, what it means for the record, what to do. No text here
ever holds a payload, a key or a device's value.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Three sentences for a person: `happened`, what it `means` for the patient record, and what `to_do`."""

    happened: str
    means: str
    to_do: str

    def __str__(self) -> str:
        return f"{self.happened} {self.means} {self.to_do}"


class BufferError(Exception):
    """Something about the store; the subclasses say what."""


class BufferUnusable(BufferError):
    """The store cannot be worked with. `diagnosis` says why; the file is left exactly as it was."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis
        super().__init__(str(diagnosis))


class StoreExists(BufferError):
    """A store is there already; creating another in its place would begin a second history."""


class StoreFull(BufferError):
    """Only the reserve is left: events, ePCR and gap records still go in, observations do not."""


class BufferClosed(BufferError):
    """The buffer is closed, or closing."""
