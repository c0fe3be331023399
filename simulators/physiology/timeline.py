"""A scenario: rows of changes with their times, in patient seconds.

Rows are data and carry no behaviour; `physiology.patient` plays them. A scenario changes the parameters of `Condition`,
changes the rhythm and gives treatment; the vital signs follow from the model. After the last row the patient stays as
it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulators.physiology.condition import CONDITION_NAMES, Rhythm


@dataclass(frozen=True, slots=True)
class Turn:
    """Ramp these parameters of `Condition` to new values, over this many seconds (0: at once)."""

    at_s: float
    knobs: Mapping[str, float]
    over_s: float = 0.0

    def __post_init__(self) -> None:
        unknown = set(self.knobs) - CONDITION_NAMES
        assert not unknown, f"a scenario turns knobs that do not exist: {sorted(unknown)}"


@dataclass(frozen=True, slots=True)
class Become:
    """A change of the heart's rhythm."""

    at_s: float
    rhythm: Rhythm


@dataclass(frozen=True, slots=True)
class Compress:
    """Chest compressions with this rate and depth from here on; rate 0 stops them."""

    at_s: float
    per_min: float
    depth_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Shock:
    """A shock, and the rhythm after it (None: it changes nothing)."""

    at_s: float
    energy_j: float
    impedance_ohm: float
    rhythm: Rhythm | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The pacer's rate and current from here on; rate 0 switches it off."""

    at_s: float
    per_min: float
    current_ma: float = 0.0


Row = Turn | Become | Compress | Shock | Pace


@dataclass(frozen=True, slots=True)
class Scenario:
    """A course of events. `rows` are in order of time. `start` are the parameters at second 0."""

    name: str
    rows: tuple[Row, ...] = ()
    start: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times = [row.at_s for row in self.rows]
        assert times == sorted(times), f"the rows of scenario {self.name} are not in order of time"
