"""`demo.json`: what a script needs to use the running demo (DESIGN §5), always whole and current.

Written once everything is ready, and again whenever a child got a new pid; each time in one step, so that a reader
never sees a partial file.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from simulators.demo.configuration import radio_control, radio_socket
from simulators.demo.plan import Plan, write_private

DEMO_FILE = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts that are known only at run time."""

    crew_pin: str
    pids: dict[str, int]
    allow_callback: tuple[str, ...]
    database_url: str
    broker: str


def content(plan: Plan, facts: Facts) -> dict[str, object]:
    first, second = plan.first, plan.second
    return {
        "auth_url": plan.url("auth"),
        "api_url": plan.url("api"),
        "sandbox_url": plan.url("sandbox"),
        "docs_url": plan.url("docs"),
        "crew_url": plan.url("crew"),
        "crew_pin": facts.crew_pin,
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
        "second_tenant": {
            "tenant_id": second.tenant_id,
            "admin_token": second.admin_token,
            "client_id": second.client_id,
            "client_secret": second.client_secret,
        },
        "allow_callback": list(facts.allow_callback),
        "pids": facts.pids,
        "broker": facts.broker,
        "gateway_db": str(plan.file("gateway", "buffer.sqlite")),
        "cloud_db_url": facts.database_url,
        "gateway_config": str(plan.file("gateway.toml")),
        "cloud_config": str(plan.file("cloud.toml")),
    }


def write(path: Path, plan: Plan, facts: Facts) -> None:
    write_private(path, json.dumps(content(plan, facts), indent=1) + "\n")
