"""Finding of `argus-cloud doctor`: the ingest processes that are connected to mosquitto."""

from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Finding, Level
from cloud.foundation.master_key import load_master_key
from cloud.foundation.settings import Settings
from cloud.vehicles.fleet import MqttSection, ingest_group
from cloud.vehicles.ingest.broker import BrokerUnavailable, broker_address
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.mqtt_packets import ReceivedMessage

CONNECT_S_MAX = 5.0


async def examine_processes(settings: Settings) -> list[Finding]:
    """Count the announcements of ingest processes (`shares`). Without a connection or a master key there is no finding,
    since other findings report that."""
    mqtt = settings.find(MqttSection)
    if mqtt is None:
        return []
    try:
        group = ingest_group(load_master_key(settings))
        names = await _announced(mqtt, group)
    except (DomainError, BrokerUnavailable):
        return []
    if not names:
        sentence = "No ingest process is connected, so nothing is received; is argus-cloud serve running?"
        return [Finding("ingest processes", Level.WARNING, sentence)]
    count = "1 process receives all vehicles" if len(names) == 1 else f"{len(names)} processes divide the vehicles"
    return [Finding("ingest processes", Level.OK, f"{count}.")]


async def _announced(mqtt: MqttSection, group: str) -> set[str]:
    """Return the names of the announced processes. Raises `SettingsUnusable` and `BrokerUnavailable`."""
    names: set[str] = set()

    def take(connection: BrokerConnection, message: ReceivedMessage) -> None:
        connection.puback(message)
        try:
            _, name = topics.parse_status(message.topic)
        except (RemoteProtocolError, UnicodeDecodeError):
            return
        if message.payload:
            names.add(name)
        else:
            names.discard(name)

    connection = await BrokerConnection.open(
        broker_address(mqtt),
        client_id="argus-doctor-processes",
        settings=IngestSettings(connect_s=CONNECT_S_MAX),
        heard=take,
    )
    try:
        await connection.subscribe(topics.status_filter(group))
        # The broker sends the retained messages of the first subscription before it confirms a second one.
        await connection.subscribe(topics.status_filter(group))
    finally:
        await connection.close()
    return names
