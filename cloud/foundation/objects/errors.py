"""Errors of the object store."""

from cloud.foundation.errors import PrivateError


class ObjectMissing(PrivateError, code="object_missing"):
    """The object store has no object of this name. Restore it from a backup of the object store."""


class ObjectDamaged(PrivateError, code="object_damaged"):
    """The object is not the one that was stored. Restore it from a backup of the object store."""


class ObjectStoreUnavailable(PrivateError, code="object_store_unavailable", status=503):
    """The object store cannot be used at the moment."""
