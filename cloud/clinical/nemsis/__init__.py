"""Care records as NEMSIS reports: export, import, and the agency that an organisation reports as."""

from cloud.foundation.slice import Slice

SLICE = Slice(
    package=__name__,
    tables="tables",
    # The group `epcr` has the commands of `cloud.clinical.epcr` and those of this slice.
    commands={"epcr": "cli:epcr", "nemsis": "agency_cli:nemsis"},
)
