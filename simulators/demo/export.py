"""Make what `demo.json` names beside the plan: an export that has succeeded, and the evidence of the encounter."""

from typing import Any, NamedTuple

import aiohttp

from simulators.demo.api_token import api_token
from simulators.demo.plan import Plan
from simulators.demo.readiness import eventually

EXPORT = {"kind": "export.bulk", "payload": {"data": "encounters", "format": "ndjson"}}
SCOPES = "argus:jobs:write argus:epcr:read"


class Exhibits(NamedTuple):
    """The ids of a finished export and of the evidence of the encounter; empty before they are known."""

    export_job_id: str = ""
    evidence_id: str = ""


async def make_exhibits(plan: Plan, within_s: float) -> Exhibits:
    """Export the encounters as the demo's app, and read the id of the evidence; return both when the job has succeeded.
    Raises `DemoNotReady` after `within_s`."""
    total = aiohttp.ClientTimeout(total=within_s)
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession(timeout=total, trust_env=False) as session:

        async def has_succeeded() -> bool:
            try:
                if "token" not in found:
                    found["token"] = await api_token(session, plan, SCOPES)
                headers = {"Authorization": f"Bearer {found['token']}"}
                jobs = f"{plan.url('api')}/v1/jobs"
                if "id" not in found:
                    async with session.post(jobs, json=EXPORT, headers=headers, raise_for_status=True) as response:
                        found["id"] = (await response.json())["id"]
                async with session.get(f"{jobs}/{found['id']}", headers=headers, raise_for_status=True) as response:
                    if (await response.json())["status"] != "succeeded":
                        return False
                summary = f"{plan.url('api')}/api/v1/epcr/encounters/{plan.encounter_id}"
                async with session.get(summary, headers=headers, raise_for_status=True) as response:
                    found["evidence_id"] = (await response.json())["evidence_id"]
                return True
            except aiohttp.ClientError:
                return False  # it is tried again until the time is over

        await eventually("the export", has_succeeded, within_s)
    return Exhibits(str(found["id"]), str(found["evidence_id"]))
