"""Events for attributes that reports contain in addition to values: those of the device (handle 0) and of its objects.

An event is emitted when such an attribute differs from its last value in this association. When several reports arrive
at once, each change gets an event, in the order of the reports. A clock adjustment (Date-and-Time-Adjustment) is always
emitted, since each is a new occurrence. The memory of last values is limited: when it is full it is cleared, and values
are emitted again.
"""

from collections.abc import Iterator
from hashlib import blake2b

from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.association.manager_events import AttributesReported, MdsChanged
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.device_model import MDS_HANDLE
from protocols.ieee11073.dim.identity import identity_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.report_run import ReportPlan, Run
from protocols.ieee11073.tolerances import Oddity

REMEMBERED_MAX = 1024
"""Limit of attributes whose last bytes are kept; a device has a few dozen."""
_BYTES_KEPT = 64
_HAPPENINGS = frozenset({Attribute.DATE_AND_TIME_ADJUSTMENT})


class CarriedAttributes:
    """The last reported bytes, in this association, of each attribute that holds no measured value."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._mds_event: dict[tuple[int, int | None, int], bytes] = {}

    def events(self, plan: ReportPlan, run: Run, now_s: float) -> Iterator[MdsChanged | AttributesReported]:
        """Yield an event for each change in a run (consecutive reports of one layout), report by report."""
        varies = any(item.varies(run.columns) or item.names(_HAPPENINGS) for item in plan.carried)
        for at in range(run.reports if varies else 1):
            for item in plan.carried:
                news = tuple(
                    (attribute, data)
                    for attribute, data in item.attribute_bytes(run.columns, at)
                    if self._is_news((item.handle, item.person, attribute), data)
                )
                if news and item.handle == MDS_HANDLE:
                    yield self._mds_changed(news, now_s)
                elif news:
                    time = item.device_time(run.columns, at)
                    yield AttributesReported(item.handle, item.person, time, news, now_s)

    def _is_news(self, key: tuple[int, int | None, int], data: bytes) -> bool:
        if key[-1] in _HAPPENINGS:
            return True
        kept = data if len(data) <= _BYTES_KEPT else b"hash" + blake2b(data, digest_size=_BYTES_KEPT).digest()
        if self._mds_event.get(key) == kept:
            return False
        if len(self._mds_event) >= REMEMBERED_MAX:
            self._mds_event.clear()
        self._mds_event[key] = kept
        return True

    def _mds_changed(self, news: tuple[tuple[int, bytes], ...], now_s: float) -> MdsChanged:
        identity = identity_of(b"", tuple(AvaType(*pair) for pair in news))
        values = dict(news)
        for attribute in identity.unreadable:
            self._notes.add(Oddity.MDS_ATTRIBUTE_UNREADABLE, values[attribute], attribute=attribute)
        return MdsChanged(
            attributes=news,
            received_s=now_s,
            battery_percent=identity.battery_percent,
            power_status=identity.power_status,
            battery_remaining=identity.battery_remaining,
            date_and_time=identity.date_and_time,
        )
