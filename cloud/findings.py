"""What `argus-cloud doctor` finds: a part, how serious it is, and a sentence."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a finding is meant: fine, worth knowing, or in the way."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: str
    level: Level
    sentence: str
