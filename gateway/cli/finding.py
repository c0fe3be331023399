"""One finding of `doctor`: a sentence in three parts, and its severity."""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["well", "unwise", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `subject` is one word; `sentence` states what was found, what it means, and what to do."""

    grade: Grade
    subject: str
    sentence: str
