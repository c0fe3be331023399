"""`argus-sim env`: print the addresses and credentials of a demo as shell variables."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from simulators.command_line import Refusal, refusing
from simulators.demo.demo_file import DEMO_FILE

VARIABLES = {
    "TENANT": "tenant_id",
    "ORGANIZATION": "organization_id",
    "VEHICLE": "vehicle_id",
    "ENCOUNTER": "encounter_id",
    "CLIENT_ID": "client_id",
    "CLIENT_SECRET": "client_secret",
    "DEMO_USERNAME": "username",
    "DEMO_PASSWORD": "password",
    "AUTH_URL": "auth_url",
    "API_URL": "api_url",
    "SANDBOX_URL": "sandbox_url",
    "DOCS_URL": "docs_url",
    "FHIR_URL": "fhir_url",
    "EXPORT_JOB": "export_job_id",
    "EVIDENCE": "evidence_id",
    "CREW_URL": "crew_url",
    "CREW_PIN": "crew_pin",
    "MQTT_URL": "mqtt_url",
    "AGENT_TCP": "agent_tcp",
    "BLE_RADIO": "ble_radio",
    "GATEWAY_CONFIG": "gateway_config",
    "CLOUD_CONFIG": "cloud_config",
}
"""Shell variables by name, each with its field of `demo.json`."""


def env(
    state: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the demo.", readable=False)] = Path(
        "demo-state"
    ),
) -> None:
    """Print the variables of a demo for a shell: eval "$(argus-sim env DIR)". They include its secrets."""
    with refusing():
        for line in exports(state, read_demo_file(state)):
            typer.echo(line)


def exports(state: Path, facts: Mapping[str, Any]) -> list[str]:
    """Return a shell command `export NAME=VALUE`, quoted, for each variable. `facts` is the content of `demo.json`."""
    values = {"STATE": str(state.resolve()), **{name: str(facts[field]) for name, field in VARIABLES.items()}}
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def read_demo_file(state: Path) -> dict[str, Any]:
    """Return the content of `demo.json` in the folder of a demo. Raises `Refusal`."""
    path = state / DEMO_FILE
    try:
        facts: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise Refusal(f"{path} does not exist: start the demo with `argus-sim demo --state {path.parent}`") from None
    except ValueError:
        raise Refusal(f"{path} is not a file of the demo: restart the demo, which writes it again") from None
    return facts
