"""The docs host offers the verification page of the SDK for TypeScript, and the guides state its hash."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from cloud.foundation.http import Host, Route
from cloud.foundation.pages import Language
from cloud.partners.docs.site import DocsSite
from tests.builders.http_surface import surface
from tests.harness.eventually import WITHIN_S
from tests.tidy.sources import ROOT

BUILT = Path(ROOT) / "sdk" / "typescript" / "page" / "argus-verify.html"


@pytest.mark.contract("C-234")
async def test_verification_page_is_a_download_whose_sha256_the_guides_state(
    published: tuple[Sequence[Route], bytes], site: DocsSite
) -> None:
    rows = [row for row in published[0] if row.path.startswith("/downloads/")]
    async with (
        surface(*rows) as served,
        httpx.AsyncClient(base_url=served.url("", Host.DOCS), trust_env=False, timeout=WITHIN_S) as client,
    ):
        found = await client.get("/downloads/argus-verify.html")
        again = await client.get("/downloads/argus-verify.html", headers={"If-None-Match": found.headers["ETag"]})
    assert found.content == BUILT.read_bytes()
    assert found.headers["Content-Disposition"] == 'attachment; filename="argus-verify.html"'
    assert again.status_code == 304
    for language in Language:
        page = (await site.page(language, "guide", "provenance")).html.decode()
        assert hashlib.sha256(found.content).hexdigest() in page
        assert "https://docs.example.org/downloads/argus-verify.html" in page
