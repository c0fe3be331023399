"""The guides exist in both languages with the same structure, and lead only to pages and routes that exist."""

import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.foundation.pages import Language, translate
from cloud.partners.docs import guides
from cloud.partners.docs.guides import GUIDES, anchor_of
from cloud.partners.docs.site import DocsSite
from cloud.partners.docs.words import WORDS
from cloud.partners.webhooks.signing import Signer, secret_key
from protocols.provenance.reasons import Reason
from tests.harness.guide_blocks import commands_in_prose
from tests.harness.scripted_api import scripted_server
from tests.harness.shared import shared_path

FOLDER = Path(guides.__file__).parent / "guides"
SOURCES = sorted(FOLDER.rglob("*.md"))


def source(language: str, name: str) -> str:
    return (FOLDER / language / f"{name}.md").read_text()


def test_each_language_has_exactly_the_listed_guides() -> None:
    assert {(path.parent.name, path.stem) for path in SOURCES} == {
        (language.value, name) for language in Language for name in GUIDES
    }


@pytest.mark.parametrize("name", GUIDES)
def test_guide_has_the_same_parts_codes_and_links_in_both_languages(name: str) -> None:
    english, polish = source("en", name), source("pl", name)
    for pattern in (r"(?m)^```.*$", r"(?m)^#+ ", r"(?m)^\| `[^|]*", r"\]\((?:operation:)?[A-Za-z-]+(?:\.md)?[)#]"):
        assert sorted(set(re.findall(pattern, english))) == sorted(set(re.findall(pattern, polish))), pattern
    blocks = re.findall(r"(?ms)^```.*?^```", english)
    assert blocks == re.findall(r"(?ms)^```.*?^```", polish)
    assert len(blocks) == english.count("```") // 2


