"""The demo's MQTT broker: mosquitto where it is installed, otherwise the one that comes with a wheel.

mosquitto is what production uses, and its configuration is the one that `argus-cloud broker config` generates, with
passwords in the place of certificates because it is loopback. The broker of the `iotcore` wheel speaks MQTT 5 with a
password but has no ACL and keeps nothing over a restart, which does no harm here: no broker is ever the system of
record (DESIGN D4). `children` runs and restarts it.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from protocols.uplink.limits import PACKET_BYTES_MAX
from simulators.demo.plan import Plan, PlanUnusable
from simulators.private_file import write_private

CLOUD_USER = "argus-cloud"
"""User name of the cloud where it does not write the broker's rights."""


class BrokerChoice(StrEnum):
    """The selected broker. AUTO: mosquitto where it is installed."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    IOTCORE = "iotcore"


@dataclass(frozen=True, slots=True)
class Broker:
    """The demo's broker. The demo prints `kind` and `why`; `argv` starts it. `cloud_port` names the port of the plan
    that the cloud connects to; `commands` are those of `argus-cloud` that write its configuration; `has_lists`: it
    reads the lists that the cloud writes."""

    kind: str
    argv: tuple[str, ...]
    why: str = ""
    cloud_port: str = "mqtt"
    commands: tuple[str, ...] = ()
    has_lists: bool = False


def mosquitto_program(name: str = "mosquitto") -> str | None:
    """Return the path of mosquitto, or of a program that comes with it; None where it is not installed."""
    # Debian puts daemons outside of a user's PATH.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """Write mosquitto's password file, hashed. Raises `PlanUnusable`."""
    hasher = mosquitto_program("mosquitto_passwd")
    if hasher is None:
        raise PlanUnusable("mosquitto is installed without mosquitto_passwd; install it, or choose --broker iotcore")
    write_private(path, "".join(f"{user}:{password}\n" for user, password in passwords.items()))
    # Hashes the file in place: a password on a command line would be readable by every process of the machine.
    hashed = subprocess.run([hasher, "-U", str(path)], check=False, capture_output=True)
    if hashed.returncode != 0:
        path.unlink()
        raise PlanUnusable(f"mosquitto_passwd ended with {hashed.returncode}; choose --broker iotcore")


def prepare(plan: Plan, choice: BrokerChoice) -> Broker:
    """Write the broker's own files and return its description; `Broker.commands` write the rest. Raises `PlanUnusable`
    where there is none of that kind."""
    folder = plan.file("broker")
    folder.mkdir(exist_ok=True, mode=0o700)
    program = mosquitto_program()
    if choice is BrokerChoice.IOTCORE or (choice is BrokerChoice.AUTO and program is None):
        return _iotcore(
            plan, folder, "as requested" if choice is BrokerChoice.IOTCORE else "mosquitto is not installed"
        )
    if program is None:
        raise PlanUnusable("mosquitto is not installed; install it (apt install mosquitto), or leave --broker out")
    return _mosquitto(plan, folder, program)


def _mosquitto(plan: Plan, folder: Path, program: str) -> Broker:
    write_passwords(folder / "argus-passwords", {plan.gateway_id: plan.gateway_mqtt_password})
    live_folder(plan).mkdir(exist_ok=True, mode=0o700)
    ports = f"--vehicles-port {plan.ports['mqtt']} --cloud-port {plan.ports['mqtt_cloud']}"
    return Broker(
        "mosquitto",
        (program, "-c", str(folder / "mosquitto.conf")),
        cloud_port="mqtt_cloud",
        commands=(f"broker config {shlex.quote(str(folder))} --loopback {ports} --json", "broker refresh --json"),
        has_lists=True,
    )


def live_folder(plan: Plan) -> Path:
    """Return the folder of the lists that the cloud writes for mosquitto while both run."""
    return plan.file("broker", "live")


def _iotcore(plan: Plan, folder: Path, why: str) -> Broker:
    if importlib.util.find_spec("iotcore") is None:
        raise PlanUnusable("there is no MQTT broker: install mosquitto (apt install mosquitto) or the wheel iotcore")
    config = folder / "rumqttd.toml"
    write_private(
        config,
        f"""id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "loopback"
listen = "127.0.0.1:{plan.ports["mqtt"]}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {PACKET_BYTES_MAX}
max_inflight_count = 100
dynamic_filters = true
[v5.1.connections.auth]
{plan.gateway_id} = "{plan.gateway_mqtt_password}"
{CLOUD_USER} = "{plan.cloud_mqtt_password}"
""",
    )
    # Its tracing reports every packet as an error, so only errors that end it are logged.
    return Broker("iotcore", (sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"), why)
