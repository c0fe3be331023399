"""The simulated peers of the fuzzer's courses (associations fed mutated APDUs): the devices of the corpus and of the
shared captures, and agents of every kind.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from protocols.ieee11073.apdu import actions, body_of, decode_data
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import GetResult
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_clock import SettableClock
from protocols.ieee11073.association.agent_data_requests import DataScope, ServedRequests
from protocols.ieee11073.association.agent_pm_store import AgentPmStore
from protocols.ieee11073.association.clock_setting import WallClock
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings
from protocols.ieee11073.dim.attribute import ObjectClass
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report
from protocols.ieee11073.specializations import standard_configuration
from tests.builders.ieee11073_apdus import AGENT_ID, MANAGER_ID, config_report, get_response
from tests.builders.ieee11073_captures import records
from tests.builders.ieee11073_corpus import apdu, apdus, conversations
from tests.builders.ieee11073_devices import ALARMS, BLOOD_PRESSURE, OXIMETER, ecg_configuration, minute
from tests.builders.ieee11073_fuzz import Samples, is_response, kind_of
from tests.builders.ieee11073_fuzz_roles import AgentCourse, ManagerCourse
from tests.builders.ieee11073_splices import Pool, Sample
from tests.builders.memory_devices import METER, STORE, HeldMemory, meter_segment
from tests.harness.shared import shared_path

ALL_KINDS = (
    actions.SUPPORTS_STOP
    | actions.SUPPORTS_SCOPE_ALL
    | actions.SUPPORTS_SCOPE_CLASS
    | actions.SUPPORTS_SCOPE_HANDLE
    | actions.SUPPORTS_SINGLE_RESPONSE
    | actions.SUPPORTS_TIME_PERIOD
    | actions.SUPPORTS_TIME_NO_LIMIT
    | actions.SUPPORTS_PERSON_ID
)


def captured() -> dict[str, list[tuple[str, bytes]]]:
    """Map each shared capture to the sender (`agent` or `manager`) and the bytes of its APDUs. The map is empty where
    the captures are absent."""
    try:
        folder = shared_path("data/captures")
    except pytest.skip.Exception:
        return {}
    return {path.stem: records(path) for path in sorted(folder.glob("*.jsonl"))}


def recorded() -> dict[str, list[tuple[str, bytes]]]:
    """Map each conversation of the corpus, and each shared capture, to the sender and the bytes of its APDUs."""
    known = {name: [(sample.name, sample.octets) for sample in samples] for name, samples in conversations().items()}
    return {**known, **captured()}


class Peers:
    """The simulated peers of all fuzzing courses (associations). A test creates the peers once, because parsing the
    corpus takes longer than many courses."""

    def __init__(self) -> None:
        self._recorded = {name: [(who, Sample(octets)) for who, octets in said] for name, said in recorded().items()}
        single = [Sample(one.octets) for one in apdus()]
        self._every = single + [sample for said in self._recorded.values() for _, sample in said]
        self.pool = Pool(self._every)
        self._single = single
        self.names = sorted(self._recorded)
        self._answers = {who: responses_of(self._recorded, who) for who in ("agent", "manager")}
        self._agents = (OXIMETER, BLOOD_PRESSURE, ALARMS, ecg_configuration(), METER)

    def manager_course(self, random: Random) -> ManagerCourse:
        """Return a fuzzing course (one association) of our manager with a randomly chosen recorded device."""
        said = [sample for who, sample in self._recorded[random.choice(self.names)] if who == "agent"]
        request = next(one for one in said if one.octets[:1] == b"\xe2")
        configuration = next((one for one in said if one.octets[18:20] == b"\x0d\x1c"), None)
        if configuration is None:
            known = standard_configuration(int.from_bytes(request.octets[44:46], "big")) or OXIMETER
            configuration = Sample(config_report(known))
        identity = next((one for one in said if one.octets[8:10] == b"\x02\x03"), None) or Sample(get_response())
        due = [one for one in said if one is not configuration] + (self._single if random.random() < 0.3 else [])
        settings = ManagerSettings(
            accept_standard_configurations=random.random() < 0.5,
            resynchronise=random.random() < 0.3,
            memory=PmStoreSettings(clear=random.random() < 0.5),
        )
        remembered = RememberedConfigurations()

        def make() -> ManagerAssociation:
            return ManagerAssociation(system_id=MANAGER_ID, configurations=remembered, settings=settings)

        return ManagerCourse(
            self.pool,
            Samples(due, self._every, self._answers["agent"]),
            random,
            prefix=(request, configuration, identity),
            make=make,
            command=command,
        )

    def agent_course(self, random: Random) -> AgentCourse:
        """Return a fuzzing course (one association) of our agent, which has every service, with recorded requests of
        managers."""
        configuration = random.choice(self._agents)
        due = [sample for said in self._recorded.values() for who, sample in said if who == "manager"]
        due += [one for one in self._single if one.octets[8:10] in (b"\x01\x03", b"\x01\x05", b"\x01\x07")]
        verdict = apdu("e6").replace(b"\x02\xbc", configuration.config_id.to_bytes(2, "big"))

        def make() -> AgentAssociation:
            return AgentAssociation(
                system_id=AGENT_ID,
                configurations=(configuration, OXIMETER),
                mds_attributes=mds,
                services=services(configuration),
            )

        return AgentCourse(
            self.pool,
            Samples(due, self._every, self._answers["manager"]),
            random,
            answers=(Sample(apdu(random.choice(("e2", "e3")))), Sample(verdict)),
            make=make,
            report=reporting(configuration),
        )


def responses_of(recorded: Mapping[str, list[tuple[str, Sample]]], who: str) -> dict[bytes, list[Sample]]:
    """Map each kind of request (see `kind_of`) to the responses that `who` (`agent` or `manager`) sent to it."""
    found: dict[bytes, list[Sample]] = {}
    for said in recorded.values():
        open_requests: dict[bytes, bytes] = {}
        for speaker, sample in said:
            invoke_id = sample.octets[6:8]
            if speaker != who and sample.octets[8:9] == b"\x01":
                open_requests[invoke_id] = kind_of(sample.octets)
            elif speaker == who and is_response(sample.octets) and invoke_id in open_requests:
                found.setdefault(open_requests[invoke_id], []).append(sample)
    return found


def readings(configuration: Configuration) -> tuple[Reading, ...]:
    """Return one reading for each numeric object of the configuration; empty for configurations without numerics."""
    values: dict[Configuration, tuple[Reading, ...]] = {
        OXIMETER: (Reading(1, 97.0, minute(1)), Reading(10, 60.0, minute(1))),
        BLOOD_PRESSURE: (Reading(1, (120.0, 80.0, 93.0), minute(1)), Reading(2, 64.0)),
        METER: (Reading(1, 110.0, minute(1)),),
    }
    return values.get(configuration, ())


def mds() -> tuple[AvaType, ...]:
    """Return the MDS attributes of the corpus's APDU `e9`, an oximeter whose clock can be set and needs to be set."""
    found = body_of(decode_data(apdu("e9")[6:]))
    assert isinstance(found, GetResult)
    return found.attribute_list


