"""The demo's MQTT broker: mosquitto where it is installed, otherwise the one that comes with a wheel.

mosquitto is what production uses: user names, an ACL per gateway, loopback only. The broker of the `iotcore` wheel
speaks MQTT 5 with a password but knows no ACL and keeps nothing over a restart, which costs nothing here: no broker
is ever the system of record (DESIGN D4). Who runs and restarts it is `children`'s business.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from protocols.uplink.limits import PACKET_BYTES_MAX
from simulators.demo.plan import Plan, PlanUnusable, write_private

CLOUD_USER = "argus-cloud"


class BrokerChoice(StrEnum):
    """Which broker is wished for. AUTO: mosquitto where it is installed."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    IOTCORE = "iotcore"


@dataclass(frozen=True, slots=True)
class Broker:
    """`kind` and `why` are what the demo tells its user; `argv` starts it."""

    kind: str
    argv: tuple[str, ...]
    why: str = ""


def mosquitto_program(name: str = "mosquitto") -> str | None:
    """mosquitto, or a program that comes with it; None where it is not installed."""
    # Debian puts daemons where a user's PATH does not look.
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def acl(tenant: str) -> str:
    """Who may say what (DESIGN D4): a gateway speaks and hears in its own name only, which is its user name (`%u`); the
    cloud hears all and answers."""
    own = f"argus/v1/{tenant}/%u"
    return "\n".join(
        (
            f"user {CLOUD_USER}",
            "topic read argus/v1/+/+/up/#",
            "topic readwrite argus/v1/+/+/status",
            "topic write argus/v1/+/+/down/#",
            f"pattern write {own}/up/+",
            f"pattern readwrite {own}/status",
            f"pattern read {own}/down/+",
            "",
        )
    )


def write_passwords(path: Path, passwords: Mapping[str, str]) -> None:
    """mosquitto's password file, hashed. Raises `PlanUnusable`."""
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
    """Writes the broker's files and says how to start it. Raises `PlanUnusable` where there is none of that kind."""
    folder = plan.file("broker")
    folder.mkdir(exist_ok=True, mode=0o700)
    program = mosquitto_program()
    if choice is BrokerChoice.IOTCORE or (choice is BrokerChoice.AUTO and program is None):
        return _iotcore(plan, folder, "as asked" if choice is BrokerChoice.IOTCORE else "mosquitto is not installed")
    if program is None:
        raise PlanUnusable("mosquitto is not installed; install it (apt install mosquitto), or leave --broker out")
    return _mosquitto(plan, folder, program)


def _mosquitto(plan: Plan, folder: Path, program: str) -> Broker:
    passwords = folder / "passwords"
    users = {plan.gateway_id: plan.gateway_mqtt_password, CLOUD_USER: plan.cloud_mqtt_password}
    write_passwords(passwords, users)
    write_private(folder / "acl", acl(plan.first.tenant_id))
    lines = [
        f"listener {plan.ports['mqtt']} 127.0.0.1",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {folder / 'acl'}",
        f"max_packet_size {PACKET_BYTES_MAX}",
        "set_tcp_nodelay true",
        # A slow cloud is met by the gateway's own window; what the broker would drop is sent again.
        "max_queued_messages 1000",
        "persistence false",
        "log_type error",
        "log_type warning",
        "log_dest stderr",
    ]
    if os.geteuid() == 0:
        # It would give up root for a user that cannot read the folder of the demo.
        lines.append("user root")
    write_private(folder / "mosquitto.conf", "\n".join(lines) + "\n")
    return Broker("mosquitto", (program, "-c", str(folder / "mosquitto.conf")))


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
    # Its tracing reports every packet as an error, so only what ends it is logged.
    return Broker("iotcore", (sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"), why)
