"""The SDK for Python has a method for each operation of the API, and generated types; its checks use no network."""

import inspect
import logging
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grimp
import httpx
import pytest

from argus_sdk import webhooks
from argus_sdk.api import AUTH_PATHS, KEYED_PATHS
from argus_sdk.client import AccessToken, Argus, Timing
from argus_sdk.credentials import TokenSource
from argus_sdk.downloads import place_parts
from argus_sdk.errors import AddressRefused, ApiError, ConnectionFailed, WebhookRefused
from argus_sdk.operations.group import Group
from tests.builders.published_contract import published_contract
from tests.sdk.python_types import TYPES, generated_types

NOT_CALLED = {
    "authorize": "a browser opens it",
    "issueToken": "ClientCredentials requests it, as the stories show",
    "readJwks": "keys of access tokens are for servers that verify them",
    "readVersionedJwks": "the same keys",
    "getOpenApiYaml": "the same document as that of Discovery.openapi",
}
"""Operations without a method that only returns their response, and why."""
NOT_PARAMETERS = {"cursor", "format"}
"""Parameters that belong to a method: the iterators send cursors, and a method reads one format."""
BASE = "https://api.example.org"
NETWORK = {"asyncio", "http", "httpx", "socket", "ssl", "aiohttp"}


@pytest.fixture(scope="module")
def called() -> dict[tuple[str, str], set[str]]:
    """Call each method of each group with a value for each parameter; return the queries by method and path."""
    found: dict[tuple[str, str], set[str]] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        path = request.url.path.replace("VALUE", "{}")
        found.setdefault((request.method.lower(), path), set()).update(request.url.params.keys())
        return httpx.Response(200, json={"status": "succeeded", "items": [], "signed_url": f"{BASE}/file"})

    hosts = {"auth_url": "https://auth.example.org", "api_url": "https://api.example.org"}
    http = httpx.Client(transport=httpx.MockTransport(respond))
    with Argus(**hosts, tokens=AccessToken("t"), http=http) as argus:
        for group in vars(argus).values():
            if isinstance(group, Group):
                _call_all(group)
    return found


def _call_all(group: Group) -> None:
    for name, method in inspect.getmembers(group, inspect.ismethod):
        if name.startswith(("_", "download", "read_result")):
            continue
        parameters = inspect.signature(method, eval_str=True).parameters.values()
        result = method(**{one.name: _value_for(one.annotation) for one in parameters})
        if isinstance(result, Iterator):
            assert all(isinstance(one, bytes) for one in result)  # the parts of a bundle, and lists without items


def _value_for(kind: Any) -> Any:
    """Return a value for a parameter: a mapping for a body, a number or a word for others."""
    kinds = (kind, *typing.get_args(kind))
    if any(typing.is_typeddict(one) or typing.get_origin(one) is Mapping for one in kinds):
        return {}
    if any(typing.get_origin(one) is Callable for one in kinds):
        return lambda _: None
    return 1 if int in kinds or float in kinds else "VALUE"


def test_client_has_a_method_for_each_operation_and_parameter_of_the_api(
    called: dict[tuple[str, str], set[str]],
) -> None:
    contract = published_contract()
    missing = []
    for path, item in contract["paths"].items():
        for method, operation in item.items():
            if method == "parameters" or method == "servers" or operation["operationId"] in NOT_CALLED:
                continue
            sent = called.get((method, re.sub(r"\{[^}]+\}", "{}", path)))
            names = {one["name"] for one in operation.get("parameters", []) if one.get("in") == "query"}
            if sent is None or names - NOT_PARAMETERS - sent:
                missing.append(f"{operation['operationId']}: {names - NOT_PARAMETERS - (sent or set())}")
    assert missing == []


def test_paths_that_take_a_key_are_those_of_the_openapi_document() -> None:
    key = {"$ref": "#/components/parameters/Idempotency-Key"}
    keyed = {
        re.sub(r"\{[^}]+\}", "{}", path)
        for path, item in published_contract()["paths"].items()
        if key in item.get("post", {}).get("parameters", ())
    }
    assert keyed == set(KEYED_PATHS)


def test_paths_of_the_auth_host_are_those_of_the_openapi_document() -> None:
    servers = {path: item.get("servers", ()) for path, item in published_contract()["paths"].items()}
    on_auth = {
        re.sub(r"\{[^}]+\}", "{}", path)
        for path, ours in servers.items()
        if [one["url"].startswith("https://auth.") for one in ours] == [True]
    }
    assert on_auth == set(AUTH_PATHS)


def test_types_are_what_the_generator_writes_from_the_openapi_document() -> None:
    assert TYPES.read_text() == generated_types(), "run make sdk-types"


@pytest.mark.contract("C-234")
@pytest.mark.parametrize("module", ["argus_sdk.evidence", "argus_sdk.verify.command", "argus_sdk.webhooks"])
def test_offline_checks_import_no_network_and_of_ours_only_protocols(module: str) -> None:
    graph = grimp.build_graph("argus_sdk", "protocols", include_external_packages=True, cache_dir=None)
    reached = {one.partition(".")[0] for one in graph.find_upstream_modules(module)}
    assert not reached & NETWORK
    assert "httpx" in graph.find_upstream_modules("argus_sdk.client")
    assert reached & {"argus_sdk", "protocols", "gateway", "cloud", "simulators"} <= {"argus_sdk", "protocols"}


