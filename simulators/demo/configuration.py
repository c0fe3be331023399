"""Write the settings files of the demo's gateway and cloud, as an operator would write them.

The gateway and the cloud read no other settings. Use the same two files (`gateway_config` and `cloud_config` in
`demo.json`) for commands on a running demo. Secrets are in separate files with mode 0600, which the settings refer to.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from simulators.demo.broker import CLOUD_USER, Broker, BrokerChoice, live_folder
from simulators.demo.plan import DATABASE_FILE, Plan, PlanUnusable
from simulators.private_file import write_private

SERIAL_DEVICES = ("defibrillator", "monitor")
"""The devices on serial ports; each port is a pseudo-terminal that the devices' process keeps under this name."""

_SOCKET_NAME_BYTES_MAX = 100
"""sockaddr_un holds 107 bytes."""
VIRTUAL_RADIO = "simulators.ble.backend:VirtualRadio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Command-line options that go into the settings files. `database_url` None: SQLite in the state folder."""

    database_url: str | None = None
    allow_callback: tuple[str, ...] = ()
    known_configurations: bool = True
    broker: BrokerChoice = BrokerChoice.AUTO


def database_url(plan: Plan, choices: Choices) -> str:
    return choices.database_url or f"sqlite:///{plan.file(DATABASE_FILE)}"


def serial_port(plan: Plan, device: str) -> Path:
    return plan.file("ports", device)


def radio_socket(plan: Plan) -> Path:
    """Return the socket over which the gateway and the simulated devices use the virtual radio."""
    return _radio_folder(plan) / "hci.sock"


def radio_control(plan: Plan) -> Path:
    """Return the socket for commands that inject faults into the virtual radio."""
    return _radio_folder(plan) / "control.sock"


def make_radio_folder(plan: Plan) -> None:
    """Create the folder of the radio's sockets for this user only, since a socket gives access to the radio. Raises
    `PlanUnusable` where the folder belongs to another user."""
    folder = _radio_folder(plan)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PlanUnusable(f"{folder} belongs to another user; name a shorter folder with --state")


def _radio_folder(plan: Plan) -> Path:
    """Return the folder of the radio's sockets: in the state folder, or a temporary one where the path is too long."""
    folder = plan.file("radio")
    if len(os.fsencode(folder / "control.sock")) <= _SOCKET_NAME_BYTES_MAX:
        return folder
    return Path(tempfile.gettempdir()) / f"argus-radio-{sha256(os.fsencode(plan.state_dir)).hexdigest()[:16]}"


def write_gateway_settings(plan: Plan, choices: Choices) -> Path:
    password_file = plan.file("gateway-mqtt-password")
    write_private(password_file, plan.gateway_mqtt_password + "\n")
    ports = "".join(
        f'\n[[serial]]\npath = "{serial_port(plan, device)}"\nframing = "hdlc"\n' for device in SERIAL_DEVICES
    )
    path = plan.file("gateway.toml")
    write_private(
        path,
        f"""ble_backend = "{VIRTUAL_RADIO}"

[gateway]
id = "{plan.gateway_id}"
tenant = "{plan.first.tenant_id}"
vehicle = "{plan.first.vehicle_id}"
state_dir = "{plan.file("gateway")}"

[mqtt]
url = "{plan.url("mqtt", "mqtt")}"
username = "{plan.gateway_id}"
password_file = "{password_file}"
{f'mission_keys = ["{plan.mission_key}"]' if plan.mission_key else ""}

[tcp]
listen = "127.0.0.1:{plan.ports["agent_tcp"]}"

[crew]
listen = "127.0.0.1:{plan.ports["crew"]}"
docs_url = "{plan.url("docs")}"

[ble]
adapter = "{radio_socket(plan)}"

[buffer]
witness_file = "{plan.file("witness", "commits")}"

[devices]
known_configurations = {str(choices.known_configurations).lower()}
{ports}""",
    )
    return path


def write_cloud_settings(plan: Plan, choices: Choices, broker: Broker) -> Path:
    password_file = plan.file("cloud-mqtt-password")
    write_private(password_file, plan.cloud_mqtt_password + "\n")
    hosts = "".join(
        f'\n[hosts.{host}]\nlisten = "127.0.0.1:{plan.ports[host]}"\npublic_url = "{plan.url(host)}"\n'
        for host in ("auth", "api", "sandbox", "docs")
    )
    lists = f'[broker]\ndirectory = "{live_folder(plan)}"\n' if broker.has_lists else ""
    username = "" if broker.has_lists else f'username = "{CLOUD_USER}"\n'
    path = plan.file("cloud.toml")
    write_private(
        path,
        f"""database_url = "{database_url(plan, choices)}"
objects_dir = "{plan.file("objects")}"

[secrets]
master_key_file = "{plan.file("master.key")}"

# The demo's people have no authenticator app; production requires a second factor of administrators.
[sign_in]
second_factor = "optional"

[egress]
allow = {json.dumps(choices.allow_callback)}

[mqtt]
url = "{plan.url(broker.cloud_port, "mqtt")}"
{username}password_file = "{password_file}"

{lists}{hosts}""",
    )
    return path
