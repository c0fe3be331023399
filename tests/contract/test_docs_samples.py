"""Every sample on the pages of the documentation runs against a running cloud: of each operation in curl, Python and
TypeScript, and in each guide.

One shell runs all curl samples, this process all Python samples, and one node process all TypeScript samples. A sample
has names in angle brackets for what a reader must supply; the tests replace these, the credentials and the ids of the
contract's samples.
"""

import html
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from argus_sdk.errors import ArgusError
from tests.cloud.jobs.isolation import start
from tests.harness.node import run_script
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud
from tests.harness.sample_values import JOB, TRACE, sample_values
from tests.harness.typescript_sdk import install, pack

LANGUAGES = ("curl", "python", "typescript")
TRANSCRIPT = re.compile(r'\{\s*"\.\.\.": "<full transcript object from GET /provenance>",?\s*\}')
BROWSER = "authorize"
"""The operation that a browser opens: its response is a redirect to a page."""
NAMES = {
    "client_id": "app_123",
    "webhook_id": "wh_123",
    "deviceId": "dev_1",
    "encounterId": "enc_123",
    "evidence_id": "ev_abc123",
}
"""Path parameter → the id that the contract's samples have in its place."""


@pytest.fixture(scope="module")
def index(cloud: RunningCloud) -> dict[str, Any]:
    with cloud.client(host="docs") as client:
        found: dict[str, Any] = client.get("/api/docs").json()
    return found


@pytest.fixture(scope="module")
def values(cloud: RunningCloud) -> dict[str, str]:
    return sample_values(cloud)


