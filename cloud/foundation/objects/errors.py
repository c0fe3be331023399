"""Errors of the object store."""

from cloud.foundation.errors import PrivateError
from cloud.foundation.http import Refused


class ObjectMissing(PrivateError, code="object_missing"):
    """The object store has no object of this name. Restore it from a backup of the object store."""


class ObjectDamaged(PrivateError, code="object_damaged"):
    """The object is not the one that was stored. Restore it from a backup of the object store."""


class ObjectStoreUnavailable(PrivateError, code="object_store_unavailable", status=503):
    """The object store cannot be used at the moment."""


class TooManyPieces(Refused, code="too_many_uploads", status=409):
    """The app or the tenant has too many uploads, or uploads of too many bytes. Each is removed when its job has ended,
    and two days after it was sent."""


class LinkRefused(Refused, code="link_refused", status=403):
    """The address of the result is incomplete, was changed, or has expired, or the method is not GET. Request a new
    address from the object that has the result."""


class ResultExpired(Refused, code="result_expired", status=410):
    """The result is no longer stored: its retention period has ended, or its file was lost. Start the work again for a
    new result."""


class RangeNotSatisfiable(Refused, code="range_not_satisfiable", status=416):
    """The requested range begins behind the end of the result."""
