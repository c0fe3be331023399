"""The object store: large immutable objects by name, in a folder of this machine or in a bucket of an S3 service;
results, which a tenant downloads by a signed address; and files that a client sends for a job."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.foundation.objects.errors import ObjectDamaged, ObjectMissing, ObjectStoreUnavailable, ResultExpired
    from cloud.foundation.objects.examination import examine_store
    from cloud.foundation.objects.links import ResultLinks
    from cloud.foundation.objects.local import LocalObjects
    from cloud.foundation.objects.opening import object_place_of, object_store_of
    from cloud.foundation.objects.received import (
        NAMED_US_MAX,
        PIECE_BYTES_MAX,
        PIECE_ID,
        ReceivedPieces,
        size_of_piece,
        stored_piece,
    )
    from cloud.foundation.objects.results import Result, Results
    from cloud.foundation.objects.s3 import S3Objects
    from cloud.foundation.objects.store import (
        JOINED_BYTES_MAX,
        Download,
        ListedObject,
        ObjectStore,
        StoredObject,
        is_stored,
    )
    from cloud.foundation.objects.sweeping import ResultSweeper, may_be_removed
    from cloud.foundation.objects.upload import PART_BYTES, ResultUpload, UploadMark
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    tags={"Downloads": "Results of jobs, by signed addresses."},
    tables="tables",
    routes=("routes:routes",),
    jobs="jobs:jobs",
    settings={"objects": "settings:ObjectsSection"},
)
