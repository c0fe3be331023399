"""Batches from the vehicles: verified, judged, stored in one transaction, acknowledged when that is durable."""

from cloud.ingest.broker import BrokerAddress
from cloud.ingest.mqtt_connection import BrokerConnection, BrokerUnavailable
from cloud.ingest.mqtt_source import MqttSource
from cloud.ingest.quotas import QuotaSettings
from cloud.ingest.running import RunningIngest, make_ingest, run_ingest
from cloud.ingest.service import Ingest
from cloud.ingest.settings import IngestSettings
from cloud.ingest.source import Answers, BatchDelivery, BatchSource, StatusDelivery

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
