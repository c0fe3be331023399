"""`decode.*`: the whole path of the manager on one core, from received bytes to response bytes.

One run associates a device and receives tens of thousands of reports. Framing, lengths, report numbers and invoke-ids
are checked; observations with value, unit, code, device time and reception time are built; every event is delivered,
and every confirmed report is acknowledged. `scan_report` and `rtsa` come in reads of 64 KiB, as on a link that catches
up after a stall; `scan_report_single` comes one report a read, as devices send. The reports are confirmed, because the
promised figure is for confirmed reports; each has another invoke-id, number, value and time. The counts are checked in
each run. The reference loops over the same bytes once.

During a run, existing objects are frozen for the garbage collector, as a long-running process freezes its objects after
its start. Otherwise the figure would include walks over 120 000 unrelated objects.
"""

import gc
from collections.abc import Callable

from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.ieee11073_apdus import scan_report
from tests.builders.ieee11073_devices import OXIMETER, ecg_configuration, minute, operating_manager

READ_BYTES = 65_536
REPORTS = 65_536
RTSA_REPORTS = 16_384
SCAN_REPORT_OCTETS = 58
ANSWER_OCTETS = 22
_SAMPLES = 100

Run = Callable[[], int]


def measure_scan_report() -> tuple[Run, Run]:
    """Return two runs over 58-byte fixed-format oximeter reports: one decodes the reports, the reference run loops over
    their bytes. Each report has two observations with their own time stamps."""
    apdus = [_oximeter_report(number) for number in range(REPORTS)]
    assert all(len(apdu) == SCAN_REPORT_OCTETS for apdu in apdus)
    return _runs(OXIMETER, _joined(apdus), apdus, observations=2)


def measure_scan_report_single() -> tuple[Run, Run]:
    """Return two runs over 58-byte fixed-format oximeter reports: one decodes the reports, each received by itself, and
    the reference run loops over their bytes."""
    apdus = [_oximeter_report(number) for number in range(REPORTS)]
    return _runs(OXIMETER, apdus, apdus, observations=2)


def measure_rtsa() -> tuple[Run, Run]:
    """Return two runs over ECG reports, each with one array of 100 samples: one run decodes the reports, the reference
    run loops over their bytes."""
    configuration = ecg_configuration(samples=_SAMPLES)
    apdus = []
    for number in range(RTSA_REPORTS):
        samples = b"".join(
            ((number * 7 + at * 31) % 4000 - 2000).to_bytes(2, "big", signed=True) for at in range(_SAMPLES)
        )
        report = fixed_report(configuration, (Reading(1, samples),))
        apdus.append(scan_report(report, report_no=number, invoke_id=number))
    return _runs(configuration, _joined(apdus), apdus, observations=1)


def _oximeter_report(number: int) -> bytes:
    taken = minute(number // 6000, number % 6000)
    readings = (Reading(1, 90.0 + number % 10, taken), Reading(10, 60.0 + number % 40, taken))
    return scan_report(fixed_report(OXIMETER, readings), report_no=number, invoke_id=number)


def _joined(apdus: list[bytes]) -> list[bytes]:
    """Join the APDUs and split them into reads of 64 KiB."""
    octets = b"".join(apdus)
    return [octets[at : at + READ_BYTES] for at in range(0, len(octets), READ_BYTES)]


def _runs(
    configuration: Configuration, reads: list[bytes], apdus: list[bytes], *, observations: int
) -> tuple[Run, Run]:
    octets = b"".join(apdus)

    def ours() -> int:
        association = operating_manager(configuration)
        gc.freeze()
        try:
            reports = _received(association, reads, observations)
        finally:
            gc.unfreeze()
        assert reports == len(apdus)
        return reports

    def reference() -> int:
        x = 0
        for b in octets:
            x += b & 3
        return len(apdus)

    return ours, reference


def _received(association: ManagerAssociation, reads: list[bytes], observations: int) -> int:
    """Pass the reads to the association; report each event as delivered and take each response, as a session does.
    Check that each report has `observations` observations and is acknowledged; return the number of reports."""
    reports = answered_octets = 0
    for number, octets in enumerate(reads):
        for event in association.receive(octets, float(number)):
            if isinstance(event, ReportReceived):
                assert len(event.observations) == observations * event.reports
                reports += event.reports
            association.delivered(event)
        answered_octets += len(association.to_send())
    assert answered_octets == reports * ANSWER_OCTETS
    return reports
