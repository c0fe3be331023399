"""Errors about NEMSIS reports."""

from cloud.foundation.errors import DomainError, PrivateError


class AgencyMissing(DomainError, code="nemsis_agency_missing", status=422):
    """The organisation has no agency for NEMSIS reports. The operator sets it with `argus-cloud nemsis set`."""


class AgencyMalformed(PrivateError, code="nemsis_agency_malformed", status=422):
    """The agency cannot be used in NEMSIS reports."""


class ReportIncomplete(DomainError, code="nemsis_report_incomplete", status=422):
    """NEMSIS does not permit a report of this care record until the record is corrected."""


class SchemaUnusable(PrivateError, code="nemsis_schema_unusable", status=422):
    """The schema cannot be used. `--xsd` names the folder of the operator's copy that has EMSDataSet_v3.xsd."""


class DocumentUnreadable(PrivateError, code="nemsis_document_unreadable", status=422):
    """The document cannot be imported. Nothing was changed."""


class ReportsTooMany(PrivateError, code="nemsis_reports_too_many", status=422):
    """An encounter takes one report. Import a document with several without --encounter: each report then has an
    encounter of its own. Nothing was changed."""


class OrganizationDiffers(PrivateError, code="nemsis_organization_differs", status=409):
    """The report was imported for another organisation. Name that organisation."""
