"""The fleet: register and list gateways, control their access to cloud and broker, keep the latest status of each."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.fleet.access import END_CONNECTION
    from cloud.vehicles.fleet.authority_store import AuthorityStore
    from cloud.vehicles.fleet.broker_configuration import (
        DESCRIPTORS,
        IN_FLIGHT_BYTES_MAX,
        IN_FLIGHT_MESSAGES_MAX,
        RELOAD_FILE,
        RIGHTS_FILE,
        AdmittedGateway,
        ingest_group,
    )
    from cloud.vehicles.fleet.broker_directory import RevocationListCheck, expiry_sentence
    from cloud.vehicles.fleet.broker_rights import CONTROL_TOPIC, RESPONSE_TOPIC, gateway_client, gateway_role
    from cloud.vehicles.fleet.cluster_url import ClusterUrl
    from cloud.vehicles.fleet.errors import DoorOpen, GatewayTaken, GatewayUnknown, PublicKeyMalformed, RabbitmqUnusable
    from cloud.vehicles.fleet.jobs import RIGHTS_SENDER
    from cloud.vehicles.fleet.model import FormerKey, GatewayAccess, GatewayStatus, RegisteredGateway
    from cloud.vehicles.fleet.rabbitmq_declaration import MEMBERS_MAX
    from cloud.vehicles.fleet.rabbitmq_management import NodeState, QueueState, RabbitmqManagement, manage_rabbitmq
    from cloud.vehicles.fleet.rabbitmq_topology import MQTT_EXCHANGE, queue_names, routing_key, topic_of
    from cloud.vehicles.fleet.service import Fleet
    from cloud.vehicles.fleet.settings import BrokerSection, MqttSection, RabbitmqSection
    from cloud.vehicles.fleet.silence import GatewaySilence, end_silence
    from cloud.vehicles.fleet.store import GatewayDirectory, GatewayName
    from cloud.vehicles.fleet.tables import gateways
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    ids={"gateway": IdKind("gateway", "gateways")},
    events="event_types:EVENTS",
    jobs="jobs:jobs",
    tables="tables",
    settings={
        "mqtt": "settings:MqttSection",
        "broker": "settings:BrokerSection",
        "rabbitmq": "settings:RabbitmqSection",
    },
    commands={"gateways": "cli:gateways", "broker": "broker_cli:broker"},
)
