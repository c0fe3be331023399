"""Findings of `argus-cloud doctor`: the examined part, a level, and a sentence."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Level of a finding: no problem, a warning, or a fault."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one examination of `argus-cloud doctor`."""

    part: str
    level: Level
    sentence: str
