"""Missions of vehicles: what the dispatch system states about an encounter, sent to the gateways of its vehicle."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.vehicles.missions.keys import MissionKeys
    from cloud.vehicles.missions.receipts import MissionReceipts
    from cloud.vehicles.missions.sending import MissionSender
    from cloud.vehicles.missions.signals import MissionBell, mission_bell_of
    from cloud.vehicles.missions.store import MissionRows
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(
    package=__name__,
    jobs="jobs:jobs",
    tables="tables",
    commands={"missions": "cli:missions"},
)
