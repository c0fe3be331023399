"""Query and response of the list of data schemas."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cloud.foundation.http import Query
from cloud.foundation.viewer import SecrecyWord


class SchemaQuery(Query):
    """Filters of the list of data schemas."""

    include_federated: Annotated[
        bool, Field(description="Also list sources of other installations, reached through approved channels.")
    ] = False
    secrecy_max: Annotated[
        SecrecyWord | None,
        Field(description="Only schemas up to this level. Default, and most: the clearance of the caller."),
    ] = None


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class DataSchemaShown(_Shown):
    """A data schema in the list."""

    id: Annotated[str, Field(description="The id, which ends with the version.")]
    title: Annotated[str, Field(description="The name of such an object.")]
    secrecy_level: Annotated[SecrecyWord, Field(description="The clearance that a reader of the schema needs.")]
    operations: Annotated[list[str], Field(description="The operations that return or change such an object.")]
    schema_url: Annotated[str, Field(description="The address of the JSON Schema. It can be kept for offline use.")]


class FederatedSourceShown(_Shown):
    """A source of another installation."""

    source_id: Annotated[str, Field(description="The id of the source.")]
    name: Annotated[str, Field(description="The name of the source.")]
    channel: Annotated[str, Field(description="The Communities of Interest channel.")]
    secrecy_level: Annotated[SecrecyWord, Field(description="The clearance that a viewer of the source needs.")]
    schemas: Annotated[list[DataSchemaShown], Field(description="The schemas that the source offers.")]


class DataSchemaList(_Shown):
    """The data schemas that exist for the caller."""

    tenant_id: Annotated[str, Field(description="The tenant of the token.")]
    schemas: Annotated[list[DataSchemaShown], Field(description="The schemas of this installation.")]
    federated_sources: Annotated[list[FederatedSourceShown], Field(description="Sources of other installations.")]
