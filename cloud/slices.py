"""The list of the cloud's slices. A slice is the folder of one capability, which declares itself in its `__init__`.

The hosts, the console, and the catalogues of tables, settings, scopes, events and documents are made from this list. A
new capability adds its folder, a migration and one line here.
"""

from importlib import import_module

from cloud.foundation.slice import Slice, declare
from cloud.foundation.slice import load_tables as load_tables

PACKAGES = (
    "cloud.access.tenancy",
    "cloud.access.standing",
    "cloud.access.audit",
    "cloud.access.retention",
    "cloud.access.apps",
    "cloud.access.identity",
    "cloud.access.tokens",
    "cloud.access.oauth",
    "cloud.clinical.incidents",
    "cloud.clinical.epcr",
    "cloud.clinical.nemsis",
    "cloud.clinical.devices",
    "cloud.clinical.assignments",
    "cloud.clinical.waveforms",
    "cloud.clinical.observations",
    "cloud.clinical.encounter_data",
    "cloud.clinical.fhir",
    "cloud.clinical.handover",
    "cloud.clinical.screening",
    "cloud.clinical.profiles",
    "cloud.clinical.acqi",
    "cloud.vehicles.fleet",
    "cloud.vehicles.missions",
    "cloud.vehicles.custody",
    "cloud.vehicles.ingest",
    "cloud.vehicles.packing",
    "cloud.vehicles.verification",
    "cloud.vehicles.expiry",
    "cloud.vehicles.erasure",
    "cloud.work.evidence",
    "cloud.work.jobs",
    "cloud.work.schedules",
    "cloud.work.graph",
    "cloud.work.exports",
    "cloud.work.enrichment",
    "cloud.work.imports",
    "cloud.work.provenance_keys",
    "cloud.work.provenance",
    "cloud.work.tree_heads",
    "cloud.partners.webhooks",
    "cloud.partners.tracing",
    "cloud.partners.graphql",
    "cloud.partners.telephony",
    "cloud.partners.administration",
    "cloud.partners.discovery",
    "cloud.partners.docs",
    "cloud.foundation.steps",
    "cloud.foundation.events",
    "cloud.foundation.tracing",
    "cloud.foundation.http",
    "cloud.foundation.health",
    "cloud.foundation.egress",
    "cloud.foundation.objects",
    "cloud.foundation.observability",
)
"""The slices' packages, in the order of the commands in `argus-cloud --help` and of the addresses in the documents."""

SLICES: tuple[Slice, ...] = tuple(import_module(package).SLICE for package in PACKAGES)

declare(SLICES)
