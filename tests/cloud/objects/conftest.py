"""The two object stores: a folder, and a bucket of an S3 service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.foundation.objects import ObjectStore, object_store_of
from cloud.settings import read_settings
from tests.builders.cloud_settings import settings_file
from tests.harness.s3_service import S3Service, bucket_settings, running_s3_service


@pytest.fixture(scope="session")
def s3_service() -> Iterator[S3Service]:
    with running_s3_service() as service:
        yield service


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return configured(tmp_path, "")
    service: S3Service = request.getfixturevalue("s3_service")
    return configured(tmp_path, bucket_settings(tmp_path, service, prefix=tmp_path.name))


def configured(folder: Path, more: str) -> ObjectStore:
    """Return the object store of a settings file in `folder` with these sections."""
    store = object_store_of(read_settings(settings_file(folder, more=more)))
    assert store is not None
    return store
