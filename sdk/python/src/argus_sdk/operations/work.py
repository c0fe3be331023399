"""Jobs, evidence, GraphQL, traces and data schemas."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from argus_sdk import types
from argus_sdk.api import segment
from argus_sdk.errors import GraphqlFailed, JobFailed, JobWaitExceeded, ResponseUnusable
from argus_sdk.operations.group import Group
from argus_sdk.strict_json import read_text, read_value

POLL_S = 2.0
JOB_LIMIT_S = 3600.0
Algorithm = Literal["hmac-sha256", "ml-dsa-65"]
Result = TypeVar("Result")


class Jobs(Group):
    """Long-running work."""

    def list(
        self, *, kind: str | None = None, status: str | None = None, limit: int | None = None
    ) -> Iterator[types.JobListed]:
        """Yield the jobs of the organisation, or of the tenant if the app has no organisation, newest first. `kind` and
        `status` are one value or several with commas."""
        return self._api.pages("/v1/jobs", {"kind": kind, "status": status, "limit": limit})

    def start(self, wanted: types.JobWanted, *, idempotency_key: str | None = None) -> types.JobQueued:
        """Start a job."""
        found = self._api.request("POST", "/v1/jobs", body=wanted, idempotency_key=idempotency_key)
        return cast(types.JobQueued, found)

    def read(self, job_id: str) -> types.JobShown:
        """Return a job: its status, its progress and the reason of a failure."""
        return cast(types.JobShown, self._api.request("GET", f"/v1/jobs/{segment(job_id)}"))

    def wait(
        self,
        job_id: str,
        *,
        poll_s: float = POLL_S,
        limit_s: float = JOB_LIMIT_S,
        on_progress: Callable[[types.JobShown], None] | None = None,
    ) -> types.JobShown:
        """Poll a job until it has succeeded, and return it. `on_progress` is called with each state of the job.

        Raises `JobFailed` if it failed or was cancelled, and `JobWaitExceeded` if it has not ended after `limit_s`.
        """
        until_s = self._api.monotonic_s() + limit_s
        while True:
            job = self.read(job_id)
            if on_progress is not None:
                on_progress(job)
            if job["status"] == "succeeded":
                return job
            if job["status"] in ("failed", "cancelled"):
                raise JobFailed(job)
            left_s = until_s - self._api.monotonic_s()
            if left_s <= 0:
                raise JobWaitExceeded(job, limit_s)
            self._api.pause(min(poll_s, left_s))

    def cancel(self, job_id: str) -> None:
        """Cancel a job; also if it was cancelled before. Raises `ApiError` with 409 if it has ended by itself."""
        self._api.request("DELETE", f"/v1/jobs/{segment(job_id)}")

    def result(self, job_id: str) -> types.JobResultShown:
        """Return the signed address of the result. Treat it as a credential.

        Raises `ResponseUnusable` with `result_pending` if the job has not ended, and `ApiError` with 410 if the result
        has expired.
        """
        found = self._api.request("GET", f"/v1/jobs/{segment(job_id)}/result")
        if not isinstance(found, dict) or not isinstance(found.get("signed_url"), str):
            raise ResponseUnusable("result_pending", "The job has not ended. Wait for it first.")
        return cast(types.JobResultShown, found)

    def read_result(self, job_id: str, read: Callable[[Iterator[bytes]], Result]) -> Result:
        """Read the result of a job that has succeeded as it arrives, and return what `read` returns. `read` is called
        again from the beginning if the connection was lost."""
        return self._api.read_signed(self.result(job_id)["signed_url"], read)

    def download_result(self, job_id: str, path: Path) -> None:
        """Write the result of a job that has succeeded to a file, which appears when it is complete."""
        self._api.download_signed(self.result(job_id)["signed_url"], path)


class Evidence(Group):
    """Signed records of what was done with an encounter. `argus_sdk.evidence` verifies them without the cloud."""

    def keys(self, algorithm: Literal["ml-dsa-65"] = "ml-dsa-65") -> bytes:
        """Return the document of the published keys as it was received. Keep it with the transcripts."""
        return self._api.read_bytes(f"/.well-known/provenance-keys/{segment(algorithm)}")

    def transcript(
        self,
        evidence_id: str,
        *,
        algorithm: Algorithm = "ml-dsa-65",
        format: Literal["json", "jsonld"] = "json",
        context: Literal["inline", "strict"] | None = None,
        proof_of: str | None = None,
        consistent_with: int | None = None,
    ) -> bytes:
        """Return the transcript of evidence as it was received; with `format="jsonld"` as a PROV-O document.

        Keep and verify these bytes: a transcript that was parsed and written is another text. The SDK requests
        `ml-dsa-65` signatures by default, which anyone can verify.
        """
        query = {
            "algorithm": algorithm,
            "format": format,
            "context": context,
            "proof_of": proof_of,
            "consistent_with": consistent_with,
        }
        path = f"/v1/evidence/{segment(evidence_id)}/provenance"
        accept = {"Accept": "application/ld+json" if format == "jsonld" else "application/json"}
        return self._api.read_bytes(path, query=query, headers=accept)

    def verify(self, evidence_id: str, transcript: bytes | str | Mapping[str, Any]) -> types.ProvenanceVerification:
        """Have the cloud verify a transcript, also one with `hmac-sha256` signatures. Raises `EvidenceUnusable` for
        text that is not JSON."""
        path = f"/v1/evidence/{segment(evidence_id)}/provenance/verify"
        body: object = {"transcript": transcript}
        if isinstance(transcript, bytes | str):
            # The text is sent as it is. It was read before, so that it is one value and no further members.
            read_value(transcript, "transcript_malformed")
            body = b'{"transcript":%s}' % read_text(transcript, "transcript_malformed").encode()
        # It changes nothing but the audit trail.
        found = self._api.request("POST", path, body=body, is_repeatable=True)
        return cast(types.ProvenanceVerification, found)


class Graphql(Group):
    """GraphQL operations that the app was given."""

    def execute(
        self,
        *,
        document_id: str | None = None,
        query: str | None = None,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        is_query: bool = False,
    ) -> dict[str, Any]:
        """Execute an approved document by its id (`sha256:` and 64 hexadecimal digits) or its text; return `data`.

        `is_query` states that the operation changes nothing, so that it may be repeated. Raises `GraphqlFailed` if the
        operation was refused or a field failed; `data` of the error has what was read.
        """
        body: dict[str, Any] = {"documentId": document_id} if document_id is not None else {"query": query}
        if operation_name is not None:
            body["operationName"] = operation_name
        body["variables"] = dict(variables or {})
        found: types.GraphqlResponse = self._api.request("POST", "/graphql", body=body, is_repeatable=is_query)
        errors, data = found.get("errors"), found.get("data")
        if errors:
            raise GraphqlFailed(cast(list[Mapping[str, Any]], errors), data)
        return data or {}


class Observability(Group):
    """Traces: the effects of a request."""

    def trace(self, trace_id: str) -> types.TraceShown:
        """Return the trace of a request; its id is in each response and each error."""
        return cast(types.TraceShown, self._api.request("GET", f"/v1/observability/traces/{segment(trace_id)}"))


class Discovery(Group):
    """Machine-readable descriptions of the API and its data."""

    def data_schemas(
        self, *, include_federated: bool | None = None, secrecy_max: str | None = None
    ) -> types.DataSchemaList:
        """Return the list of data schemas."""
        query = {"include_federated": include_federated, "secrecy_max": secrecy_max}
        return cast(types.DataSchemaList, self._api.request("GET", "/v1/discovery/data-schemas", query=query))

    def data_schema(self, id: str) -> dict[str, Any]:
        """Return one JSON Schema."""
        return cast(dict[str, Any], self._api.request("GET", f"/.well-known/schemas/{segment(id)}.json"))

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        return cast(dict[str, Any], self._api.request("GET", "/.well-known/openapi.json"))

    def catalog(self) -> dict[str, Any]:
        """Return the catalogue of APIs (RFC 9727)."""
        accept = {"Accept": "application/linkset+json"}
        return cast(dict[str, Any], self._api.request("GET", "/.well-known/api-catalog", headers=accept))
