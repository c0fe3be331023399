"""Data classes of retention periods and legal holds, and the change of a period."""

from dataclasses import dataclass

from cloud.foundation.retention import Amount, Held, HoldScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold. `object_id` is the id of the tenant, gateway, device, encounter or incident, by `scope`. `reason`
    is a reference such as a case number. `released_at_us` is None while the hold is in force."""

    id: str
    tenant_id: str
    scope: HoldScope
    object_id: str
    reason: str
    placed_at_us: int
    placed_by: str
    released_at_us: int | None = None
    released_by: str | None = None

    @property
    def held(self) -> Held:
        return Held(self.tenant_id, self.scope, self.object_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The retention period of one kind of data of a tenant. `days` None: kept without end. `is_default`: the tenant has
    no period of its own for this kind. `is_held`: the whole tenant is under a legal hold, so nothing is deleted."""

    kind: str
    meaning: str
    days: int | None
    is_default: bool
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodChange:
    """A change of a period. `deleted` is how much of the tenant's stored data is older than the new period, known only
    before the change is made."""

    kind: str
    before_days: int | None
    after_days: int | None
    deleted: Amount | None = None

    @property
    def is_shortening(self) -> bool:
        if self.after_days is None:
            return False
        return self.before_days is None or self.after_days < self.before_days
