"""A result is downloaded by its signed address, whole or in ranges, and by no other address."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from cloud.foundation.db import Database
from cloud.foundation.http import Host
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import Download, LocalObjects, Result, ResultLinks, Results
from cloud.foundation.objects.errors import LinkRefused
from cloud.foundation.objects.handlers import BLOCK_BYTES
from cloud.foundation.objects.links import LIFETIME_S
from cloud.foundation.objects.ranges import range_of
from cloud.foundation.objects.routes import routes
from tests.builders.http_surface import Surface, surface
from tests.builders.ingest_cloud import StoppedClock
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

ID = "job_1"
DATA = bytes(range(256)) * (BLOCK_BYTES // 128)  # two blocks
CSV = Download("text/csv; charset=utf-8", "observations.csv")


class Served:
    """A running API host with one result."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.clock = database, StoppedClock()
        self.objects = LocalObjects(folder / "objects")
        self.parts = make_parts(database, self.clock, sections={"objects_dir": str(folder / "objects")})  # type: ignore[dict-item]
        self.links = ResultLinks(self.objects, self.parts.master, self.parts.bases[Host.API], self.clock)

    async def store(self) -> Result:
        result = Result(ID, "tnt_north", await self.objects.put("results/tnt_north/20260101/A", DATA), CSV)
        async with self.database.transaction() as tx:
            await Results().keep(tx, result, self.clock.now_us())
        return result

    async def address(self, result: Result) -> str:
        url = (await self.links.link_to(result)).url
        base = self.parts.bases[Host.API]
        assert url.startswith(base)
        return url.removeprefix(base)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Surface, httpx.AsyncClient]]:
        async with (
            surface(*routes(self.parts), clock=self.clock) as served,
            httpx.AsyncClient(base_url=served.url(""), verify=PLAIN, timeout=WITHIN_S) as client,
        ):
            yield served, client


@pytest.fixture
def served(database: Database, tmp_path: Path) -> Served:
    return Served(database, tmp_path)


@pytest.mark.contract("A-080")
async def test_result_is_downloaded_whole_with_its_size_and_digest(served: Served) -> None:
    address = await served.address(await served.store())
    async with served.running() as (_, client):
        for _ in range(2):  # the connection is kept
            response = await client.get(address)
            assert response.status_code == 200
            assert response.content == DATA
        headers = response.headers
        assert headers["Content-Length"] == str(len(DATA))
        assert headers["Content-Type"] == "text/csv; charset=utf-8"
        assert headers["Content-Disposition"] == 'attachment; filename="observations.csv"'
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["ETag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
        head = await client.head(address)
        assert (head.content, head.headers["Content-Length"]) == (b"", str(len(DATA)))
        assert (await client.get(address, headers={"If-None-Match": headers["ETag"]})).status_code == 304


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [
        ("bytes=0-0", 0, 1),
        (f"bytes=10-{BLOCK_BYTES + 10}", 10, BLOCK_BYTES + 11),
        (f"bytes={len(DATA) - 3}-", len(DATA) - 3, len(DATA)),
        ("bytes=-5", len(DATA) - 5, len(DATA)),
        (f"bytes=5-{len(DATA) * 2}", 5, len(DATA)),
    ],
)
async def test_range_is_downloaded_alone(served: Served, wanted: str, first: int, end: int) -> None:
    address = await served.address(await served.store())
    async with served.running() as (_, client):
        response = await client.get(address, headers={"Range": wanted})
    assert response.status_code == 206
    assert response.content == DATA[first:end]
    assert response.headers["Content-Range"] == f"bytes {first}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize(
    ("header", "if_range", "chosen"),
    [
        ("bytes=2-4", None, (2, 3)),
        ("bytes=2-4", '"tag"', (2, 3)),
        ("bytes=2-4", '"other"', None),
        ("bytes=4-2", None, None),
        ("bytes=-", None, None),
        ("bytes=0-1,3-4", None, None),
        ("lines=0-1", None, None),
        (None, None, None),
    ],
)
def test_unusable_range_selects_the_whole(
    header: str | None, if_range: str | None, chosen: tuple[int, int] | None
) -> None:
    assert range_of(header, if_range, '"tag"', 10) == chosen


