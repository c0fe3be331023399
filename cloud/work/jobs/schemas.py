"""Bodies and queries of the routes of jobs (contract C-155 … C-184)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from cloud.foundation.egress import URL_LENGTH_MAX
from cloud.foundation.http import DataSchema, Paged
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.jobs.kind import AnyKind, job_kinds
from cloud.work.jobs.model import JobStatus

_LEVELS: list[JsonValue] = [level.word for level in SecrecyLevel]
_KINDS = list(job_kinds())


def _described(kind: AnyKind) -> str:
    needs = f" Needs {kind.scopes.text}." if kind.scopes.text else ""
    return f"- `{kind.name}`: {kind.description}.{needs}"


_KIND_LIST = "\n".join(_described(kind) for kind in job_kinds().values())


class _Response(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JobWanted(BaseModel):
    """A job to start."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    kind: str = Field(
        max_length=64, description=f"Kind of the job.\n\n{_KIND_LIST}", json_schema_extra={"enum": [*_KINDS]}
    )
    payload: dict[str, Any] = Field(repr=False, description="What to do, in the form of the kind.")
    callback_url: str | None = Field(
        default=None,
        min_length=1,
        max_length=URL_LENGTH_MAX,
        repr=False,
        description="Gets a signed webhook when the job has ended: https, a public host, port 443, 8443 or any from "
        "1024.",
        json_schema_extra={"format": "uri"},
    )
    secrecy_level: str = Field(
        default=SecrecyLevel.STANDARD.word,
        max_length=32,
        description="The job reads no data above this level, and callers below it do not see the job.",
        json_schema_extra={"enum": _LEVELS},
    )


WORDS_MAX = 16
"""Words of a filter."""


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _words(choices: list[str]) -> BeforeValidator:
    """Return the validator of a list of these words, separated by commas."""

    def read(value: object) -> object:
        words = _split(value)
        if not isinstance(words, list) or len(words) > WORDS_MAX or not set(words) <= set(choices):
            raise ValueError(f"one or several of {', '.join(choices)}, separated by commas")
        return words

    word = f"({'|'.join(choice.replace('.', '[.]') for choice in choices)})"
    shape = Annotated[str, Field(pattern=f"^{word}(,{word}){{0,{WORDS_MAX - 1}}}$", max_length=1024)]
    return BeforeValidator(read, json_schema_input_type=shape)


class JobQuery(Paged):
    """Filters of the listing of jobs."""

    kind: Annotated[
        tuple[str, ...] | None, _words(_KINDS), Field(description="Filter by kinds, separated by commas.")
    ] = None
    status: Annotated[
        tuple[JobStatus, ...] | None,
        _words([status.value for status in JobStatus]),
        Field(description="Filter by statuses, separated by commas."),
    ] = None


class JobQueued(_Response):
    """A new job."""

    id: str = Field(description="The job.")
    kind: str
    status: Literal["queued"]
    created_at: str
    trace_id: str = Field(description="Trace of this request.")


class JobErrorShown(_Response):
    """The reason why a job failed."""

    code: str = Field(description="Stable code.")
    message: str = Field(description="A sentence for people.")
    retryable: bool = Field(description="Whether a new job with the same payload may succeed.")


class JobShown(_Response):
    """A job."""

    id: str
    kind: str
    status: JobStatus
    progress_pct: int = Field(ge=0, le=100, description="Never decreases; 100 when the job has succeeded.")
    created_at: str
    updated_at: str
    completed_at: str | None = Field(description="Time of the end; null while the job is queued or running.")
    error: JobErrorShown | None
    trace_id: str = Field(description="Trace of the request that started the job.")
    evidence_id: str | None = Field(
        default=None,
        description="The evidence of the file, evd_…, whose provenance can be fetched; null until an export or import "
        "has succeeded, and for other kinds.",
    )


class JobListed(_Response):
    """A job in a list."""

    id: str
    kind: str
    status: JobStatus
    progress_pct: int
    created_at: str
    trace_id: str


class JobPage(_Response):
    """A page of jobs, newest first."""

    jobs: list[JobListed]
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    total_count: int = Field(description="Number of all jobs that match the filters.")


class JobResultPending(_Response):
    """The progress of a job whose result does not exist yet."""

    status: JobStatus
    progress_pct: int


class JobResultShown(_Response):
    """The result of a job."""

    id: str
    result_ref: str = Field(description="Opaque name of the result.")
    signed_url: str = Field(
        repr=False, description="Address of the result for some minutes. It suffices to read the result."
    )


DATA_SCHEMAS = (
    DataSchema(
        id="argus.job.v1",
        title="Job",
        model=JobShown,
        operations=("GET /v1/jobs/{id}", "DELETE /v1/jobs/{id}"),
    ),
)
