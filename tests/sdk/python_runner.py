"""The runner of the SDK for Python: performs the call of a story, and returns what the table of stories describes.

As a program it reads `{"facts": …, "call": …}` from each line of standard input, and writes the result to a line of
standard output. It imports nothing of ours but the SDK, so that it runs with an installed wheel.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from argus_sdk import evidence, webhooks
from argus_sdk.client import Argus, ClientCredentials, Timing
from argus_sdk.errors import ArgusError


class HandTiming:
    """A clock that only pauses move; `slept_s` are the pauses."""

    def __init__(self) -> None:
        self.slept_s: list[float] = []

    def pause(self, seconds_s: float) -> None:
        self.slept_s.append(seconds_s)

    def monotonic_s(self) -> float:
        return sum(self.slept_s)


def perform(call: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """Perform a call; return its `result` or its `error`, with `slept_s`."""
    timing = HandTiming()
    try:
        outcome: dict[str, Any] = {"result": _result(call, facts, timing)}
    except ArgusError as error:
        shown = {
            name: getattr(error, name)
            for name in ("code", "status", "trace_id", "retry_after_s", "problem_url", "members", "detail", "retryable")
            if getattr(error, name, None) is not None
        }
        outcome = {"error": shown, "kind": type(error).__name__, "texts": [str(error), repr(error), repr(vars(error))]}
    return outcome | {"slept_s": timing.slept_s}


def _result(call: dict[str, Any], facts: dict[str, Any], timing: HandTiming) -> Any:
    if call["do"] == "verify_webhook":
        more = {"tolerance_s": call["tolerance_s"]} if "tolerance_s" in call else {}
        return webhooks.verify(call["body"].encode(), call["headers"], call["secrets"], now_s=call["now_s"], **more)
    if call["do"] == "verify_provenance":
        keys = None if call["keys"] is None else Path(call["keys"]).read_bytes()
        expected = {name: call.get(name) for name in ("evidence_id", "tenant_id", "content_hashes")}
        found = evidence.verify_provenance_local(Path(call["transcript"]).read_bytes(), keys, **expected)
        links = [{"record_id": one.record_id, "index": one.index, "reason": one.reason} for one in found.broken_links]
        return {"outcome": found.outcome, "broken_links": links}
    secret = "wrong" if call.get("wrong_secret") else facts["client_secret"]
    tokens = ClientCredentials(facts["auth_url"], facts["client_id"], secret)
    moved = Timing(pause=timing.pause, monotonic_s=timing.monotonic_s)
    with Argus(auth_url=facts["auth_url"], api_url=facts["api_url"], tokens=tokens, timing=moved) as argus:
        return _of_api(argus, call, facts)


def _of_api(argus: Argus, call: dict[str, Any], facts: dict[str, Any]) -> Any:
    match call["do"]:
        case "request":
            return argus.request(
                call["method"],
                call["path"],
                query=call.get("query"),
                body=call.get("body"),
                idempotency_key=call.get("idempotency_key"),
            )
        case "exchange":
            reply = argus.exchange(call["method"], call["path"], headers=call["headers"])
            return {"status": reply.status, "etag": reply.headers.get("etag"), "text": reply.body.decode()}
        case "list":
            return list(argus.list(call["path"], query=call.get("query")))
        case "wait_for_job":
            return argus.jobs.wait(call["job_id"], poll_s=call["poll_s"], limit_s=call["limit_s"])
        case "job_result":
            return argus.jobs.result(call["job_id"])
        case "graphql":
            return argus.graphql.execute(
                document_id=call["document_id"],
                variables=call["variables"],
                operation_name=call.get("operation_name"),
                is_query=call.get("is_query", False),
            )
        case "download_fhir":
            files = argus.encounters.download_fhir(call["encounter_id"], Path(facts["folder"]))
            return [json.loads(file.read_text()) for file in files]
        case "download_result":
            path = Path(facts["folder"]) / "result"
            argus.jobs.download_result(call["job_id"], path)
            return path.read_text()
        case "transcript":
            return argus.evidence.transcript(call["evidence_id"]).decode()
        case "verify_by_cloud":
            return argus.evidence.verify(call["evidence_id"], call["transcript"].encode())
        case unknown:
            raise AssertionError(unknown)


def main() -> None:
    """Perform the calls of standard input, one a line."""
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            done = perform(asked["call"], {"folder": folder, **asked.get("facts", {})})
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
