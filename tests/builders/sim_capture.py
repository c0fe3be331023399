"""Wire captures made in memory: the APDUs between our agent and our manager."""

from collections.abc import Sequence

from gateway.transports.capture import Capture, Record
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.specializations.standard import OXIMETER


def oximeter_capture(
    *, conns: Sequence[int] = (1,), confirmed: int = 2, known: bool = True, overlapping: bool = False, profile: str = ""
) -> Capture:
    """Return a capture in which each connection has an association, `confirmed` reports and a release.

    Connections follow each other 10 s apart, or all start at 0 s if `overlapping`.
    """
    records: list[Record] = []
    for place, conn in enumerate(conns):
        records += _conversation(conn, 0.0 if overlapping else place * 10.0, confirmed, known)
    return Capture({"profile": profile}, tuple(sorted(records, key=lambda record: record.t_s)))


def _conversation(conn: int, start_s: float, confirmed: int, known: bool) -> list[Record]:
    agent = AgentAssociation(system_id=bytes((2, 0, 0, 0, 0, 0, 0, conn)), configurations=(OXIMETER,))
    manager = ManagerAssociation(
        system_id=b"recorder",
        configurations=RememberedConfigurations(),
        settings=ManagerSettings(accept_standard_configurations=known),
    )
    records: list[Record] = []
    now_s = start_s

    def exchange() -> None:
        nonlocal now_s
        while True:
            now_s += 0.01
            said = agent.to_send()
            if said:
                records.append(Record("agent->manager", said, now_s, conn))
                for event in manager.receive(said, now_s):
                    manager.delivered(event)
            answered = manager.to_send()
            if answered:
                records.append(Record("manager->agent", answered, now_s, conn))
                agent.receive(answered, now_s)
            if not said and not answered:
                return

    agent.associate(now_s)
    exchange()
    for number in range(confirmed):
        readings = [Reading(1, 97.0 - number), Reading(10, 70.0 + number)]
        agent.report(fixed_report(OXIMETER, readings), confirmed=True, now_s=now_s)
        exchange()
    agent.release(now_s)
    exchange()
    return records
