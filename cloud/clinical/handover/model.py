"""A share link, and when it ends."""

from dataclasses import dataclass

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLink:
    """A link that a vehicle reported. `added_at_us` is the time at which the cloud received it. `revoked_by`: the id of
    a crew member, or `operator`. `announced_at_us`: its hand-over was announced by an event; None: not yet."""

    tenant_id: str
    id: str
    token_hash: str
    encounter_id: str
    organization_id: str
    vehicle_id: str
    author: str
    added_at_us: int
    revoked_at_us: int | None = None
    revoked_by: str | None = None
    announced_at_us: int | None = None


@dataclass(frozen=True, slots=True)
class LinkPeriod:
    """The validity of links in hours: after the arrival, and at most."""

    after_arrival_h: int
    most_h: int

    def end_us(self, link: ShareLink, arrived_at_us: int | None) -> int:
        """Return when a link expires. `arrived_at_us` is the time at which the cloud learnt of the arrival, None before
        it: by the cloud's clock, since that of the vehicle may be wrong."""
        most_us = link.added_at_us + self.most_h * _HOUR_US
        if arrived_at_us is None:
            return most_us
        return min(most_us, max(link.added_at_us, arrived_at_us) + self.after_arrival_h * _HOUR_US)

    def first_us(self, now_us: int) -> int:
        """Return the time before which every link that was added has expired."""
        return now_us - self.most_h * _HOUR_US
