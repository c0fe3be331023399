"""Errors about retention periods and legal holds."""

from cloud.foundation.errors import PrivateError


class KindUnknown(PrivateError, code="retention_kind_unknown", status=404):
    """There is no such kind of data. Run `argus-cloud retention show` for the list."""


class PeriodRefused(PrivateError, code="retention_period_refused", status=422):
    """This retention period is not allowed. Nothing was changed."""


class ShorteningUnconfirmed(PrivateError, code="retention_shortening_unconfirmed", status=409):
    """A shorter period deletes data that cannot be restored. Nothing was changed. Confirm it with --yes."""


class HoldScopeUnclear(PrivateError, code="retention_hold_scope_unclear", status=422):
    """A hold has exactly one scope: --all, --gateway, --device, --encounter or --incident."""


class HoldReasonMalformed(PrivateError, code="retention_hold_reason_malformed", status=422):
    """The reason of a hold has 1 to 200 characters and is not blank. Use a case number, never patient data."""


class HoldTaken(PrivateError, code="retention_hold_taken", status=409):
    """This hold is already in force."""


class HoldsTooMany(PrivateError, code="retention_holds_too_many", status=409):
    """The tenant has too many holds. Release some, or hold the whole gateway or tenant instead."""


class HoldUnknown(PrivateError, code="retention_hold_unknown", status=404):
    """Hold not found, or already released. Run `argus-cloud retention show` for the holds in force."""
