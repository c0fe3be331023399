"""The OpenAPI document of a running cloud is valid for third-party tools, can be cached, and describes the real
responses.
"""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cloud.foundation.clock import SystemClock
from cloud.foundation.ids import UlidIds
from cloud.partners.discovery import DENYLIST, disagreements, is_denied
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.harness.eventually import WITHIN_S
from tests.harness.node import run_linter
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud

JSON, YAML = "/.well-known/openapi.json", "/.well-known/openapi.yaml"
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(cloud: RunningCloud) -> dict[str, Any]:
    with cloud.client() as client:
        found: dict[str, Any] = client.get(JSON).json()
    return found


@pytest.mark.contract("C-249", "C-250", "C-251", "C-256", "C-257", "A-004", "A-135", "A-136")
@pytest.mark.parametrize("host", ["api", "sandbox"])
@pytest.mark.parametrize(("path", "kind"), [(JSON, "application/json"), (YAML, "application/yaml")])
def test_json_and_yaml_openapi_documents_are_public_and_cacheable_with_separate_media_types(
    cloud: RunningCloud, host: str, path: str, kind: str
) -> None:
    with cloud.client(host=host) as client:
        answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["ETag"])


@pytest.mark.contract("C-252", "S-171")
@pytest.mark.parametrize("path", [JSON, YAML])
@pytest.mark.parametrize("form", ["{etag}", "W/{etag}", "*", '"other", {etag}', 'W/"x" ,  W/{etag}'])
def test_request_for_the_openapi_document_with_its_current_etag_gets_304(
    cloud: RunningCloud, path: str, form: str
) -> None:
    with cloud.client() as client:
        etag = client.get(path).headers["ETag"]
        again = client.get(path, headers={"If-None-Match": form.format(etag=etag)})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag
    assert {"X-Argus-Trace-ID", "X-Argus-Span-ID", "Cache-Control"} <= {
        name.title().replace("Id", "ID") if name.startswith("x-argus") else name.title() for name in again.headers
    }


@pytest.mark.contract("C-252", "S-171")
def test_request_for_the_openapi_document_with_another_etag_gets_the_whole_document(cloud: RunningCloud) -> None:
    with cloud.client() as client:
        tags = {path: client.get(path).headers["ETag"] for path in (JSON, YAML)}
        assert tags[JSON] != tags[YAML]
        for given in ('"other"', tags[YAML], "nonsense"):
            assert client.get(JSON, headers={"If-None-Match": given}).status_code == 200


@pytest.mark.contract("C-254", "S-172", "S-173")
def test_json_and_yaml_openapi_documents_are_equal(cloud: RunningCloud) -> None:
    with cloud.client() as client:
        as_json, as_yaml = client.get(JSON), client.get(YAML)
    assert yaml.safe_load(as_yaml.text) == as_json.json()
    assert yaml.unsafe_load(as_yaml.text) == as_json.json()