@pytest.mark.parametrize("url", ["http://api.example.org", "ftp://api.example.org"])
def test_token_is_not_sent_without_tls_to_another_machine(url: str) -> None:
    with Argus(auth_url=url, api_url=url, tokens=AccessToken("t")) as argus, pytest.raises(AddressRefused):
        argus.jobs.read("01JTEST")


@pytest.mark.parametrize("secrets", ["whsec_" + "A" * 44, ["short"], ["whsec_AAAA"]])
def test_short_secret_and_a_text_in_place_of_a_list_of_secrets_are_refused(secrets: Any) -> None:
    with pytest.raises(WebhookRefused) as refused:
        webhooks.verify(b"{}", {}, secrets)
    assert refused.value.code == "secret_malformed"


def client(respond: Callable[[httpx.Request], httpx.Response], tokens: TokenSource | None = None) -> Argus:
    """Return a client whose requests get the responses of `respond`, and which does not pause."""
    http, timing = httpx.Client(transport=httpx.MockTransport(respond)), Timing(pause=lambda _seconds: None)
    return Argus(auth_url=BASE, api_url=BASE, tokens=tokens or AccessToken("t"), http=http, timing=timing)


def test_signed_address_is_not_logged_by_the_http_library(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/result"):
            return httpx.Response(200, json={"signed_url": f"{BASE}/v1/downloads/1?signature=a-credential"})
        return httpx.Response(200, content=b"rows")

    caplog.set_level(logging.INFO, logger="httpx")
    with client(respond) as argus:
        argus.jobs.download_result("01JTEST", tmp_path / "result")
    assert (tmp_path / "result").read_bytes() == b"rows"
    assert "a-credential" not in caplog.text


def test_rotation_of_a_webhook_secret_is_retried_since_the_same_secret_does_not_rotate_twice() -> None:
    statuses = [503, 200]
    with client(lambda _: httpx.Response(statuses.pop(0), json={})) as argus:
        argus.webhooks.update("wh_1", {"secret": "a secret of a webhook, long"})
    assert statuses == []


def test_content_type_and_accept_of_the_caller_replace_those_of_the_sdk() -> None:
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(204)

    headers = {"content-type": "text/csv", "accept": "text/plain"}
    with client(respond) as argus:
        assert argus.request("POST", "/v1/files", body=b"a,b\n", headers=headers) is None
    (request,) = sent
    assert request.headers.get_list("Content-Type") == ["text/csv"]
    assert request.headers.get_list("Accept") == ["text/plain"]
    assert request.content == b"a,b\n"


def test_detail_of_an_error_is_that_of_the_service_and_its_text_adds_status_and_trace() -> None:
    problem = {"code": "conflict", "detail": "The job has ended.", "trace_id": "0af7651916cd43dd8448eb211c80319c"}
    with client(lambda _: httpx.Response(409, json=problem)) as argus, pytest.raises(ApiError) as found:
        argus.jobs.cancel("01JTEST")
    assert found.value.detail == "The job has ended."
    assert str(found.value) == f"conflict: The job has ended. (status 409, trace {problem['trace_id']})"


@pytest.mark.parametrize("text", ["-1", "1.5", "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"])
def test_retry_after_that_is_no_number_and_no_date_states_no_pause(text: str) -> None:
    headers = {"Retry-After": text}
    with client(lambda _: httpx.Response(429, headers=headers)) as argus, pytest.raises(ApiError) as found:
        argus.jobs.read("01JTEST")
    assert found.value.retry_after_s is None


def test_response_that_does_not_end_is_an_error_after_the_time_of_a_call() -> None:
    now_s = 0.0
    sent = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal now_s
            while True:
                now_s += 59
                yield bytes(2**16)

    def respond(_request: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        return httpx.Response(200, stream=Endless())

    http = httpx.Client(transport=httpx.MockTransport(respond))
    timing = Timing(pause=lambda _seconds: None, monotonic_s=lambda: now_s)
    argus = Argus(auth_url=BASE, api_url=BASE, tokens=AccessToken("t"), http=http, timing=timing)
    with argus, pytest.raises(ConnectionFailed, match="3600 s"):
        argus.discovery.openapi()
    assert (sent, now_s) == (1, 3658)


def test_time_limit_of_silence_is_that_of_the_caller_also_with_a_client_of_its_own() -> None:
    limits: list[dict[str, float]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"])
        return httpx.Response(204)

    for more in ({}, {"timeout_s": 5.0}):
        http = httpx.Client(transport=httpx.MockTransport(respond), timeout=1)
        with Argus(auth_url=BASE, api_url=BASE, tokens=AccessToken("t"), http=http, **more) as argus:
            argus.request("GET", "/v1/files")
    assert [(one["connect"], one["read"]) for one in limits] == [(10.0, 60.0), (5.0, 5.0)]


def test_first_part_of_a_download_gets_its_name_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished = tmp_path / ".argus-1"
    unfinished.mkdir()
    for number in (1, 2, 3):
        (tmp_path / f"enc_1-000{number}.json").write_text("former")
        (unfinished / f"enc_1-000{number}.json").write_text("new")
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.name == "enc_1-0001.json":
            raise OSError("The disk is full.")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="full"):
        place_parts(unfinished, tmp_path, "enc_1")
    left = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert left == {"enc_1-0002.json": "new", "enc_1-0003.json": "new"}
