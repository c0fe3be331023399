"""Order in which a hand-over states its items."""

from enum import StrEnum


class Order(StrEnum):
    """Order of the items: IMIST-AMBO, or ATMIST for trauma."""

    IMIST_AMBO = "imist-ambo"
    ATMIST = "atmist"
