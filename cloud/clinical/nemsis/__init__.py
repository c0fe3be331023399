"""Care records as NEMSIS reports: export, import, and the agency that an organisation reports as."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.nemsis.errors import AgencyMissing
    from cloud.clinical.nemsis.export import Report, ReportExport
else:
    __getattr__ = lazy_exports(__name__)

REGISTRY = "argus:epcr:nemsis"
"""Scope of reports for registries. Only entitled tenants have it."""

SLICE = Slice(
    package=__name__,
    scopes=(
        Scope(
            REGISTRY,
            "Read care records with the patient's identity as NEMSIS reports, for a registry",
            "Odczyt dokumentacji z danymi pacjenta w postaci raportów NEMSIS, dla rejestru",
            entitled=True,
        ),
    ),
    tables="tables",
    routes=("routes:routes",),
    # The group `epcr` has the commands of `cloud.clinical.epcr` and those of this slice.
    commands={"epcr": "cli:epcr", "nemsis": "agency_cli:nemsis"},
)
