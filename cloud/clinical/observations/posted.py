"""An observation that an application posts: its identity and its stored fields.

It is stored in the same table as the observations of vehicles. There a live observation is (gateway, epoch, lane,
sequence, index). A posted one is in the lane of applications (`API_LANE_ID`) at a sequence of its own, index 0, and
that sequence is also its public id.

The sequence is 42 bits of milliseconds and the 21 low bits of a ULID. It grows with time and does not reveal the number
of observations. When two processes draw the same sequence, the primary key rejects the second, which draws a new one.
Seeded ids give the same sequences again, as the sandbox needs.
"""

from dataclasses import dataclass

from cloud.clinical.observations.vocabulary import Measured
from cloud.foundation.ids import ALPHABET, Ids

_RANDOM_BITS = 21
_ID_LETTERS = 13  # 63 bits, five for each letter


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedObservation:
    """A posted observation. `value` is in `measured.unit_code`; times are µs since 1970 UTC."""

    sequence: int
    device_id: str
    measured: Measured
    value: float
    observed_at_us: int
    received_at_us: int
    encounter_id: str | None

    @property
    def seen_us(self) -> int:
        """Return the time for the device's last-seen time. A device's clock that is ahead does not move it into the
        future.
        """
        return min(self.observed_at_us, self.received_at_us)

    @property
    def id(self) -> str:
        """Return the public id, `obs_…`."""
        return public_id(self.sequence)


def new_sequence(ids: Ids) -> int:
    """Return a new sequence in the lane of applications."""
    ulid = 0
    for letter in ids.new(""):
        ulid = ulid << 5 | ALPHABET.index(letter)
    milliseconds = ulid >> 80
    return (milliseconds & (1 << 42) - 1) << _RANDOM_BITS | ulid & (1 << _RANDOM_BITS) - 1


def public_id(sequence: int) -> str:
    """Return the public id of a sequence."""
    return "obs_" + "".join(ALPHABET[sequence >> 5 * place & 31] for place in range(_ID_LETTERS - 1, -1, -1))
