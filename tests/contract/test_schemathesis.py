"""Schemathesis generates valid and invalid requests from the OpenAPI document and finds no fault in the responses.

The number of requests is limited: a fixed seed, a few examples of each operation (more in `make soak`, and 60 in
`make fuzz`), and the boundary values of every parameter and field.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders.fuzz_counts import IS_FULL, SEED
from tests.harness.running_cloud import RunningCloud

EXAMPLES_MAX = 60 if IS_FULL else 15 if os.environ.get("ARGUS_SOAK") == "1" else 5
RUN_SEED = str(SEED) if IS_FULL else "1"
PATIENCE_S = 3600.0 if IS_FULL else 280.0
# Facts beyond a schema: whether an object exists, is in the right state and version, or means something.
APP_CREATED = ("post", "/v1/platform/apps")
JOB_STARTED = ("post", "/v1/jobs")
OPERATION_EXECUTED = ("post", "/graphql")
TOKEN_ISSUED = ("post", "/v1/platform/apps/{client_id}/service-token")
TRANSCRIPT_VERIFIED = ("post", "/v1/evidence/{evidence_id}/provenance/verify")
_EXPECTED = ["2xx", "3xx", "401", "403", "404", "409", "412", "422", "429"]
# Refusals beside those that Schemathesis knows: too large a body, target or head.
_REFUSED = ["400", "401", "403", "404", "405", "409", "413", "414", "415", "422", "429", "431"]


def configuration(document: dict[str, Any]) -> str:
    """Return the configuration file of Schemathesis.

    It permits the status 400 for values that match the schema where no schema can state which values are valid. Those
    are cursors, client ids, a webhook's address or secret, redirect URIs, the payload of a job, which depends on its
    kind, GraphQL documents, the scopes of a service token, which the app must have, and transcripts of evidence in
    either of their forms.
    """
    lines = [
        # No text of ours may hold a NUL (PostgreSQL has none), which JSON Schema states only with a pattern.
        "[generation]",
        "allow-x00 = false",
        "[checks.positive_data_acceptance]",
        f"expected-statuses = {json.dumps(_EXPECTED)}",
        "[checks.negative_data_rejection]",
        f"expected-statuses = {json.dumps(_REFUSED)}",
    ]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names = [one.get("name") for one in operation.get("parameters", ())] if isinstance(operation, dict) else []
            names_url = (path.startswith("/v1/webhooks") and method in ("post", "put")) or (method, path) in (
                APP_CREATED,
                JOB_STARTED,
                OPERATION_EXECUTED,
                TOKEN_ISSUED,
                TRANSCRIPT_VERIFIED,
            )
            if names_url or not {"cursor", "client_id"}.isdisjoint(names):
                lines += [
                    "[[operations]]",
                    f'include-name = "{method.upper()} {path}"',
                    f"checks.positive_data_acceptance.expected-statuses = {json.dumps([*_EXPECTED, '400'])}",
                ]
    return "\n".join(lines) + "\n"


def restrict_codes(operation: dict[str, Any], document: dict[str, Any]) -> None:
    """Replace the problem documents of an operation by ones whose code is listed in `x-problem-codes`, so that any
    other code is a fault. `X-Tenant-ID` is left out, since any value but one gets 403."""
    tenant = {"$ref": "#/components/parameters/X-Tenant-ID"}
    operation["parameters"] = [one for one in operation.get("parameters", ()) if one != tenant]
    for status, codes in operation.get("x-problem-codes", {}).items():
        response = operation["responses"][status]
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        content = dict(response["content"])
        if "application/problem+json" in content:
            listed = {"type": "object", "properties": {"code": {"enum": codes}}}
            both = {"allOf": [content["application/problem+json"]["schema"], listed]}
            content["application/problem+json"] = {"schema": both}
        operation["responses"][status] = {**response, "content": content}


@pytest.mark.parametrize("host", ["api", "auth"])
def test_schemathesis_finds_no_response_that_violates_the_openapi_document(
    cloud: RunningCloud, tmp_path: Path, host: str
) -> None:
    with cloud.client() as client:
        document = client.get("/.well-known/openapi.json").json()
    paths = [
        path
        for path, item in document["paths"].items()
        if cloud.urls[host] in [server["url"] for server in item.get("servers", document["servers"])]
    ]
    assert paths
    # One document for each host: it knows one base address only.
    document["paths"] = {path: {k: v for k, v in document["paths"][path].items() if k != "servers"} for path in paths}
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                restrict_codes(operation, document)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "schemathesis.toml").write_text(configuration(document))
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", "schemathesis.toml", "run", "openapi.json"),
            *("--url", cloud.urls[host]),
            *("--header", f"Authorization: Bearer {cloud.token('south')}"),
            *(
                "--max-examples",
                str(EXAMPLES_MAX),
                "--seed",
                RUN_SEED,
                "--checks",
                "all",
                "--no-color",
            ),
            # The only DELETE of the api host cancels a job, which can be read afterwards (contract A-077).
            *(("--exclude-checks", "use_after_free") if host == "api" else ()),
            *("--phases", "examples,coverage,fuzzing,stateful"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
    assert "Tested: 0" not in done.stdout
