"""Query and body of the FHIR routes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cloud.foundation.http import Cursor, Query


class BundleQuery(Query):
    """The query of a bundle. The cursor is in the link to the next part."""

    cursor: Cursor = None


class HandoverQuery(BundleQuery):
    """The query of a bundle with the identity of the patient."""

    purpose_of_use: Annotated[Literal["TREAT"], Field(description="`TREAT`: the caller treats the patient.")]


class BundleLink(BaseModel):
    """The address of another part."""

    model_config = ConfigDict(frozen=True)

    relation: Literal["next"]
    url: Annotated[str, Field(description="Address of the next part.")]


class FhirBundle(BaseModel):
    """A FHIR R4 transaction bundle, whose resources FHIR describes."""

    model_config = ConfigDict(frozen=True)

    resourceType: Literal["Bundle"]  # noqa: N815  FHIR's name
    type: Literal["transaction"]
    entry: Annotated[
        list[dict[str, Any]], Field(description="Entries with fullUrl, resource and request (POST, ifNoneExist).")
    ]
    link: Annotated[
        list[BundleLink] | None, Field(description="The next part, if the bundle has more than 5000 entries.")
    ] = None
    meta: Annotated[dict[str, Any] | None, Field(description="Security label PSEUDED.")] = None
