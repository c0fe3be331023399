"""A bucket of an S3 service: chosen by one setting, and its errors contain no secret."""

from pathlib import Path

import httpx
import pytest

from cloud.foundation.objects import (
    Download,
    LocalObjects,
    ObjectMissing,
    ObjectStoreUnavailable,
    S3Objects,
    StoredObject,
    object_store_of,
)
from cloud.foundation.settings import SettingsUnusable
from cloud.settings import read_settings
from tests.builders.cloud_settings import settings_file
from tests.cloud.objects.conftest import bucket_settings, configured
from tests.harness.s3_service import BUCKET, SECRET, S3Service

POSTGRESQL = "postgresql://argus@db.example.org/argus"


async def test_one_setting_moves_objects_to_a_bucket_below_its_prefix(tmp_path: Path, s3_service: S3Service) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix="ambulances/one"))
    assert isinstance(store, S3Objects)
    await store.put("w/a", b"content")
    found = s3_service.client.get_object(Bucket=BUCKET, Key="ambulances/one/w/a")
    assert found["Body"].read() == b"content"
    assert [one.name async for page in store.pages("w") for one in page] == ["w/a"]


async def test_refused_request_is_reported_without_the_secret(tmp_path: Path, s3_service: S3Service) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix="p", bucket="absent-bucket"))
    with pytest.raises(ObjectStoreUnavailable) as caught:
        await store.put("w/a", b"1")
    assert SECRET not in caught.value.sentence
    assert caught.value.__suppress_context__


def test_objects_lie_beside_a_sqlite_database_and_for_postgresql_only_where_a_setting_says(tmp_path: Path) -> None:
    beside = object_store_of(read_settings(settings_file(tmp_path)))
    assert isinstance(beside, LocalObjects)
    assert object_store_of(read_settings(settings_file(tmp_path, database_url=POSTGRESQL))) is None
    named = settings_file(tmp_path, database_url=POSTGRESQL, more='objects_dir = "o"')
    assert isinstance(object_store_of(read_settings(named)), LocalObjects)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('objects_dir = "o"\n[objects]\nurl = "s3://b"', "exclude each other"),
        ('[objects]\nendpoint = "https://r2.example.org"', 'needs url = "s3://BUCKET"'),
        ('[objects]\nurl = "https://b"', 'write "s3://BUCKET"'),
        ('[objects]\nurl = "s3://b"\nendpoint = "r2.example.org"', "write the address of the service"),
    ],
)
def test_contradicting_settings_are_refused(tmp_path: Path, more: str, why: str) -> None:
    with pytest.raises(SettingsUnusable, match=why):
        read_settings(settings_file(tmp_path, more=more))


@pytest.mark.parametrize("content", [None, "", "only-one-line\n"])
def test_unusable_file_of_credentials_is_named_and_not_quoted(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "keys").write_text(content)
    settings = read_settings(settings_file(tmp_path, more='[objects]\nurl = "s3://b"\ncredentials_file = "keys"'))
    with pytest.raises(SettingsUnusable, match="keys") as caught:
        object_store_of(settings)
    assert "only-one-line" not in caught.value.sentence


@pytest.mark.contract("C-172")
async def test_address_of_a_joined_object_is_presigned_and_has_the_headers_of_a_download(
    tmp_path: Path, s3_service: S3Service
) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix="results-of/one"))
    part = await store.put("w/part", b"a,b\n")
    await store.join("w/joined", [part, part], Download("text/csv", "observations.csv"))
    url = await store.link("w/joined", 300)
    assert url is not None
    assert "X-Amz-Expires=300" in url
    assert SECRET not in url
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
    assert response.content == b"a,b\na,b\n"
    assert response.headers["Content-Type"] == "text/csv"
    assert response.headers["Content-Disposition"] == 'attachment; filename="observations.csv"'
    assert response.headers["Cache-Control"] == "private, no-store"


async def test_failed_join_leaves_no_incomplete_upload_in_the_bucket(tmp_path: Path, s3_service: S3Service) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix=tmp_path.name))
    part = await store.put("w/part", bytes(6_000_000))
    lost = StoredObject("w/lost", 1, part.sha256)
    with pytest.raises(ObjectMissing):
        await store.join("w/joined", [part, part, lost], Download("text/csv", "observations.csv"))
    assert "Uploads" not in s3_service.client.list_multipart_uploads(Bucket=BUCKET)
