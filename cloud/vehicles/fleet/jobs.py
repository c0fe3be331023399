"""The background jobs of the fleet: report silent gateways, keep the broker's files and rights up to date."""

from collections.abc import Callable

from cloud.clinical.devices import SilenceSection
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.observability import REVOCATION_LIST_SECONDS_LEFT, Metrics
from cloud.foundation.process import Process, Role
from cloud.foundation.supplies import Need
from cloud.vehicles.fleet.broker_directory import BrokerDirectory, BrokerUpkeep, RightsSender, expiry_of
from cloud.vehicles.fleet.rabbitmq_upkeep import AdmittedGateways, RabbitmqRights
from cloud.vehicles.fleet.settings import BrokerSection, MqttSection, RabbitmqSection
from cloud.vehicles.fleet.silence import GatewaySilence

RIGHTS_SENDER: Need[Callable[[MqttSection], RightsSender]] = Need(
    "send the rights of gateways to the running broker, which ingest connects to"
)


def jobs(process: Process) -> Jobs:
    silence_us, clock = process.settings.section(SilenceSection).gateway_us, process.clock
    watch = GatewaySilence(process.ids, silence_us)
    watches = [Chore("silent_gateways", watch.report, clock.now_us() + silence_us)]
    mqtt, rabbitmq = process.settings.find(MqttSection), process.settings.find(RabbitmqSection)
    section = process.settings.find(BrokerSection)
    if Role.WORKER not in process.roles:
        return Jobs(watches=watches)
    if mqtt is not None and rabbitmq is not None:
        keeping = BrokerUpkeep(AdmittedGateways(process.database), clock, RabbitmqRights(mqtt, rabbitmq))
        return Jobs(loops=[Loop("broker-upkeep", keeping.run)], watches=watches)
    if section is None:
        return Jobs(watches=watches)
    folder = section.directory
    login, rights = (None, None) if mqtt is None else (mqtt.login(), process.supplies[RIGHTS_SENDER](mqtt))
    upkeep = BrokerUpkeep(BrokerDirectory(process.database, clock, process.master, folder, login), clock, rights)

    async def sample(metrics: Metrics) -> None:
        until_us = expiry_of(folder)
        if until_us is not None:
            metrics.set(REVOCATION_LIST_SECONDS_LEFT, (until_us - clock.now_us()) // 1_000_000)

    return Jobs(loops=[Loop("broker-upkeep", upkeep.run)], watches=watches, samplers=[("broker directory", sample)])
