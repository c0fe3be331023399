"""The samples of the documentation, with the values of a running cloud in place of those that a reader must supply.

One shell runs all curl samples, this process all Python samples, and one node process all TypeScript samples. A sample
has names in angle brackets for what a reader must supply; these, the credentials and the ids of the contract's samples
are replaced.
"""

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from argus_sdk.errors import ArgusError
from tests.cloud.jobs.isolation import start
from tests.harness.guide_blocks import Block, blocks_on_pages
from tests.harness.node import run_script
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud
from tests.harness.sample_values import JOB, TRACE, sample_values

LANGUAGES = ("curl", "python", "typescript")
TRANSCRIPT = '{ "...": "<full transcript object from GET /provenance>" }'
_TRANSCRIPT = re.compile(r'\{\s*"\.\.\.": "<full transcript object from GET /provenance>",?\s*\}')
DOCUMENT = "<approved GraphQL document>"
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


@dataclass(frozen=True)
class DocumentedSamples:
    """The samples of one cloud. `index` is its documentation for programs, `values` maps texts in the samples to those
    of the cloud, and `signing_in` is the client id of an app that acts for people."""

    cloud: RunningCloud
    index: Mapping[str, Any]
    values: Mapping[str, str]
    signing_in: str

    @classmethod
    def of(cls, cloud: RunningCloud) -> "DocumentedSamples":
        """Read the samples, and create the objects that they refer to."""
        with cloud.client(host="docs") as client:
            index = client.get("/api/docs").raise_for_status().json()
        return cls(cloud, index, sample_values(cloud), _app_for_people(cloud))

    def of_operations(self, language: str) -> dict[str, str]:
        """Return the sample of each operation, ready to run. Objects that a sample deletes are new ones."""
        text = self.values[TRANSCRIPT]
        transcript = repr(json.loads(text)) if language == "python" else text
        samples = {one["operation_id"]: one["samples"][language] for one in self.index["operations"]}
        return {
            name: self._with_values(name, _TRANSCRIPT.sub(lambda _: transcript, code)) for name, code in samples.items()
        }

    def blocks(self) -> list[Block]:
        """Return each code block of each guide, ready to run."""
        app = self.cloud.apps["north"]
        text = self.values[DOCUMENT]
        own = {
            DOCUMENT: text,
            "<document-id>": f"sha256:{sha256(text.encode()).hexdigest()}",
            "<client-id>": app.client_id,
            "<client-secret>": app.client_secret,
            "<evidence_id>": self.values["ev_abc123"],
        }
        found = []
        for block in blocks_on_pages(self.cloud, self.index):
            text = block.text
            for shown, ours in own.items():
                text = text.replace(shown, ours)
            found.append(replace(block, text=text))
        return found

    def _with_values(self, operation: str, code: str) -> str:
        names = {f"<{name}>": self.values[shown] for name, shown in NAMES.items()}
        more = {"<trace_id>": TRACE, "<algorithm>": "ml-dsa-65", "<idempotency-key>": str(uuid.uuid4()), "<etag>": "*"}
        for shown, ours in {**names, **more, **self._own_values(operation), **self.values}.items():
            code = code.replace(shown, ours)
        return code

    def _own_values(self, operation: str) -> dict[str, str]:
        match operation:
            case "authorize":
                return {"<response_type>": "code", "<client_id>": self.signing_in}
            case "rotateAppSecret":  # an app has two secrets, and the one of another test would be the third
                return {"<client_id>": self.signing_in}
            case "cancelJob":
                return {"<id>": start(self.cloud, "north")}
            case "inspectJob" | "fetchJobResult":
                return {"<id>": self.values[JOB]}
            case "getDataSchema":
                return {"<id>": "argus.observation.v1"}
            case "deleteWebhook":
                return {"<webhook_id>": _new_webhook(self.cloud)}
        return {}


def code_of_guides(blocks: Sequence[Block], language: str) -> dict[str, str]:
    """Return the code of one language in each guide, joined, since a later block continues the earlier ones. Commands
    that set up an environment are left out."""
    found: dict[str, list[str]] = {}
    for block in blocks:
        if block.language == language and not (language == "sh" and block.words):
            found.setdefault(block.guide, []).append(block.text)
    return {name: "\n".join(texts) for name, texts in found.items()}


def _new_webhook(cloud: RunningCloud) -> str:
    with cloud.client("north", "auth") as client:
        body = {"url": "https://integrator.example/webhooks/argus", "events": ["incident.updated"]}
        return str(client.post("/v1/webhooks", json=body).raise_for_status().json()["id"])


def _app_for_people(cloud: RunningCloud) -> str:
    app = cloud.apps["north"]
    whose = ["--tenant", app.tenant_id, "--organization", str(app.organization_id)]
    kind = ["--grant", "authorization_code", "--redirect-uri", "https://integrator.example/callback"]
    added = cloud.console("apps", "add", *whose, "--name", "Docs", *kind, "--scope", "argus:epcr:read", "--json")
    return str(json.loads(added)["client_id"])


