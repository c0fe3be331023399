"""A bucket of an S3 service: chosen by one setting, and its errors contain no secret."""

import asyncio
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
from cloud.foundation.objects.links import LIFETIME_S
from cloud.foundation.settings import SettingsUnusable
from cloud.settings import read_settings
from tests.builders.cloud_settings import settings_file
from tests.cloud.objects.conftest import configured
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN
from tests.harness.s3_service import BUCKET, SECRET, S3Service, bucket_settings

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
    async with httpx.AsyncClient(verify=PLAIN, timeout=WITHIN_S) as client:
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


@pytest.mark.contract("S-143")
async def test_presigned_address_permits_to_read_one_object_for_its_lifetime(
    tmp_path: Path, s3_service: S3Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix=tmp_path.name))
    for name in ("w/one", "w/other"):
        await store.put(name, name.encode())
    address = await store.link("w/one", LIFETIME_S)
    assert address is not None
    path, _, query = address.partition("?")
    unsigned = "&".join(one for one in query.split("&") if not one.startswith("X-Amz-Signature="))
    refused = [
        path,
        f"{path}?{unsigned}",
        f"{path}?{query[:-1]}{'0' if query[-1] != '0' else '1'}",
        address.replace(f"X-Amz-Expires={LIFETIME_S}", f"X-Amz-Expires={LIFETIME_S + 1}"),
        address.replace("w/one", "w/other"),
        address.replace("w/one", "w/%2e%2e/w/other"),
        address.replace("w/one", "w/one%2f..%2fother"),
    ]
    assert len(set(refused) - {address}) == len(refused)
    async with httpx.AsyncClient(verify=PLAIN, timeout=WITHIN_S) as client:
        for each in refused:
            assert (await client.get(each)).status_code == 403, each
        for method in ("PUT", "DELETE", "POST", "HEAD"):
            assert (await client.request(method, address)).status_code == 403, method
        assert (await client.get(address)).content == b"w/one"
        monkeypatch.setattr(s3_service.presigned, "ahead_s", LIFETIME_S + 1)
        assert (await client.get(address)).status_code == 403


@pytest.mark.parametrize("moment", ["between parts", "after the last part"])
async def test_cancelled_join_leaves_neither_an_incomplete_upload_nor_an_object(
    tmp_path: Path, s3_service: S3Service, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    store = configured(tmp_path, bucket_settings(tmp_path, s3_service, prefix=tmp_path.name))
    parts = [await store.put(f"w/part{number}", b"1") for number in range(2)]
    stopping = parts[0] if moment == "between parts" else parts[-1]
    read = store.read

    async def stop_and_read(part: StoredObject) -> bytes:
        data = await read(part)
        if part is stopping:
            assert len(s3_service.client.list_multipart_uploads(Bucket=BUCKET)["Uploads"]) == 1
            # When the join has the data, it has not seen the cancellation yet.
            asyncio.get_running_loop().call_soon(joining.cancel)
        return data

    monkeypatch.setattr(store, "read", stop_and_read)
    joining = asyncio.ensure_future(store.join("w/joined", parts, Download("text/csv", "observations.csv")))
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert "Uploads" not in s3_service.client.list_multipart_uploads(Bucket=BUCKET)
    assert [one.name async for page in store.pages("w") for one in page] == ["w/part0", "w/part1"]
