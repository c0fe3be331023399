"""The queues, the rights and the configuration of RabbitMQ. `make test-cluster` tests them on real nodes."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.x509 import DNSName, SubjectAlternativeName

from cloud.foundation.settings import SettingsUnusable, read_settings
from cloud.settings import MODEL
from cloud.vehicles.fleet.authority import create_authority, issue_client
from cloud.vehicles.fleet.broker_configuration import AdmittedGateway
from cloud.vehicles.fleet.cluster_url import HOSTS_MAX, parse_cluster_url
from cloud.vehicles.fleet.errors import RabbitmqIncomplete, RabbitmqUnusable
from cloud.vehicles.fleet.rabbitmq_configuration import RabbitmqLayout, rabbitmq_files
from cloud.vehicles.fleet.rabbitmq_declaration import declare
from cloud.vehicles.fleet.rabbitmq_topology import (
    EXCHANGE,
    GATEWAY_TAG,
    MQTT_EXCHANGE,
    definitions_file,
    gateway_rights,
    queue_names,
    routing_key,
    topic_of,
)
from protocols.uplink import topics
from protocols.uplink.lanes import Lane
from tests.builders.cloud_settings import settings_file
from tests.cloud.cli.test_console import Console
from tests.harness.fleet_broker import now_us
from tests.harness.management_api import LOGIN, management_api

ONE, OTHER = AdmittedGateway("gw_1", "tnt_a"), AdmittedGateway("gw_2", "tnt_a")


# ---- settings


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("amqps://a,b:1,[::1]:2", (("a", 5671), ("b", 1), ("::1", 2))),
        ("amqp://broker.example.org", (("broker.example.org", 5672),)),
    ],
)
def test_cluster_address_names_each_node_with_its_port(text: str, hosts: tuple[tuple[str, int], ...]) -> None:
    assert parse_cluster_url(text, "amqp").hosts == hosts


@pytest.mark.parametrize(
    "text",
    [
        "amqp://",
        "mqtt://a",
        "amqps://user:word@a",
        "amqps://a/vhost",
        "amqps://a,,b",
        "amqps://a:0",
        "amqps://a:65536",
        "amqps://" + ",".join("a" * (HOSTS_MAX + 1)),
        7,
    ],
)
def test_malformed_cluster_address_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match='write "amqps://HOST:PORT,HOST:PORT"'):
        parse_cluster_url(text, "amqp")


CLUSTER = '[mqtt]\nurl = "amqps://a,b"\npassword_file = "word"\n[rabbitmq]\nmanagement_url = "https://a,b"\n'


def settings_of(folder: Path, text: str) -> object:
    path = folder / "cloud.toml"
    path.write_text('database_url = "sqlite:///cloud.db"\n' + text)
    return read_settings(path, MODEL)


def test_scheme_of_the_url_chooses_the_broker(tmp_path: Path) -> None:
    settings_of(tmp_path, CLUSTER)
    for text, reason in (
        (CLUSTER.replace("amqps", "mqtts"), r"\[rabbitmq\] needs \[mqtt\] url"),
        (CLUSTER.partition("[rabbitmq]")[0], "management_url is required"),
        (CLUSTER + '[broker]\ndirectory = "b"\n', r"\[broker\] is for mosquitto"),
        (CLUSTER.replace("password_file", 'username = "u"\npassword_file'), "leave .* username out"),
        (CLUSTER.replace('password_file = "word"\n', ""), "password_file is required"),
        (CLUSTER.replace("https://", "amqps://"), "write .*https://HOST:PORT"),
    ):
        with pytest.raises(SettingsUnusable, match=reason):
            settings_of(tmp_path, text)


# ---- rights


def matching(pattern: str, *topics_tried: str) -> list[str]:
    return [topic for topic in topics_tried if re.search(pattern, routing_key(topic))]


def test_rights_of_a_gateway_match_its_own_topics_and_nothing_else() -> None:
    rights = gateway_rights(ONE)
    own = [*(topics.up("tnt_a", "gw_1", lane) for lane in Lane), topics.status("tnt_a", "gw_1")]
    down = [topics.ack("tnt_a", "gw_1"), topics.command("tnt_a", "gw_1")]
    foreign = [
        topics.up("tnt_a", "gw_2", Lane.EVENT),
        topics.up("tnt_b", "gw_1", Lane.EVENT),
        topics.up("tnt_a", "gw_11", Lane.EVENT),
        "argus/v1/tnt_a/gw_1/up/event/more",
        "argus/v1/tnt_a/gw_1/up/other",
        "argus/v1/tnt_a/gw_1/+/event",
        "#",
        topics.UP_FILTER,
    ]
    assert matching(rights.topics_write, *own, *down, *foreign) == own
    assert matching(rights.topics_read, *own, *down, *foreign) == down
    queues = ["mqtt-subscription-gw_1qos0", "mqtt-subscription-gw_1qos1", "mqtt-subscription-gw_2qos1", EXCHANGE]
    assert [name for name in queues if re.search(rights.configure, name)] == queues[:2]
    assert [name for name in (*queues, MQTT_EXCHANGE) if re.search(rights.read, name)] == [*queues[:2], MQTT_EXCHANGE]


def test_routing_key_returns_to_the_topic() -> None:
    topic = topics.up("tnt-a", "gw_1", Lane.WAVEFORM)
    assert topic_of(routing_key(topic)) == topic
    assert routing_key(topics.UP_FILTER) == "argus.v1.*.*.up.*"


async def test_converge_admits_missing_gateways_and_removes_those_without_leave_to_connect() -> None:
    async with management_api() as (api, management):
        api.users["operator"] = {"tags": ["monitoring"]}
        assert await management.converge([ONE, OTHER]) == 2
        assert await management.converge([ONE, OTHER]) == 0
        # Rights on topics come before rights on the exchange, without which no topic can be used.
        first = [each for each in api.changes() if "gw_1" in each]
        assert [each.split("/")[2] for each in first] == ["users", "topic-permissions", "permissions"]
        assert api.users["gw_1"] == {"tags": [GATEWAY_TAG], "hash": ""}
        assert await management.converge([OTHER]) == 1
        assert set(api.users) == {LOGIN.username, "operator", "gw_2"}
        assert api.connections_closed == ["gw_1"]


async def test_converge_corrects_changed_rights_and_changes_nothing_else() -> None:
    async with management_api() as (api, management):
        await management.converge([ONE, OTHER])
        api.topic_permissions["gw_1"]["write"] = ".*"
        api.requests.clear()
        assert await management.converge([ONE, OTHER]) == 1
        assert {each.rpartition("/")[2] for each in api.changes()} == {"gw_1"}
        assert await management.converge([ONE, OTHER]) == 0


async def test_converge_moves_a_gateway_to_another_tenant() -> None:
    async with management_api() as (_, management):
        await management.converge([ONE])
        moved = AdmittedGateway(ONE.gateway_id, "tnt_b")
        await management.converge([moved])
        assert (await management.gateways())["gw_1"] == gateway_rights(moved)


# ---- requests


async def test_request_goes_to_the_next_node_when_the_first_does_not_respond() -> None:
    async with management_api(unreachable_first=True) as (api, management):
        assert len(await management.nodes()) == len(api.nodes)
        assert api.requests == ["GET /api/nodes"]


async def test_refusal_names_the_request_and_the_reason_in_one_line() -> None:
    async with management_api() as (api, management):
        api.failing = 1
        with pytest.raises(RabbitmqUnusable, match="refuses GET /nodes: 500 a reason") as caught:
            await management.nodes()
        assert LOGIN.password not in caught.value.sentence


# ---- declaration


async def test_declaration_makes_queues_with_one_active_consumer_and_binds_the_vehicles_last() -> None:
    async with management_api() as (api, management):
        done = await declare(management, queues=4, nodes_least=3)
        assert (done.nodes, done.queues, done.grown, done.removed) == (3, 4, 0, ())
        assert set(api.queues) == set(queue_names(4))
        for queue in api.queues.values():
            assert queue["arguments"]["x-single-active-consumer"] is True
            assert queue["arguments"]["x-delivery-limit"] == -1
            assert queue["arguments"]["x-queue-type"] == "quorum"
        from_vehicles = [one["routing_key"] for one in api.bindings if one["source"] == MQTT_EXCHANGE]
        assert from_vehicles == ["argus.v1.*.*.up.*", "argus.v1.*.*.status"]
        assert api.bindings[-2]["source"] == api.bindings[-1]["source"] == MQTT_EXCHANGE
        declared = (dict(api.queues), list(api.bindings))
        await declare(management, queues=4, nodes_least=3)
        assert (dict(api.queues), list(api.bindings)) == declared


async def test_declaration_gives_each_queue_a_member_on_every_node() -> None:
    async with management_api() as (api, management):
        api.members_of_new_queue = 1
        assert (await declare(management, queues=2, nodes_least=3)).grown == 2
        assert all(len(queue["members"]) == 3 for queue in api.queues.values())


async def test_declaration_of_fewer_queues_removes_the_others() -> None:
    async with management_api() as (api, management):
        await declare(management, queues=3, nodes_least=3)
        assert (await declare(management, queues=2, nodes_least=3)).removed == ("argus.up.02",)
        assert set(api.queues) == set(queue_names(2))


async def test_declaration_deletes_the_users_of_former_passwords_only() -> None:
    async with management_api() as (api, management):
        api.users |= {"argus-cloud-1": {"tags": ["administrator"]}, "operator": {"tags": ["administrator"]}}
        assert (await declare(management, queues=1, nodes_least=3)).former_logins == 1
        assert set(api.users) == {LOGIN.username, "operator"}


async def test_declaration_changes_nothing_while_a_node_is_missing() -> None:
    async with management_api() as (api, management):
        api.nodes[2]["running"] = False
        with pytest.raises(RabbitmqIncomplete, match="2 nodes run"):
            await declare(management, queues=2, nodes_least=3)
        assert not api.changes()


# ---- configuration


def test_definitions_have_the_hash_of_the_password_and_stay_equal() -> None:
    content = definitions_file(LOGIN)
    user = json.loads(content)["users"][0]
    stored = base64.b64decode(user["password_hash"])
    assert stored[4:] == hashlib.sha256(stored[:4] + LOGIN.password.encode()).digest()
    assert LOGIN.password.encode() not in content
    assert definitions_file(LOGIN) == content


def test_configuration_offers_no_listener_without_tls_and_no_retained_message() -> None:
    files = rabbitmq_files(RabbitmqLayout(nodes=["rabbit@a", "rabbit@b", "rabbit@c"]))
    lines = files[Path("/etc/rabbitmq/conf.d/50-argus.conf")].splitlines()
    for line in (
        "listeners.tcp = none",
        "mqtt.listeners.tcp = none",
        "mqtt.allow_anonymous = false",
        "mqtt.ssl_cert_login = true",
        "cluster_formation.classic_config.nodes.3 = rabbit@c",
        "mqtt.retained_message_store = rabbit_mqtt_retained_msg_store_noop",
    ):
        assert line in lines
    assert not any(line.startswith("management.tcp") for line in lines)


def test_config_command_writes_the_same_files_for_each_node(tmp_path: Path) -> None:
    (tmp_path / "word").write_text("mellon")
    console = Console(settings_file(tmp_path, more=CLUSTER))
    console.json("init")
    words = ("broker", "config-rabbitmq", str(tmp_path / "out"), "--node", "rabbit@a", "--node", "rabbit@b")
    assert "broker authority create" in console.refused(*words)
    console.json("broker", "authority", "create")
    written = console.json(*words, "--name", "a.example.org", "--name", "broker.example.org")["files"]
    assert [str(Path(path).relative_to(tmp_path / "out")) for path in written] == [
        "etc/argus/ca.pem",
        "etc/rabbitmq/argus-broker.key",
        "etc/rabbitmq/argus-broker.pem",
        "etc/rabbitmq/argus-ca.pem",
        "etc/rabbitmq/argus-definitions.json",
        "etc/rabbitmq/conf.d/50-argus.conf",
        "etc/rabbitmq/enabled_plugins",
    ]
    for secret in ("argus-broker.key", "argus-definitions.json"):
        assert (tmp_path / "out/etc/rabbitmq" / secret).stat().st_mode & 0o077 == 0
    again = console.json(*words)["files"]
    assert not any(path.endswith((".key", "broker.pem")) for path in again)


def test_config_command_requires_the_settings_of_a_cluster(tmp_path: Path) -> None:
    console = Console(settings_file(tmp_path))
    assert "[rabbitmq]" in console.refused("broker", "config-rabbitmq", "out", "--node", "rabbit@a")
    assert "[rabbitmq]" in console.refused("broker", "declare")


def test_certificate_of_a_gateway_names_its_client_id() -> None:
    key = generate_private_key(SECP256R1()).public_key()
    made = issue_client(create_authority("aut_1", "Test", now_us()), key, "gw_1", days=1, now_us=now_us())
    names = made.extensions.get_extension_for_class(SubjectAlternativeName).value
    assert names.get_values_for_type(DNSName) == ["gw_1"]
