"""An observation that an application posts: its identity and its stored fields.

The key of a gateway's observation is (gateway, epoch, lane, sequence, index): an epoch is one life of the gateway's
store, a lane is one of its numbered streams of batches. A posted observation has the lane of applications
(`API_LANE_ID`), a sequence of its own and the index 0. Its public id is made from this sequence.

The sequence has 42 bits of milliseconds and the 21 low bits of a ULID: it grows with time, does not reveal the number
of observations, and is repeatable with seeded ids, which the sandbox needs. When two processes draw the same sequence,
the primary key rejects the second row, and its process draws again.
"""

from dataclasses import dataclass

from cloud.clinical.observations.vocabulary import Measured
from cloud.foundation.ids import ALPHABET, Ids

_RANDOM_BITS = 21
_ID_LETTERS = 13  # 63 bits, five for each letter


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedObservation:
    """An observation that an application posts. `measured.unit_code` is the unit of `value`; times are µs since 1970
    UTC."""

    sequence: int
    device_id: str
    measured: Measured
    value: float
    observed_at_us: int
    received_at_us: int
    encounter_id: str | None

    @property
    def seen_us(self) -> int:
        """Return the device's last-seen time: the observed time, but not later than the reception."""
        return min(self.observed_at_us, self.received_at_us)

    @property
    def id(self) -> str:
        """Return the public id of the observation, `obs_…`."""
        return public_id(self.sequence)


def new_sequence(ids: Ids) -> int:
    """Generate the sequence of an observation that an application posts: a number that grows with time."""
    ulid = 0
    for letter in ids.new(""):
        ulid = ulid << 5 | ALPHABET.index(letter)
    milliseconds = ulid >> 80
    return (milliseconds & (1 << 42) - 1) << _RANDOM_BITS | ulid & (1 << _RANDOM_BITS) - 1


def sequence_at(at_us: int) -> int:
    """Return the lowest sequence of an observation that is posted at this time."""
    return (at_us // 1000 & (1 << 42) - 1) << _RANDOM_BITS


def time_of_sequence(sequence: int) -> int:
    """Return the time at which the observation with this sequence was posted."""
    return (sequence >> _RANDOM_BITS) * 1000


def public_id(sequence: int) -> str:
    """Return the public id of the posted observation with this sequence."""
    return "obs_" + "".join(ALPHABET[sequence >> 5 * place & 31] for place in range(_ID_LETTERS - 1, -1, -1))
