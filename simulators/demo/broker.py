"""The demo's MQTT broker: mosquitto where it is installed, otherwise the one that comes with a wheel.

mosquitto is what production uses: user names, an ACL per gateway, loopback only. The broker of the `iotcore` wheel
speaks MQTT 5 with a password but knows no ACL and keeps nothing over a restart, which costs nothing here: no broker
is ever the system of record (DESIGN D4). Who runs and restarts it is `children`'s business.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from simulators.demo.plan import Plan, write_private

PACKET_BYTES_MAX = 2 * 1024 * 1024
"""Room for the largest envelope (1 MiB) with its MQTT header, and no more."""
CLOUD_USER = "argus-cloud"


@dataclass(frozen=True, slots=True)
class Broker:
    """`kind` is what the demo tells its user; `argv` starts it."""

    kind: str
    argv: tuple[str, ...]


def mosquitto_program() -> str | None:
    # Debian puts daemons where a user's PATH does not look.
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def acl(tenant: str, gateway: str) -> str:
    """Who may say what (DESIGN D4): a gateway speaks and hears in its own name only, the cloud hears all and
    answers."""
    own = f"argus/v1/{tenant}/{gateway}"
    return "\n".join(
        (
            f"user {gateway}",
            f"topic write {own}/up/#",
            f"topic readwrite {own}/status",
            f"topic read {own}/down/#",
            "",
            f"user {CLOUD_USER}",
            "topic read argus/v1/+/+/up/#",
            "topic readwrite argus/v1/+/+/status",
            "topic write argus/v1/+/+/down/#",
            "",
        )
    )


def prepare(plan: Plan) -> Broker:
    """Writes the broker's files and says how to start it."""
    folder = plan.file("broker")
    folder.mkdir(exist_ok=True, mode=0o700)
    program = mosquitto_program()
    return _mosquitto(plan, folder, program) if program else _iotcore(plan, folder)


def _mosquitto(plan: Plan, folder: Path, program: str) -> Broker:
    passwords = folder / "passwords"
    write_private(
        passwords,
        f"{plan.gateway_id}:{plan.gateway_mqtt_password}\n{CLOUD_USER}:{plan.cloud_mqtt_password}\n",
    )
    # Hashes the file in place: a password on a command line would be readable by every process of the machine.
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
    write_private(folder / "acl", acl(plan.first.tenant_id, plan.gateway_id))
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


def _iotcore(plan: Plan, folder: Path) -> Broker:
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
    return Broker("iotcore", (sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"))
