"""Functions that create an object for a path parameter of the profile routes, for `tests/contract/test_isolation`.

The profile was compared with an imported list, so that its enrichment has the fields of the documented example.
"""

import json

from tests.builders.sanctions_lists import listed, ofac_xml
from tests.harness.running_cloud import RunningCloud


def import_profile(cloud: RunningCloud, app: str) -> str:
    owner, path = cloud.apps[app], cloud.folder / f"profiles-{app}.jsonl"
    line = {"reference": f"CRM-{app}", "kind": "person", "names": ["Examplo Testovich"]}
    path.write_text(json.dumps(line))
    tenant = ["--tenant", owner.tenant_id]
    cloud.console("profiles", "import", str(path), *tenant, "--organization", owner.organization_id, "--json")
    entries = cloud.folder / f"list-{app}.xml"
    entries.write_bytes(ofac_xml([listed("SYN-1", "Another Subjectov")]))
    cloud.console("screening", "import", str(entries), *tenant, "--format", "ofac-xml", "--json")
    found = json.loads(cloud.console("profiles", "list", *tenant, "--json"))
    profile_id = str(next(one["id"] for one in found if one["reference"] == line["reference"]))
    with cloud.client(app) as client:
        client.post(f"/v1/profiles/{profile_id}/enrich").raise_for_status()
    return profile_id


MAKERS = {"/v1/profiles/{id}": import_profile}
