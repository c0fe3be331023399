"""Generic health sensor: saturation and pulse rate as Health Observations, live and stored.

Live observations are sent every second once the client has started them on its connection. Without a connection one
pair of observations is stored every fifteen seconds. Observations carry UTC from a synchronised clock. They are sent in
segments that fit the client's MTU; the store and the witness file have each observation whole, as one segment.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from protocols.ble.elapsed_time import ElapsedTime, elapsed_time_at
from protocols.ble.generic_health_sensor import (
    GHS_CONTROL_POINT,
    HEALTH_SENSOR_FEATURES,
    START_LIVE,
    STOP_LIVE,
    SUCCESS,
    GhsControl,
    HealthSensorFeatures,
    Specialisation,
    decode_control,
    encode_control,
    encode_features,
)
from protocols.ble.ghs_observation import GhsObservation, Numeric, decode_observation
from protocols.ble.ghs_segments import (
    COUNTERS,
    LIVE_OBSERVATION,
    STORED_OBSERVATION,
    ObservationSegment,
    encode_segment,
    read_segment,
    segments_of,
)
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.uuids import GENERIC_HEALTH_SENSOR
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.specializations import codes
from protocols.ieee11073.specializations.profiles import PULSE_OXIMETER
from protocols.observation import Scalar
from simulators.agents.device import Description, Pace
from simulators.agents.objects import scalar
from simulators.ble.sensor import ACCEPTED, Keep, MomentAt, Offered, Sample, Sensor, Way, local_us_of
from simulators.ble.store import Values
from simulators.physiology.patient import Patient, Vitals

_BY_NETWORK_TIME = 1
_COMMAND_NOT_SUPPORTED = 0x80
_SPO2, _PULSE_RATE = codes.SPO2.context_free, codes.PULSE_RATE_OXIMETER.context_free


class HealthSensor(Sensor):
    """Generic health sensor. The record number of an observation is its number in the device's store."""

    services = (GENERIC_HEALTH_SENSOR,)
    numbering = RecordNumbering.RECORD_NUMBER
    cuts_up = True

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description)
        self._each_second = Pace(1.0, 1.0)
        self._stored = Pace(5.0, 15.0)
        self._started = False
        self._counters: Counter[int] = Counter()

    @property
    def due_s(self) -> float:
        return min(self._each_second.due_s, self._stored.due_s)

    @property
    def streams(self) -> bool:
        return self._started

    def connected(self) -> None:
        super().connected()
        self._started = False

    def offered(self) -> tuple[Offered, ...]:
        service = GENERIC_HEALTH_SENSOR
        features = encode_features(
            HealthSensorFeatures((_SPO2, _PULSE_RATE), (Specialisation(PULSE_OXIMETER.profile, 1),))
        )
        return (
            Offered(service=service, uuid=HEALTH_SENSOR_FEATURES, read=lambda: features),
            Offered(service=service, uuid=LIVE_OBSERVATION, way=Way.NOTIFIED),
            Offered(service=service, uuid=STORED_OBSERVATION, way=Way.NOTIFIED),
            Offered(service=service, uuid=GHS_CONTROL_POINT, way=Way.INDICATED, write=self._commanded),
        )

    def measure(self, now_s: float, moment_at: MomentAt) -> Iterable[Sample]:
        vitals = self.patient.vitals()
        at_s = self._each_second.turn_s(now_s)
        if at_s is not None:
            observed = _observed(vitals, moment_at(at_s))
            yield Sample(live=tuple((LIVE_OBSERVATION, _whole(each, None)) for each in observed))
        at_s = self._stored.turn_s(now_s)
        if at_s is not None:
            for each in _observed(vitals, moment_at(at_s)):
                yield Sample(kept=partial(_record, each), keep=Keep.UNHEARD)

    def on_air(self, characteristic: int, octets: bytes, room: int) -> Sequence[bytes]:
        if characteristic not in (LIVE_OBSERVATION, STORED_OBSERVATION):
            return (octets,)
        whole = read_segment(octets, stored=characteristic == STORED_OBSERVATION)
        try:
            assert isinstance(whole.content, bytes)
            observation = decode_observation(whole.content)
        except RemoteProtocolError:
            return (octets,)  # it was damaged on purpose
        counter = self._counters[characteristic]
        pieces = tuple(segments_of(observation, value_bytes_max=room, counter=counter, record=whole.record))
        self._counters[characteristic] = (counter + len(pieces)) % COUNTERS
        return pieces

    def _commanded(self, octets: bytes) -> int:
        try:
            opcode = decode_control(octets).opcode
        except RemoteProtocolError:
            return _COMMAND_NOT_SUPPORTED
        if opcode not in (START_LIVE, STOP_LIVE):
            return _COMMAND_NOT_SUPPORTED
        self._started = opcode == START_LIVE
        self.responses.append((GHS_CONTROL_POINT, encode_control(GhsControl(SUCCESS))))
        return ACCEPTED


def _observed(vitals: Vitals, moment: datetime | None) -> tuple[GhsObservation, ...]:
    time = None if moment is None else elapsed_time_at(local_us_of(moment), source=_BY_NETWORK_TIME)
    return (
        _numeric(_SPO2, codes.PERCENT.code, scalar(vitals.spo2_percent, 1), time),
        _numeric(_PULSE_RATE, codes.BEATS_PER_MIN.code, scalar(vitals.pulse_rate_bpm, 0), time),
    )


def _numeric(kind: int, unit: int, value: Scalar, time: ElapsedTime | None) -> GhsObservation:
    return GhsObservation(value=Numeric(unit, value), type=kind, time=time)


def _whole(observation: GhsObservation, record: int | None) -> bytes:
    return encode_segment(ObservationSegment(first=True, last=True, counter=0, content=observation, record=record))


def _record(observation: GhsObservation, number: int) -> Values:
    return ((STORED_OBSERVATION, _whole(observation, number)),)
