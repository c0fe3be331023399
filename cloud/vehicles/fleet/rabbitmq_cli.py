"""`argus-cloud broker config-rabbitmq` and `broker declare`: the files of each RabbitMQ node, and the queues."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cloud.foundation.command import AsJson, Workplace, or_exit, print_one, run, settings_of
from cloud.foundation.settings import Settings, SettingsUnusable
from cloud.vehicles.fleet.broker_files import CA_FILE, server_files, write_all
from cloud.vehicles.fleet.rabbitmq_configuration import RabbitmqLayout, rabbitmq_files
from cloud.vehicles.fleet.rabbitmq_declaration import declare
from cloud.vehicles.fleet.rabbitmq_management import manage_rabbitmq
from cloud.vehicles.fleet.rabbitmq_topology import definitions_file
from cloud.vehicles.fleet.settings import MqttSection, RabbitmqSection

NODES_LEAST = 3
"""Nodes that must run when the queues are declared. Two nodes lose their majority with the first failure."""


def config_rabbitmq(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to, in place of the root folder.")],
    node: Annotated[
        list[str], typer.Option("--node", help="Name of a node, rabbit@HOST with the short host name. Repeatable.")
    ],
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", help="Host name or address of a node or their load balancer; issues a certificate. Repeatable."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the configuration of the nodes of a RabbitMQ cluster; it is the same on each of them."""
    mqtt, _ = or_exit(lambda: sections_of(settings_of(context)))
    login = or_exit(mqtt.login)
    assert login is not None, "the settings require a password file"
    layout = RabbitmqLayout(nodes=node)
    authorities, certificate, key = run(context, lambda place: server_files(place, name or []))
    files = {
        **{path: text.encode() for path, text in rabbitmq_files(layout).items()},
        CA_FILE: authorities,
        layout.authorities: authorities,
    }
    if certificate is not None and key is not None:
        files[layout.certificate], files[layout.key] = certificate, key
    written = {folder / path.relative_to("/"): content for path, content in files.items()}
    secret = {folder / layout.definitions.relative_to("/"): definitions_file(login)}
    or_exit(lambda: write_all(written))
    or_exit(lambda: write_all(secret, private=True))
    names = sorted(str(path) for path in (*written, *secret))
    print_one("\n".join(names), {"files": names}, as_json=as_json)


def sections_of(settings: Settings) -> tuple[MqttSection, RabbitmqSection]:
    """Return the sections of a RabbitMQ cluster. Raises `SettingsUnusable`."""
    mqtt, rabbitmq = settings.find(MqttSection), settings.find(RabbitmqSection)
    if mqtt is None or rabbitmq is None:
        raise SettingsUnusable('([mqtt] url = "amqps://HOST:PORT,HOST:PORT" and [rabbitmq] are required.)')
    return mqtt, rabbitmq


def declare_queues(
    context: typer.Context,
    nodes: Annotated[
        int, typer.Option("--nodes", min=1, max=7, help="Number of nodes that must run; each queue is kept on them.")
    ] = NODES_LEAST,
    as_json: AsJson = False,
) -> None:
    """Declare the queues in the RabbitMQ cluster, and complete them after a change of its nodes. Can be repeated."""
    mqtt, rabbitmq = or_exit(lambda: sections_of(settings_of(context)))

    async def work(_: Workplace) -> dict[str, Any]:
        async with manage_rabbitmq(mqtt, rabbitmq) as management:
            return asdict(await declare(management, queues=rabbitmq.queues, nodes_least=nodes))

    done = run(context, work)
    print_one(
        f"{done['queues']} queues are declared on {done['nodes']} nodes; {done['grown']} of them got a member on a "
        f"further node, and {len(done['removed'])} were removed.",
        done,
        as_json=as_json,
    )
