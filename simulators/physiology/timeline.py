"""Scenario as data: a list of timed events in patient time (seconds since the patient began).

`physiology.patient` executes the events. They change parameters of `Condition`, change the rhythm, or give treatment;
the vital signs follow from the model. After the last event no parameter changes any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulators.physiology.condition import CONDITION_NAMES, Rhythm


@dataclass(frozen=True, slots=True)
class Turn:
    """Event: the parameters of `Condition` named in `knobs` change to new values, gradually over `over_s` seconds (0:
    at once)."""

    at_s: float
    knobs: Mapping[str, float]
    over_s: float = 0.0

    def __post_init__(self) -> None:
        unknown = set(self.knobs) - CONDITION_NAMES
        assert not unknown, f"a scenario turns knobs that do not exist: {sorted(unknown)}"


@dataclass(frozen=True, slots=True)
class Become:
    """Event: the rhythm of the heart changes."""

    at_s: float
    rhythm: Rhythm


@dataclass(frozen=True, slots=True)
class Compress:
    """Event: chest compressions begin or change to this rate and depth; rate 0 ends them."""

    at_s: float
    per_min: float
    depth_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Shock:
    """Event: a defibrillation shock. `rhythm` is the rhythm after the shock; None: the rhythm does not change."""

    at_s: float
    energy_j: float
    impedance_ohm: float
    rhythm: Rhythm | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """Event: the pacer is set to this rate and current; rate 0 switches it off."""

    at_s: float
    per_min: float
    current_ma: float = 0.0


Row = Turn | Become | Compress | Shock | Pace


@dataclass(frozen=True, slots=True)
class Scenario:
    """Course of events: `rows` in order of time. `start` are the parameters of `Condition` at second 0."""

    name: str
    rows: tuple[Row, ...] = ()
    start: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times = [row.at_s for row in self.rows]
        assert times == sorted(times), f"the rows of scenario {self.name} are not in order of time"