async def test_range_behind_the_end_is_refused_with_the_size(served: Served) -> None:
    address = await served.address(await served.store())
    async with served.running() as (_, client):
        response = await client.get(address, headers={"Range": f"bytes={len(DATA)}-"})
    assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


@pytest.mark.contract("S-143")
async def test_changed_or_expired_address_is_refused(served: Served) -> None:
    address = await served.address(await served.store())
    path, _, query = address.partition("?")
    expires, signature = (part.partition("=")[2] for part in query.split("&"))
    other = "/v1/downloads/job_2"
    refused = [
        path,
        f"{path}?expires={expires}",
        f"{path}?expires={int(expires) + 60}&signature={signature}",
        f"{path}?expires={expires}&signature={signature[:-2]}AA",
        f"{path}?expires={expires}&signature={signature}%00",
        f"{path}?expires={expires}&signature=%C3%A9",
        f"{other}?{query}",
        f"/v1/downloads/%2e%2e/master.key?{query}",
        f"/v1/downloads/..%2F..%2Fmaster.key?{query}",
        f"/v1/downloads//etc/passwd?{query}",
        f"/v1/downloads/%2Fetc%2Fpasswd?{query}",
    ]
    async with served.running() as (_, client):
        for each in refused:
            response = await client.get(each)
            # A NUL is refused earlier, as in every query.
            assert response.status_code == (400 if "%00" in each else 403), each
            assert signature not in response.text
        assert (await client.put(address, content=b"changed")).status_code == 403
        assert (await client.get(address)).status_code == 200
        served.clock.at_us += LIFETIME_S * 1_000_000
        response = await client.get(address)
        assert (response.status_code, response.json()["code"]) == (403, "link_refused")


async def test_dot_segments_as_sent_are_refused(served: Served) -> None:
    query = (await served.address(await served.store())).partition("?")[2]
    async with served.running() as (running, _):
        reader, writer = await asyncio.open_connection(*running.at())
        target = f"/v1/downloads/../../master.key?{query}"
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 403 ")
        writer.close()


async def test_key_of_addresses_is_not_that_of_another_purpose(served: Served) -> None:
    result = await served.store()
    made = {(await served.links.link_to(result)).url}
    master = served.parts.master()
    assert master.derive("addresses of results") != master.derive("pseudonyms tnt_north")
    again = ResultLinks(served.objects, served.parts.master, served.parts.bases[Host.API], served.clock)
    assert {(await again.link_to(result)).url} == made  # another process of the same installation


async def test_address_that_a_former_master_key_signed_is_refused(served: Served) -> None:
    first, second = bytes(range(32)), bytes(32)

    def links(master: MasterKey) -> ResultLinks:
        return ResultLinks(served.objects, lambda: master, served.parts.bases[Host.API], served.clock)

    async def parts(made: ResultLinks) -> tuple[str, str, str]:
        expires, signature = parse_qs(urlsplit((await made.link_to(result)).url).query).values()
        return ID, expires[0], signature[0]

    result = await served.store()
    prepared, rotated = links(MasterKey(first, successor=second)), links(MasterKey(second, former=[first]))
    with pytest.raises(LinkRefused):
        rotated.check(*await parts(prepared))
    # The rotated process signs, and the other one has not read the key file again yet.
    prepared.check(*await parts(rotated))


@pytest.mark.contract("A-079")
@pytest.mark.parametrize("wanted", [{}, {"Range": "bytes=0-3"}])
async def test_result_that_was_cut_behind_its_first_block_is_reported_as_expired(
    served: Served, wanted: dict[str, str]
) -> None:
    result = await served.store()
    await served.objects.put(result.stored.name, DATA[:-1])
    async with served.running() as (_, client):
        response = await client.get(await served.address(result), headers=wanted)
    assert (response.status_code, response.json()["code"]) == (410, "result_expired")


@pytest.mark.contract("A-079")
async def test_removed_or_damaged_result_is_reported_as_expired(served: Served) -> None:
    result = await served.store()
    address = await served.address(result)
    async with served.running() as (_, client):
        await served.objects.put(result.stored.name, b"cut short")
        assert (await client.get(address)).status_code == 410
        await served.objects.remove(result.stored.name)
        assert (await client.get(address)).status_code == 410
        async with served.database.transaction() as tx:
            await Results().release(tx, [ID], served.clock.now_us())
        response = await client.get(address)
    assert (response.status_code, response.json()["code"]) == (410, "result_expired")
