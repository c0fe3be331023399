"""Bodies of the profile routes, and the lines of an imported file."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from cloud.clinical.profiles.connectors import Status
from cloud.clinical.profiles.model import ProfileKind
from cloud.foundation.http import DataSchema
from cloud.foundation.readable import hidden_character
from cloud.foundation.viewer import SecrecyWord
from protocols.sanctions.dates import read_birth_date

NAMES_MAX = 32
"""Most names of a profile: each costs a search."""
NAME_LENGTH_MAX = 512
"""Longest name, as in sanctions lists."""
Text = Annotated[str, Field(min_length=1, max_length=128)]
ConnectorName = Literal["sanctions", "wallet_risk"]


class ProfileLine(BaseModel):
    """A line of an imported file: a profile."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: Text
    kind: ProfileKind
    names: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)], ...], Field(max_length=NAMES_MAX)
    ] = ()
    birth_date: Annotated[str | None, Field(max_length=10)] = None
    countries: Annotated[tuple[Text, ...], Field(max_length=16)] = ()
    asset: Text | None = None
    address: Text | None = None
    secrecy_level: SecrecyWord = "standard"

    @field_validator("reference", "asset", "address")
    @classmethod
    def _is_visible(cls, text: str | None) -> str | None:
        if text is not None and hidden_character(text) is not None:
            raise ValueError("has a hidden character")
        return text

    @field_validator("birth_date")
    @classmethod
    def _is_date(cls, text: str | None) -> str | None:
        if text is not None and read_birth_date(text) != text:
            raise ValueError("is a date such as 1948-12-10, 1948-12 or 1948")
        return text

    @model_validator(mode="after")
    def _has_fields_of_its_kind(self) -> "ProfileLine":
        if self.kind is ProfileKind.WALLET:
            if self.asset is None or self.address is None:
                raise ValueError("a wallet has asset and address")
        elif not self.names or self.address is not None:
            raise ValueError("a person or an organisation has names and no address")
        return self


class EnrichmentRequest(BaseModel):
    """The connectors to run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connectors: Annotated[
        tuple[ConnectorName, ...] | None,
        Field(min_length=1, max_length=8, description="Connectors to run. Default: all for the kind of the profile."),
    ] = None


class ConnectorResult(BaseModel):
    """The result of one connector."""

    model_config = ConfigDict(frozen=True)

    connector: Annotated[ConnectorName, Field(description="The connector.")]
    status: Annotated[
        Status,
        Field(
            description="`completed`; `incomplete`: the name is too common, and not all candidates were compared; "
            "`no_data`: no list is imported, so the result is no statement about the profile."
        ),
    ]
    risk_score: Annotated[int | None, Field(ge=0, le=100, description="Risk score; null without data.")]
    sources: Annotated[list[dict[str, Any]], Field(description="The editions of the lists that were searched.")]
    hits: Annotated[
        list[dict[str, Any]], Field(description="Hits, best first, each with its score and an explanation.")
    ]


class Risk(BaseModel):
    """The highest risk score of the connectors."""

    model_config = ConfigDict(frozen=True)

    level: Annotated[Literal["unknown", "low", "medium", "high"], Field(description="`unknown` without data.")]
    score: Annotated[int | None, Field(ge=0, le=100, description="Risk score; null without data.")]


class ProfileEnrichment(BaseModel):
    """The statements of the connectors about a profile at a time."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The enrichment, enr_….")]
    profile_id: Annotated[str, Field(description="The profile.")]
    enriched_at: Annotated[str, Field(description="Time of the enrichment, UTC.")]
    risk: Annotated[Risk, Field(description="The highest risk score.")]
    connectors: Annotated[list[ConnectorResult], Field(description="The results of the connectors.")]


class ProfileShown(BaseModel):
    """A person, organisation or wallet of the caller's organisation."""

    model_config = ConfigDict(frozen=True)

    id: Annotated[str, Field(description="The profile, prf_….")]
    organization_id: Annotated[str, Field(description="The organisation of the profile.")]
    reference: Annotated[str, Field(description="Its id in the system of the organisation.")]
    kind: Annotated[ProfileKind, Field(description="Kind of the subject.")]
    names: Annotated[list[str], Field(description="Names; empty for a wallet without a known holder.")]
    birth_date: Annotated[str | None, Field(description="Date of birth, perhaps without day or month.")]
    countries: Annotated[list[str], Field(description="Nationalities, or countries of registration.")]
    asset: Annotated[str | None, Field(description="Asset of a wallet.")]
    address: Annotated[str | None, Field(description="Address of a wallet.")]
    secrecy_level: Annotated[str, Field(description="Level of secrecy.")]
    created_at: Annotated[str, Field(description="Creation time, UTC.")]
    updated_at: Annotated[str, Field(description="Time of the last change, UTC.")]
    enrichment: Annotated[ProfileEnrichment | None, Field(description="The last enrichment; null before the first.")]


DATA_SCHEMAS = (
    DataSchema(
        id="argus.profile.v1",
        title="Profile",
        model=ProfileShown,
        operations=("GET /v1/profiles/{id}", "POST /v1/profiles/{id}/enrich"),
    ),
)