@pytest.mark.parametrize("language", ["en", "pl"])
@pytest.mark.parametrize("name", GUIDES)
def test_commands_of_a_guide_are_in_its_code_blocks_which_stories_run(name: str, language: str) -> None:
    # `make demo` starts the demo beside which the stories run.
    assert set(commands_in_prose(name, language)) <= {"make demo"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_anchor_in_a_link_between_guides_is_a_heading_there(path: Path) -> None:
    for name, anchor in re.findall(r"\]\(([a-z-]+)\.md#([^)]+)\)", path.read_text()):
        headings = re.findall(r"(?m)^#+ (.+)$", source(path.parent.name, name))
        assert anchor in {anchor_of(heading) for heading in headings}, (name, anchor)


@pytest.mark.contract("C-005", "C-276")
def test_guides_name_only_paths_of_the_public_contract(document: dict[str, Any]) -> None:
    public = document["paths"].keys() | {"/api/docs/events", "/problems", "/.well-known/deprecations.json"}
    public |= {"/api/v1/epcr/encounters/{}/mission"}  # an extension: docs/deviations.md
    documented = {re.sub(r"\{[^}]+\}", "{}", path) for path in public}
    examples = {"/api/v1/devices/enrol", "/v1/oauth/token"}
    for path in SOURCES:
        text = re.sub(r"\{[^}\n]*\}|<[a-z_]+>", "{}", path.read_text())
        named = set(
            re.findall(r"(?<![\w.])(?:https://\w+\.example\.org)?(/(?:api/|v1/|\.well-known/)[\w./{}-]+)", text)
        )
        unknown = {one.rstrip(".") for one in named} - documented - examples
        assert {one for one in unknown if not one.endswith("ml-dsa-65")} == set(), path


async def test_guide_page_has_addresses_of_this_installation_and_no_markdown_left(site: DocsSite) -> None:
    for language in Language:
        for name in GUIDES:
            page = (await site.page(language, "guide", name)).html.decode().partition("<script>")[0]
            assert "operation:" not in page
            assert not re.search(r'href="[a-z-]+\.md', page)
            assert "](" not in page
            for target in re.findall(r'href="(/[^"#]*)', page):
                assert re.fullmatch(
                    rf"/(?:{language.value}/docs.*|(?:en|pl)/docs/guides/{name}|api/docs(?:/events)?\?language={language.value})",
                    target,
                )


@pytest.mark.contract("C-080")
def test_code_of_the_webhooks_guide_accepts_signatures_of_both_secrets_and_refuses_others() -> None:
    (code,) = re.findall(r"(?ms)^```python\n(.*?)^```", source("en", "webhooks"))
    found: dict[str, Any] = {"__name__": "guide"}
    exec(code, found)  # noqa: S102  the guide's own lines
    at_s = int(found["time"].time())
    new, old, other = "whsec_" + "QUJD" * 8, "an older secret of 24 bytes", "another secret of 24 bytes"
    body = b'{"type":"webhook.test"}'
    signer = Signer("whk_1", Ed25519PrivateKey.generate())
    headers = signer.headers("evt_1", at_s, body, [secret_key(new), secret_key(old)])
    assert [found["is_genuine"](secret, headers, body) for secret in (new, old, other)] == [True, True, False]
    assert not found["is_genuine"](new, headers, body + b" ")
    assert not found["is_genuine"](new, {**headers, "webhook-timestamp": str(at_s - 301)}, body)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert not found["is_genuine"](new, {key: value for key, value in headers.items() if key != name}, body)
        for value in ("", "v1,ü", "²", "\udcff", "-1", "soon", "9" * 5000):
            assert not found["is_genuine"](new, {**headers, name: value}, body), (name, value)


def test_code_of_the_rate_limits_guide_reads_every_page_and_waits_as_retry_after_requests(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept_s: list[float] = []
    monkeypatch.setattr(time, "sleep", slept_s.append)
    monkeypatch.setattr(random, "random", lambda: 0.25)
    monkeypatch.setenv("TOKEN", "a-token")

    def device(name: str) -> dict[str, Any]:
        return {"body": [{"id": name, "status": "active"}]}

    def jobs(name: str, following: str | None) -> dict[str, Any]:
        return {"body": {"jobs": [{"id": name, "status": "queued"}], "next_cursor": following}}

    link = '<{api}/api/v1/devices?limit=50&cursor=c2>; rel="next"'
    responses = [
        device("first"),
        device("page-1") | {"headers": {"Link": link}},
        {"status": 429, "headers": {"Retry-After": "7"}},
        {"status": 503},
        device("page-2"),
        jobs("job-1", "c3"),
        {"status": 503, "headers": {"Retry-After": "2"}},
        jobs("job-2", None),
    ]
    with scripted_server() as server:
        played = server.play([{"status": 200, **one} for one in responses])
        code = "\n".join(re.findall(r"(?ms)^```python\n(.*?)^```", source("en", "rate-limits")))
        found: dict[str, Any] = {}
        exec(code.replace("https://api.example.org", server.url), found)  # noqa: S102  the guide's own lines
        found["api"].close()
    printed = capsys.readouterr().out
    assert [word for word in ("page-1", "page-2", "job-1", "job-2") if word not in printed] == []
    assert slept_s == [7.25, 1.25, 2.25]
    devices, listing = "/api/v1/devices?limit=50", "/v1/jobs?limit=50"
    assert [one["path"] for one in played.requests] == [
        "/api/v1/devices",
        devices,
        *[f"{devices}&cursor=c2"] * 3,
        listing,
        *[f"{listing}&cursor=c3"] * 2,
    ]


@pytest.mark.contract("C-233", "C-234", "C-235")
@pytest.mark.parametrize("language", ["en", "pl"])
def test_provenance_guide_names_the_offline_helpers_and_what_only_the_server_verifies(language: str) -> None:
    text = source(language, "provenance")
    for name in ("evidence.verify_provenance_local(transcript", "evidence.verifyProvenanceLocal(transcript"):
        assert name in text
    assert "hmac-sha256" in text
    assert {"en": "authoritative", "pl": "Rozstrzyga sprawdzenie po stronie serwera"}[language] in text


@pytest.mark.parametrize("language", ["en", "pl"])
def test_provenance_guide_explains_each_reason_of_the_verification(language: str) -> None:
    text = source(language, "provenance")
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in text] == []


def test_texts_of_the_pages_exist_in_both_languages_and_have_the_same_facts() -> None:
    for key, (english, polish) in WORDS.items():
        assert polish, key
        assert english or key in ("reference.english", "english.names")
        assert re.findall(r"\{\w+\}", english) == re.findall(r"\{\w+\}", polish), key
    assert translate(WORDS, Language.PL, "search.title") == "Szukaj"


@pytest.mark.contract("C-014", "C-141")
@pytest.mark.parametrize("language", ["en", "pl"])
def test_changelog_has_a_part_for_each_version_in_which_an_operation_was_added(
    document: dict[str, Any], language: str
) -> None:
    added = {one["x-added-in"] for item in document["paths"].values() for one in item.values() if "x-added-in" in one}
    headings = re.findall(r"(?m)^## (\d.*)$", source(language, "changelog"))
    assert {f"v{heading}" for heading in headings} == added
    assert headings == sorted(headings, reverse=True)


@pytest.mark.contract("C-135", "C-276", "C-283")
def test_guide_to_on_request_areas_names_the_areas_of_the_contract() -> None:
    contract = shared_path("contract/seed.txt").read_text()
    for title in (
        "Platform control-plane APIs",
        "Curated GraphQL operation bundles",
        "Enterprise federation and SAML",
        "Telephony provider configuration",
    ):
        assert title in contract
        assert title in source("en", "on-request")


@pytest.mark.contract("C-136", "C-137", "C-139", "C-140", "C-143")
@pytest.mark.parametrize("language", ["en", "pl"])
def test_guide_describes_telephony_as_the_contract_does_and_names_no_operation(language: str) -> None:
    text = source(language, "on-request")
    carriers = ("VoIP.ms", "Twilio", "Telnyx", "Plivo", "Bandwidth", "SIP", "IAX2")
    scopes = ("argus:telephony:read", "argus:telephony:write")
    assert [word for word in (*carriers, *scopes) if word not in text] == []
    assert not re.search(r"telephony[A-Z]|mutation|query ", text)
