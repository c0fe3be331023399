"""Errors of imports."""

from cloud.foundation.errors import DomainError, PrivateError
from cloud.foundation.http import Refused


class UploadUnknown(DomainError, code="upload_unknown", status=422):
    """An upload is not found. It was sent more than a day ago, by another app or for another organisation, or a job has
    used it or names it. Send it again."""


class EncounterDiffers(PrivateError, code="encounter_differs"):
    """The encounter exists with another care model or crew. An import does not change encounters. Leave the row out,
    and change the mission with PATCH /api/v1/epcr/encounters/{encounterId}/mission."""


class UploadEmpty(DomainError, code="upload_empty", status=400):
    """The body is empty. Send the bytes of the file."""


class UploadsUnavailable(Refused, code="uploads_unavailable", status=503):
    """This installation has no store for files and results."""


class UploadsBusy(Refused, code="uploads_busy", status=503):
    """The server stores as many uploads as it can at once. Send this one again after Retry-After."""

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "2"})


class WholeTenantRequired(DomainError, code="whole_tenant_required", status=403):
    """Sanctions lists apply to every organisation of the tenant. Use an access token without an organisation."""
