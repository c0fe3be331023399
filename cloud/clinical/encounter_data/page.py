"""A page of JSON texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """JSON texts of a page, and the position after which the next one begins; None on the last page."""

    lines: Sequence[str]
    next: Any
