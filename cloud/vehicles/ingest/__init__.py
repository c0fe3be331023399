"""Ingest of batches from vehicles: verify and store them in one transaction, and acknowledge them after the commit."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.ingest.broker import BrokerAddress, BrokerUnavailable, broker_address
    from cloud.vehicles.ingest.broker_control import RightsLink, broker_rights
    from cloud.vehicles.ingest.event_reading import EventReader
    from cloud.vehicles.ingest.figures import IngestFigures, read_figures
    from cloud.vehicles.ingest.kept_rows import KeptRows
    from cloud.vehicles.ingest.limits import IngestSettings
    from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
    from cloud.vehicles.ingest.mqtt_source import MqttSource
    from cloud.vehicles.ingest.opening import CareChanges, RowContent, UnpackedContent, UnreadablePayload, unpack
    from cloud.vehicles.ingest.parking import ParkingStore
    from cloud.vehicles.ingest.process_findings import examine_processes
    from cloud.vehicles.ingest.rabbitmq_findings import examine_rabbitmq
    from cloud.vehicles.ingest.running import RunningIngest, make_ingest, settle_of
    from cloud.vehicles.ingest.service import Ingest
    from cloud.vehicles.ingest.staged_sweeping import LATE_US, staged_of
    from cloud.vehicles.ingest.staging_findings import staged_findings
    from cloud.vehicles.ingest.store import event_fields
    from cloud.vehicles.ingest.tables import gateway_events
    from cloud.vehicles.ingest.take_over import end_connection
    from cloud.vehicles.ingest.waveform_packing import blocks_of
    from cloud.vehicles.ingest.waveform_spans import spans_of
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    events="event_types:EVENTS",
    jobs="running:jobs",
    tables="tables",
    settings={"ingest": "settings:IngestSection"},
    commands={"ingest": "cli:ingest", "events": "events_cli:events"},
)