def prepare_environment(
    cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch, *, fhir_url: str = "", encounter_id: str = ""
) -> None:
    """Set the variables that the code of the guides reads, and shorten its pauses. The last two are for the guide to
    FHIR."""
    monkeypatch.setenv("FHIR_URL", fhir_url)
    monkeypatch.setenv("ENCOUNTER_ID", encounter_id)
    monkeypatch.setenv("CLIENT_ID", cloud.apps["north"].client_id)
    monkeypatch.setenv("CLIENT_SECRET", cloud.apps["north"].client_secret)
    monkeypatch.setenv("TOKEN", cloud.token("north"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    wait = time.sleep
    monkeypatch.setattr(time, "sleep", lambda _s: wait(0.05))  # a reader polls less often
    # A sample makes a connection of its own, and reading the authorities of TLS for each takes most of its time.
    monkeypatch.setattr("httpx._transports.default.create_ssl_context", lambda **_: PLAIN)


def _run_shell(script: Mapping[str, str], folder: Path, settings: str = "") -> dict[str, str]:
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
        cwd=folder,
        env={**os.environ, "CURL_HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    printed = re.split(r"^@@(.+)$", done.stdout, flags=re.MULTILINE)
    return {name.strip(): text.strip() for name, text in zip(printed[1::2], printed[2::2], strict=True)}


SUCCESSES: Mapping[str, Callable[[Any], bool]] = {
    "executeGraphql": lambda document: "data" in document and "errors" not in document,
    "verifyEvidenceProvenance": lambda document: document["valid"] is True,
}
"""Operation → whether the body of a 200 reports a success too: GraphQL reports errors with this status, and a
verification what is broken."""


def curl_faults(samples: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Run curl samples; return the end of what each one printed that reports no success."""
    printed = _run_shell(samples, folder, 'write-out = "\\n%{http_code}"')
    assert printed.keys() == samples.keys()
    return {
        name: text[-400:]
        for name, text in printed.items()
        if not text.endswith(("303", "302") if name == BROWSER else ("200", "201", "202", "204"))
        or (name in SUCCESSES and not SUCCESSES[name](json.loads(text.rpartition("\n")[0])))
    }


PRINTED = {
    "first-call": ("HTTP/1.1 200 OK",),
    # The whole body: a document that was refused has `errors` in it.
    "graphql": ("HTTP/1.1 200 OK", '\n{"data":{"result":"Query"}}'),
    "provenance": ("INTACT. The transcript is as it was signed.", "argus-verify.html: OK"),
}
"""Guide → what its commands print when they succeed."""


def shell_faults(scripts: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Run the commands of guides; return what each printed that is no success."""
    # The environment that the guide to the first call makes.
    (folder / "argus-env").symlink_to(Path(sys.executable).parents[1])
    printed = _run_shell(scripts, folder)
    assert printed.keys() == scripts.keys() == PRINTED.keys()
    return {name: text[:400] for name, text in printed.items() if not all(one in text for one in PRINTED[name])}


def document_faults(blocks: Sequence[Block], cloud: RunningCloud) -> dict[str, str]:
    """Compare each JSON document of a guide with what the cloud returns or takes; return those that differ."""
    faults = {}
    for block in blocks:
        match block.guide:
            case "errors":  # the response to a request without the scope
                expected = json.loads(block.text)
                with cloud.client("north", scope="argus:devices:read") as client:
                    found = client.post(expected["instance"], json={}).json()
                same = found | {"trace_id": expected["trace_id"]} == expected
                faults |= {} if same else {block.guide: str(found)}
            case "graphql":  # one body a line
                with cloud.client("north") as client:
                    for line in block.text.splitlines():
                        response = client.post("/graphql", json=json.loads(line))
                        same = response.is_success and "errors" not in response.json()
                        faults |= {} if same else {block.guide: response.text}
            case unknown:
                faults[unknown] = "no story knows what this document is"
    return faults


def python_faults(samples: Mapping[str, str]) -> dict[str, str]:
    """Run Python samples in this process; return the error of each one that failed, or what it printed if that reports
    no success."""
    faults = {}
    for name, code in samples.items():
        printed: list[Any] = []
        found: dict[str, Any] = {"print": lambda *values, into=printed: into.extend(values)}
        try:
            exec(code, found)  # noqa: S102  the page's own lines
        except (ArgusError, httpx.HTTPError, AssertionError) as error:
            faults[name] = str(error)
        if name in SUCCESSES and name not in faults and not SUCCESSES[name](printed[0]):
            faults[name] = str(printed)[:400]
        if name == BROWSER and found["response"].status_code not in (302, 303):
            faults[name] = found["response"].text[:400]
    return faults


def run_typescript(project: Path, samples: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Run TypeScript samples in a project; return `{"printed": […]}` or `{"error": "…"}` of each one."""
    found: dict[str, Any] = run_script("run_samples.mjs", {"folder": str(project), "samples": samples})
    return found


def typescript_faults(project: Path, samples: Mapping[str, str]) -> dict[str, str]:
    """Run TypeScript samples; return the error of each one that failed or printed nothing, or what it printed if that
    reports no success."""
    results = run_typescript(project, list(samples.items()))
    assert results.keys() == samples.keys()
    faults = {name: str(one.get("error", "printed nothing")) for name, one in results.items() if not one.get("printed")}
    if BROWSER in samples and BROWSER not in faults and results[BROWSER]["printed"][0] not in (302, 303):
        faults[BROWSER] = str(results[BROWSER]["printed"])
    for name in samples.keys() & SUCCESSES.keys() - faults.keys():
        if not SUCCESSES[name](results[name]["printed"][0]):
            faults[name] = str(results[name]["printed"])[:400]
    return faults
