"""The object store: large immutable objects by name, in a folder of this machine or in a bucket of an S3 service."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.objects.errors import ObjectDamaged, ObjectMissing, ObjectStoreUnavailable
    from cloud.foundation.objects.examination import examine_store
    from cloud.foundation.objects.local import LocalObjects
    from cloud.foundation.objects.opening import object_place_of, object_store_of
    from cloud.foundation.objects.s3 import S3Objects
    from cloud.foundation.objects.store import ListedObject, ObjectStore, StoredObject
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, settings={"objects": "settings:ObjectsSection"})