def services(configuration: Configuration) -> tuple[Any, ...]:
    """Return an agent's services: a settable clock and data requests, and for the configuration of the meter also a
    PM-store."""
    report = fixed_report(configuration, readings(configuration))

    def current(scope: DataScope) -> ScanReport | None:
        return report if scope.handles is None else None

    memory = (AgentPmStore(STORE, HeldMemory([meter_segment(1, range(5)), meter_segment(2, [9])])),)
    clock, requests = SettableClock(lambda time: None), ServedRequests(current, supports=ALL_KINDS, flows_max=2)
    return (clock, requests, *(memory if configuration is METER else ()))


def reporting(configuration: Configuration) -> Callable[[AgentAssociation, float, Random], None]:
    """Return a function that sends one report, if the agent may send a report at that time."""
    scanner = next((one for one in configuration.objects if one.obj_class == ObjectClass.PERIODIC_SCANNER), None)

    def report(agent: AgentAssociation, now_s: float, random: Random) -> None:
        if scanner is not None:
            if agent.scanner_enabled(scanner.obj_handle):
                group = (Reading(1, bytes(16)), Reading(2, 70.0))
                grouped = grouped_report(configuration, scanner.obj_handle, [group])
                agent.report(grouped, confirmed=False, now_s=now_s)
        elif agent.can_confirm:
            report = fixed_report(configuration, readings(configuration))
            agent.report(report, confirmed=random.random() < 0.7, now_s=now_s)

    return report


def command(manager: ManagerAssociation, now_s: float, random: Random) -> None:
    """Give a random command to one of the manager's services: read or set the clock, start the scanners, fetch the
    PM-stores. Raise `LocalProtocolError` where the command is not allowed now."""
    match random.randrange(4):
        case 0:
            manager.clock_setting.read_clocks(now_s)
        case 1:
            manager.clock_setting.set_time(WallClock(1_772_000_000_000_000, zone_min=60), now_s)
        case 2:
            manager.scanners.begin()
        case _:
            manager.pm_stores.begin()
