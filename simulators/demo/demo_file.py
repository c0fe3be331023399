"""`demo.json`: everything that a script needs to use the running demo (DESIGN §5).

The file is written when all processes are ready, and again whenever a process gets a new pid. It is replaced in one
step, so that a reader never sees a partial file.
"""

import json

from simulators.demo.configuration import Choices, database_url, radio_control, radio_socket
from simulators.demo.export import Exhibits
from simulators.demo.plan import Plan
from simulators.private_file import write_private

DEMO_FILE = "demo.json"


def write(
    plan: Plan, choices: Choices, *, crew_pin: str, pids: dict[str, int], broker: str, exhibits: Exhibits
) -> None:
    """Write `demo.json`. `pids` maps the name of each process to its pid."""
    first, second = plan.first, plan.second
    content = {
        "auth_url": plan.url("auth"),
        "api_url": plan.url("api"),
        "sandbox_url": plan.url("sandbox"),
        "docs_url": plan.url("docs"),
        "crew_url": plan.url("crew"),
        "crew_pin": crew_pin,
        "mqtt_url": plan.url("mqtt", "mqtt"),
        "agent_tcp": f"127.0.0.1:{plan.ports['agent_tcp']}",
        "ble_radio": str(radio_socket(plan)),
        "ble_radio_control": str(radio_control(plan)),
        "tenant_id": first.tenant_id,
        "organization_id": first.organization_id,
        "vehicle_id": first.vehicle_id,
        "admin_token": first.admin_token,
        "client_id": first.client_id,
        "client_secret": first.client_secret,
        "username": first.username,
        "password": first.password,
        "encounter_id": plan.encounter_id,
        "fhir_url": f"{plan.url('api')}/api/v1/epcr/encounters/{plan.encounter_id}/fhir-bundle",
        "export_job_id": exhibits.export_job_id,
        "evidence_id": exhibits.evidence_id,
        "second_tenant": {
            "tenant_id": second.tenant_id,
            "admin_token": second.admin_token,
            "client_id": second.client_id,
            "client_secret": second.client_secret,
        },
        "allow_callback": choices.allow_callback,
        "pids": pids,
        "broker": broker,
        "gateway_db": str(plan.file("gateway", "buffer.sqlite")),
        "cloud_db_url": database_url(plan, choices),
        "gateway_config": str(plan.file("gateway.toml")),
        "cloud_config": str(plan.file("cloud.toml")),
    }
    write_private(plan.file(DEMO_FILE), json.dumps(content, indent=1) + "\n")
