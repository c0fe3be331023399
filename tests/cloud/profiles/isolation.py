"""Functions that create an object for a path parameter of the profile routes, for `tests/contract/test_isolation`."""

import json

from tests.harness.running_cloud import RunningCloud


def import_profile(cloud: RunningCloud, app: str) -> str:
    owner, path = cloud.apps[app], cloud.folder / f"profiles-{app}.jsonl"
    line = {"reference": f"CRM-{app}", "kind": "person", "names": ["Examplo Testovich"]}
    path.write_text(json.dumps(line))
    tenant = ["--tenant", owner.tenant_id]
    cloud.console("profiles", "import", str(path), *tenant, "--organization", owner.organization_id, "--json")
    found = json.loads(cloud.console("profiles", "list", *tenant, "--json"))
    return str(next(one["id"] for one in found if one["reference"] == line["reference"]))


MAKERS = {"profileId": import_profile}
