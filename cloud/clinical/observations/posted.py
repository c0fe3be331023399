"""An observation that an application posts: its identity, and what is kept of it.

It lives in the same table as what vehicles send. There a live observation is (gateway, epoch, lane, sequence, index);
a posted one stands in the lane of applications (`API_LANE_ID`) at a sequence of its own, index 0, and that sequence is
also its public id. The sequence is 42 bits of milliseconds and the 21 low bits of a ULID: it grows with time, tells
nobody how many there are, and two processes that hit the same one are told apart by the primary key (the second takes
a new one). Seeded ids give the same sequence again, as the sandbox needs.
"""

from dataclasses import dataclass

from cloud.clinical.observations.vocabulary import Measured
from cloud.foundation.ids import ALPHABET, Ids

_RANDOM_BITS = 21
_ID_LETTERS = 13  # 63 bits, five a letter


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedObservation:
    """What was posted. `value` is in `measured.unit_code`; times are µs since 1970 UTC."""

    sequence: int
    device_id: str
    measured: Measured
    value: float
    observed_at_us: int
    received_at_us: int
    encounter_id: str | None

    @property
    def seen_us(self) -> int:
        """When the device was there: a clock that is ahead does not move it into the future."""
        return min(self.observed_at_us, self.received_at_us)

    @property
    def id(self) -> str:
        """The public id, `obs_…`."""
        return public_id(self.sequence)


def new_sequence(ids: Ids) -> int:
    """A fresh place in the lane of applications."""
    ulid = 0
    for letter in ids.new(""):
        ulid = ulid << 5 | ALPHABET.index(letter)
    milliseconds = ulid >> 80
    return (milliseconds & (1 << 42) - 1) << _RANDOM_BITS | ulid & (1 << _RANDOM_BITS) - 1


def public_id(sequence: int) -> str:
    """The id that stands for a sequence."""
    return "obs_" + "".join(ALPHABET[sequence >> 5 * place & 31] for place in range(_ID_LETTERS - 1, -1, -1))
