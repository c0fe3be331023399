"""Batches from the vehicles: verified, judged, stored in one transaction, acknowledged when that is durable."""

from cloud.vehicles.ingest.broker import BrokerAddress
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection, BrokerUnavailable
from cloud.vehicles.ingest.mqtt_source import MqttSource
from cloud.vehicles.ingest.quotas import QuotaSettings
from cloud.vehicles.ingest.running import RunningIngest, make_ingest, run_ingest
from cloud.vehicles.ingest.service import Ingest
from cloud.vehicles.ingest.settings import IngestSettings
from cloud.vehicles.ingest.source import Answers, BatchDelivery, BatchSource, StatusDelivery

__all__ = [
    "Answers",
    "BatchDelivery",
    "BatchSource",
    "BrokerAddress",
    "BrokerConnection",
    "BrokerUnavailable",
    "Ingest",
    "IngestSettings",
    "MqttSource",
    "QuotaSettings",
    "RunningIngest",
    "StatusDelivery",
    "make_ingest",
    "run_ingest",
]
