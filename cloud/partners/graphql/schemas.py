"""Body of a GraphQL request, and its response (GraphQL over HTTP)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

DOCUMENT_ID_LENGTH_MAX = 128
NAME_LENGTH_MAX = 256


class PersistedQuery(BaseModel):
    """Apollo's form of the id of a document."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    sha256Hash: str = Field(min_length=1, max_length=DOCUMENT_ID_LENGTH_MAX)  # noqa: N815  Apollo's name


class Extensions(BaseModel):
    """Extensions of a request. Others are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    persistedQuery: PersistedQuery | None = None  # noqa: N815  Apollo's name


class GraphqlRequest(BaseModel):
    """One operation. Send `query` or `documentId`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    query: str | None = Field(default=None, max_length=65_536, description="An approved GraphQL document.")
    documentId: str | None = Field(  # noqa: N815  the name of the specification
        default=None,
        max_length=DOCUMENT_ID_LENGTH_MAX,
        description="The id of an approved document, `sha256:` and 64 hexadecimal digits.",
    )
    operationName: str | None = Field(default=None, max_length=NAME_LENGTH_MAX)  # noqa: N815
    variables: dict[str, Any] | None = None
    extensions: Extensions | None = None


class GraphqlErrorEntry(BaseModel):
    """An error of the request or of a field."""

    message: str
    path: list[str | int] | None = Field(default=None, description="The field of `data` that is null for this reason.")
    extensions: dict[str, Any] = Field(description="`code` is stable; `trace_id` is the id to quote to support.")


class GraphqlResponse(BaseModel):
    """The data of the operation and the errors of its fields; without `data`, the operation was not executed."""

    data: dict[str, Any] | None = None
    errors: list[GraphqlErrorEntry] | None = None