def test_third_party_validator_accepts_the_openapi_document(document: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # slow, and every worker imports this file

    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("redocly", ("lint", "--config", "redocly.yaml")),
        ("spectral", ("lint", "--ruleset", "spectral.mjs", "--fail-severity", "hint")),
    ],
)
def test_strict_linters_report_no_fault_in_the_openapi_document(
    document: dict[str, Any], tmp_path: Path, program: str, words: tuple[str, ...]
) -> None:
    """Redocly's strictest set, and Spectral's with the OWASP rules; the files name each exception with its reason."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document).replace("http://", "https://"))  # the addresses of this test have no TLS
    code, report = run_linter(program, *words, str(path))
    assert code == 0, report


@pytest.mark.contract("C-005", "C-253", "S-170", "A-138")
def test_published_denylist_is_the_enforced_denylist_and_denies_no_documented_path(
    cloud: RunningCloud, document: dict[str, Any]
) -> None:
    with cloud.client(host="docs") as docs:
        index = docs.get("/api/docs").json()
    assert index["denylist"] == list(DENYLIST)
    hosts = {url: host for host, url in cloud.urls.items()}
    for path, item in document["paths"].items():
        for server in item.get("servers", document["servers"]):
            assert not is_denied(hosts[server["url"]], path), path
    text = json.dumps(document)
    assert not re.search(
        r"__schema|introspection|cloud\.[a-z]+\.[a-z]+|cloud/[a-z]+/|sqlite|postgres", text, re.IGNORECASE
    )


@pytest.mark.contract("C-005", "C-253", "S-170")
def test_routes_and_denylist_agree_on_which_paths_are_public(cloud: RunningCloud, document: dict[str, Any]) -> None:
    clock = SystemClock()
    rows = rows_of(read_settings(cloud.config), clock, UlidIds(clock))
    assert disagreements(rows) == []
    hidden = {row.path for row in rows if not row.in_contract}
    assert len(hidden) > 3
    assert not hidden & document["paths"].keys()


def test_every_openapi_tag_in_use_has_a_description(document: dict[str, Any]) -> None:
    used = {
        tag for item in document["paths"].values() for method in METHODS & item.keys() for tag in item[method]["tags"]
    }
    assert used == {tag["name"] for tag in document["tags"] if tag["description"]}


@pytest.mark.contract("S-170", "C-001", "C-002", "C-004")
def test_every_documented_operation_exists_only_on_its_documented_servers(
    cloud: RunningCloud, document: dict[str, Any]
) -> None:
    faults = []
    for path, item in document["paths"].items():
        servers = {server["url"] for server in item.get("servers", document["servers"])}
        target = re.sub(r"\{[^}]+\}", "absent_1", path)
        for method in METHODS & item.keys():
            for url in cloud.urls.values():
                # An unknown query parameter: public addresses refuse it, and others check for a token first.
                answer = httpx.request(
                    method, f"{url}{target}?no_such_parameter=1", trust_env=False, verify=PLAIN, timeout=WITHIN_S
                )
                there = answer.status_code in ({400, 415} if item[method]["x-auth"] != "Bearer token" else {401})
                if there != (url in servers) or (not there and answer.status_code != 404):
                    faults.append(f"{method} {url}{target}: {answer.status_code}")
    assert faults == []


@pytest.mark.contract("C-003", "A-009")
def test_docs_index_links_to_the_json_and_yaml_openapi_documents(cloud: RunningCloud) -> None:
    with cloud.client(host="docs") as docs:
        index = docs.get("/api/docs")
        page = docs.get("/api/docs", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert index.headers["Content-Type"] == "application/json"
    for link in index.json()["openapi"]:
        answer = httpx.get(link["href"], trust_env=False, verify=PLAIN, timeout=WITHIN_S)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, link["type"])
        assert link["href"] in page.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Accept" in page.headers["Vary"]


@pytest.mark.contract("A-001")
def test_type_of_a_problem_is_the_url_of_its_documentation_page(cloud: RunningCloud) -> None:
    with cloud.client() as client:
        problem = client.get("/api/v1/devices").json()
        page = httpx.get(problem["type"], trust_env=False, verify=PLAIN, timeout=WITHIN_S)
        assert page.status_code == 200
        assert (page.json()["code"], page.json()["status"]) == (problem["code"], problem["status"])
        kinds = client.get("/problems").json()["problems"]
        assert {kind["code"] for kind in kinds} >= {"invalid_token", "insufficient_scope", "not_found", "rate_limited"}
        assert all(client.get(kind["type"].removeprefix(cloud.urls["api"])).status_code == 200 for kind in kinds)
        absent = client.get("/problems/no-such-kind")
        assert (absent.status_code, absent.json()["code"]) == (404, "not_found")
        assert (
            "<h1"
            in httpx.get(
                problem["type"], headers={"Accept": "text/html"}, trust_env=False, verify=PLAIN, timeout=WITHIN_S
            ).text
        )
