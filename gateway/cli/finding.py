"""What `doctor` finds: one sentence in three parts, and how bad it is."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["well", "unwise", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is one word; `sentence` says what, so what, and what to do."""

    grade: Grade
    subject: str
    sentence: str
