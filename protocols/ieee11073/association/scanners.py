"""The scanners of a device: enable them, and detect a scanner that stops reporting (reference 20601 §6 and §8.6).

A scanner is disabled when an association begins. The manager enables one scanner after the other by a confirmed Set of
the Operational-State. A device that refuses or does not respond stays associated: the scanner may report all the same,
and so may the MDS. Attributes that the configuration lacks are requested by a Get.

One event is emitted when an enabled periodic scanner has not reported for many of its intervals. A waveform that has
stopped needs a person's attention, but is no reason to end the reports of other scanners. The Confirm-Timeout, the
device's limit for a response, has no effect here: a response is sent only when the report is durable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import AttributeModEntry, SetArgument, SetResult
from protocols.ieee11073.association.attribute_reading import Attributes, request_attributes
from protocols.ieee11073.association.manager_events import (
    ScannerNotSwitched,
    ScannerResumed,
    ScannerSilent,
    ScannerState,
)
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import UNANSWERED, refusal
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.tolerances import Oddity

SCANNERS = frozenset({ObjectClass.EPISODIC_SCANNER, ObjectClass.PERIODIC_SCANNER})

REPLACE = 0
"""modify-operator."""
DISABLED, ENABLED = 0, 1
_STATES = {DISABLED: "it is disabled", ENABLED: "it is enabled", 2: "it is not available"}

_STATE_BYTES = 2
_ATTRIBUTES: dict[int, int] = {
    Attribute.CONFIRM_MODE: 2,
    Attribute.CONFIRM_TIMEOUT: 4,
    Attribute.TRANSMIT_WINDOW: 2,
    Attribute.REPORTING_INTERVAL: 4,
    Attribute.MIN_REPORTING_INTERVAL: 4,
}
"""The scanner attributes that are kept, with their lengths in bytes."""


@dataclass(slots=True)
class Scanner:
    """A scanner as the device describes it. Times are in seconds; None: the attribute is absent."""

    handle: int
    periodic: bool
    enabled: bool | None = None
    """The state that the device reported; None before the first request, and after a timeout."""
    confirmed: bool | None = None
    """Confirm-Mode: True where its reports need a response."""
    confirm_timeout_s: float | None = None
    transmit_window: int | None = None
    interval_s: float | None = None
    """Reporting-Interval of a periodic scanner, Min-Reporting-Interval of an episodic one."""
    reports: int = 0
    """Number of its reports, as of `heard_s`."""
    heard_s: float = 0.0
    """Time of the last periodic check that found new reports."""
    silent: bool = False

    def take(self, attributes: Attributes) -> None:
        """Store the scanner's interval, confirmation and transmit window from `attributes`. An attribute of the wrong
        length is ignored."""
        values = {
            key: int.from_bytes(value, "big") for key, value in attributes if len(value) == _ATTRIBUTES.get(key, -1)
        }
        interval = Attribute.REPORTING_INTERVAL if self.periodic else Attribute.MIN_REPORTING_INTERVAL
        if interval in values:
            self.interval_s = values[interval] * RELATIVE_TIME_S
        if Attribute.CONFIRM_MODE in values:
            self.confirmed = values[Attribute.CONFIRM_MODE] == 1
        if Attribute.CONFIRM_TIMEOUT in values:
            self.confirm_timeout_s = values[Attribute.CONFIRM_TIMEOUT] * RELATIVE_TIME_S
        self.transmit_window = values.get(Attribute.TRANSMIT_WINDOW, self.transmit_window)


class Scanners(Service):
    """Service that enables and monitors the scanners of a device."""

    def __init__(self, requests: Requests, settings: ManagerSettings, reports_of: Callable[[int], int]) -> None:
        """Create the service. `reports_of(handle)` returns the number of reports of a scanner in this association."""
        super().__init__(requests)
        self._settings = settings
        self._reports_of = reports_of
        self._next_s: float | None = None
        self.known: dict[int, Scanner] = {}
        """Scanners by handle; empty outside an association."""

    @property
    def deadline_s(self) -> float | None:
        return self._next_s

    def start(self, configuration: Configuration) -> None:
        for item in configuration.objects:
            if item.obj_class in SCANNERS:
                scanner = Scanner(item.obj_handle, item.obj_class == ObjectClass.PERIODIC_SCANNER)
                scanner.take(tuple(attributes_of(item.attributes).items()))
                self.known[scanner.handle] = scanner

    def begin(self) -> None:
        if self._settings.enable_scanners:
            for handle in list(self.known)[: self._settings.scanners_max]:
                self._enable(handle)

    def end(self) -> None:
        self.known.clear()
        self._next_s = None

    def pass_time(self) -> None:
        if self._next_s is not None and self._next_s <= self._requests.now_s:
            self._look()

    def _enable(self, handle: int) -> None:
        value = AvaType(Attribute.OPERATIONAL_STATE, ENABLED.to_bytes(2, "big"))
        self._requests.enqueue(
            MessageTag.CONFIRMED_SET,
            SetArgument(handle, (AttributeModEntry(REPLACE, value),)),
            to_s=self._settings.to_set_s,
            done=partial(self._take_response, handle),
            overdue=partial(self._not_enabled, handle, UNANSWERED, b""),
        )

    def _take_response(self, handle: int, received: Received) -> None:
        result = received.body
        if not isinstance(result, SetResult):
            self._not_enabled(handle, refusal(result) or "", received.octets)
            return
        data = attributes_of(result.attribute_list).get(Attribute.OPERATIONAL_STATE)
        state = int.from_bytes(data[:2], "big") if data else ENABLED
        if state != ENABLED or (data and len(data) != _STATE_BYTES):
            why = _STATES.get(state, f"its state is {state}")
            self._not_enabled(handle, why, received.octets)
            return
        scanner = self.known[handle]
        scanner.enabled, scanner.silent = True, False
        self._requests.emit(ScannerState(handle, enabled=True))
        if scanner.periodic:
            if scanner.interval_s is None:
                self._read(handle)
            else:
                self._watch(scanner)

    def _not_enabled(self, handle: int, why: str, data: bytes) -> None:
        self.known[handle].enabled = None
        self._requests.notes.add(Oddity.SCANNER_NOT_SWITCHED, data, handle=handle, why=why)
        self._requests.emit(ScannerNotSwitched(handle, True, why))

    def _read(self, handle: int) -> None:
        request_attributes(
            self._requests,
            handle,
            tuple(_ATTRIBUTES),
            to_s=self._settings.to_get_s,
            done=partial(self._described, handle),
            withheld=lambda why: None,  # reported as a deviation; without an interval no report is due
        )

    def _described(self, handle: int, attributes: Attributes, asked_s: float) -> None:
        scanner = self.known[handle]
        scanner.take(attributes)
        if scanner.enabled and scanner.periodic:
            self._watch(scanner)

    def _watch(self, scanner: Scanner) -> None:
        """Start to monitor an enabled periodic scanner, if its interval is known."""
        if scanner.interval_s:
            scanner.reports, scanner.heard_s = self._reports_of(scanner.handle), self._requests.now_s
            self._look()

    def _patience_s(self, interval_s: float) -> float:
        return max(self._settings.scanner_silent_intervals * interval_s, self._settings.scanner_silent_s_min)

    def _look(self) -> None:
        """Report scanners that have become silent or that report again, and schedule the next check."""
        now_s, due = self._requests.now_s, []
        for scanner in self.known.values():
            if not (scanner.enabled and scanner.periodic and scanner.interval_s):
                continue
            reports, patience_s = self._reports_of(scanner.handle), self._patience_s(scanner.interval_s)
            if reports != scanner.reports:
                scanner.reports, scanner.heard_s = reports, now_s
                if scanner.silent:
                    scanner.silent = False
                    self._requests.emit(ScannerResumed(scanner.handle))
            elif not scanner.silent and now_s >= scanner.heard_s + patience_s:  # computed as for the deadline
                scanner.silent = True
                self._requests.notes.add(
                    Oddity.SCANNER_SILENT, handle=scanner.handle, interval_s=f"{scanner.interval_s:g}"
                )
                self._requests.emit(ScannerSilent(scanner.handle, now_s - scanner.heard_s, scanner.interval_s))
            due.append(now_s + patience_s if scanner.silent else scanner.heard_s + patience_s)
        self._next_s = min(due, default=None)