@pytest.fixture(scope="module")
def signing_in(cloud: RunningCloud) -> str:
    """Return the client id of an app that acts for people."""
    words = [
        "apps",
        "add",
        "--tenant",
        "tnt_one",
        "--organization",
        "org_north",
        "--name",
        "Docs",
        "--grant",
        "authorization_code",
        "--json",
    ]
    return str(
        json.loads(
            cloud.console(*words, "--redirect-uri", "https://integrator.example/callback", "--scope", "argus:epcr:read")
        )["client_id"]
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project in which the SDK is installed from its tarball."""
    folder = tmp_path_factory.mktemp("samples")
    return install(pack(folder), folder)


def run_samples(project: Path, samples: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = run_script("run_samples.mjs", {"folder": str(project), "samples": samples})
    return found


@pytest.fixture
def real(cloud: RunningCloud, values: dict[str, str], signing_in: str) -> Callable[[str, str], str]:
    """Return a function that replaces the names and ids in a sample of an operation by those of the cloud. Objects that
    a sample deletes are new ones."""

    def own(operation: str) -> dict[str, str]:
        match operation:
            case "authorize":
                return {"<response_type>": "code", "<client_id>": signing_in}
            case "rotateAppSecret":  # an app has two secrets, and the one of another test would be the third
                return {"<client_id>": signing_in}
            case "cancelJob":
                return {"<id>": start(cloud, "north")}
            case "inspectJob" | "fetchJobResult":
                return {"<id>": values[JOB]}
            case "getDataSchema":
                return {"<id>": "argus.observation.v1"}
            case "deleteWebhook":
                return {"<webhook_id>": new_webhook(cloud)}
        return {}

    names = {f"<{name}>": values[shown] for name, shown in NAMES.items()}

    def replace(operation: str, code: str) -> str:
        more = {"<trace_id>": TRACE, "<algorithm>": "ml-dsa-65", "<idempotency-key>": str(uuid.uuid4())}
        for shown, ours in {**names, **more, **own(operation), **values}.items():
            code = code.replace(shown, ours)
        return code

    return replace


def new_webhook(cloud: RunningCloud) -> str:
    with cloud.client("north", "auth") as client:
        body = {"url": "https://integrator.example/webhooks/argus", "events": ["incident.updated"]}
        return str(client.post("/v1/webhooks", json=body).raise_for_status().json()["id"])


def with_transcript(code: str, transcript: str) -> str:
    return TRANSCRIPT.sub(lambda _: transcript, code)


def samples_of(index: Mapping[str, Any], language: str) -> dict[str, str]:
    return {one["operation_id"]: one["samples"][language] for one in index["operations"]}


def run_shell(
    script: Mapping[str, str], folder: Path, environment: Mapping[str, str], *, settings: str = ""
) -> dict[str, str]:
    """Run shell scripts in one shell; return what each printed. `settings` are lines of curl's configuration."""
    (folder / ".curlrc").write_text(f'silent\nnoproxy = "*"\n{settings}')
    lines = [f"printf '\\n@@%s\\n' {name}\n{code}" for name, code in script.items()]
    done = subprocess.run(
        ["sh", "-eu"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "CURL_HOME": str(folder), **environment},
    )
    assert done.returncode == 0, done.stderr
    printed = re.split(r"^@@(.+)$", done.stdout, flags=re.MULTILINE)
    return {name.strip(): text.strip() for name, text in zip(printed[1::2], printed[2::2], strict=True)}


@pytest.fixture
def python_environment(cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_ID", cloud.apps["north"].client_id)
    monkeypatch.setenv("CLIENT_SECRET", cloud.apps["north"].client_secret)
    monkeypatch.setenv("TOKEN", cloud.token("north"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # A sample makes a connection of its own, and reading the authorities of TLS for each takes most of its time.
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", lambda **_: PLAIN)


@pytest.mark.contract("C-010")
def test_every_operation_of_the_openapi_document_has_a_sample_in_each_language_on_its_page(
    cloud: RunningCloud, index: dict[str, Any]
) -> None:
    with cloud.client() as client:
        document = client.get("/.well-known/openapi.json").json()
    described = {
        one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one
    }
    assert {one["operation_id"] for one in index["operations"]} == described
    with cloud.client(host="docs") as client:
        for one in index["operations"]:
            for page in one["pages"].values():
                text = client.get(page).raise_for_status().text
                shown = dict(re.findall(r'<code data-language="(\w+)">(.*?)</code>', text, re.DOTALL))
                plain = {name: html.unescape(re.sub(r"<[^>]+>", "", code)) for name, code in shown.items()}
                assert plain == one["samples"]


def test_curl_samples_of_all_operations_succeed(
    cloud: RunningCloud,
    index: dict[str, Any],
    values: dict[str, str],
    real: Callable[[str, str], str],
    tmp_path: Path,
) -> None:
    transcript = values['{ "...": "<full transcript object from GET /provenance>" }']
    script = {name: real(name, with_transcript(code, transcript)) for name, code in samples_of(index, "curl").items()}
    printed = run_shell(script, tmp_path, {}, settings='write-out = "\\n%{http_code}"')
    assert printed.keys() == script.keys()
    expected = ("303", "302") if BROWSER in script else ()
    faults = {
        name: text[-400:]
        for name, text in printed.items()
        if not text.endswith(expected if name == BROWSER else ("200", "201", "202", "204"))
    }
    assert faults == {}


@pytest.mark.usefixtures("python_environment")
def test_python_samples_of_all_operations_succeed(
    index: dict[str, Any], values: dict[str, str], real: Callable[[str, str], str]
) -> None:
    transcript = repr(json.loads(values['{ "...": "<full transcript object from GET /provenance>" }']))
    faults = {}
    for name, code in samples_of(index, "python").items():
        found: dict[str, Any] = {"print": lambda *_: None}
        try:
            exec(real(name, with_transcript(code, transcript)), found)  # noqa: S102  the page's own lines
        except (ArgusError, httpx.HTTPError) as error:
            faults[name] = str(error)
        if name == BROWSER and found["response"].status_code not in (302, 303):
            faults[name] = found["response"].text[:400]
    assert faults == {}


def test_typescript_samples_of_all_operations_succeed(
    project: Path, index: dict[str, Any], values: dict[str, str], real: Callable[[str, str], str]
) -> None:
    transcript = values['{ "...": "<full transcript object from GET /provenance>" }']
    codes = samples_of(index, "typescript").items()
    samples = [(name, real(name, with_transcript(code, transcript))) for name, code in codes]
    results = run_samples(project, samples)
    assert {name: one["error"] for name, one in results.items() if "error" in one} == {}
    assert results[BROWSER]["printed"][0] in (302, 303)
    assert all(one["printed"] for one in results.values())


def code_blocks(cloud: RunningCloud, index: dict[str, Any], language: str) -> dict[str, str]:
    """Return the code blocks of one kind on the pages of the guides, joined for each page."""
    found = {}
    with cloud.client(host="docs") as client:
        for guide in index["guides"]:
            for page in guide["pages"].values():
                text = client.get(page).raise_for_status().text
                blocks = re.findall(rf'<code class="{language}">(.*?)</code>', text, re.DOTALL)
                if blocks:
                    found[page] = html.unescape("\n".join(blocks))
    return found


def in_each_language(blocks: Mapping[str, str]) -> dict[str, str]:
    """Return the blocks by the name of their guide. The guides of both languages have the same ones."""
    by_name: dict[str, set[str]] = {}
    for page, code in blocks.items():
        by_name.setdefault(page.rpartition("/")[2], set()).add(code)
    assert {name: len(codes) for name, codes in by_name.items() if len(codes) > 1} == {}
    return {name: codes.pop() for name, codes in by_name.items()}


@pytest.mark.usefixtures("python_environment")
def test_python_code_of_the_guides_runs(
    cloud: RunningCloud, index: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = time.sleep
    monkeypatch.setattr(time, "sleep", lambda _s: wait(0.05))  # a reader polls less often
    blocks = in_each_language(code_blocks(cloud, index, "python"))
    blocks.pop("fhir")  # needs a FHIR server: test_integrator_guide
    assert blocks.keys() == {"first-call", "idempotency", "rate-limits", "observations", "webhooks", "jobs"}
    for code in blocks.values():
        exec(code, {"print": lambda *_: None})  # noqa: S102  the page's own lines


def test_shell_code_of_the_guides_runs(
    cloud: RunningCloud, index: dict[str, Any], values: dict[str, str], tmp_path: Path
) -> None:
    app = cloud.apps["north"]
    environment = {"CLIENT_ID": app.client_id, "CLIENT_SECRET": app.client_secret, "TOKEN": cloud.token("north")}
    blocks = in_each_language(code_blocks(cloud, index, "sh"))
    document = values["<approved GraphQL document>"]
    script = {name: code.replace("<approved GraphQL document>", document) for name, code in blocks.items()}
    printed = run_shell(script, tmp_path, environment)
    assert {name: text.splitlines()[0] for name, text in printed.items()} == dict.fromkeys(blocks, "HTTP/1.1 200 OK")
    assert blocks.keys() == {"first-call", "graphql"}


@pytest.mark.usefixtures("values")  # so that there is a device
def test_typescript_code_of_the_guides_runs(
    project: Path, cloud: RunningCloud, index: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_ID", cloud.apps["north"].client_id)
    monkeypatch.setenv("CLIENT_SECRET", cloud.apps["north"].client_secret)
    blocks = in_each_language(code_blocks(cloud, index, "typescript"))
    results = run_samples(project, list(blocks.items()))
    assert results.keys() == {"first-call"}
    assert results["first-call"]["printed"]
