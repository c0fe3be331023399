"""The history of each device at this gateway, for the engineer who made the device: facts, counts, and every deviation
from the protocol.

The attributes of the MDS and the bytes of a deviation are kept as the device sent them, so that a later release can
interpret them better. `gateway/console/device_view` turns a history into text. Every part is bounded, because a hostile
device decides what it sends; `histories` bounds the number of devices.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from protocols.bounded_map import BoundedMap
from protocols.deviation import Deviation
from protocols.device_description import DeviceDescription
from protocols.device_time import TimeKind
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.dim.description import description_of
from protocols.ieee11073.dim.identity import DeviceIdentity, identity_of

DEVIATIONS_MAX = 64
"""Maximum number of kinds of deviation of one device; the kind that was not seen for longest is dropped."""
OCTETS_MAX = 256
"""Maximum number of bytes that are kept of a deviation: a whole report of most devices."""
SENTENCE_LENGTH_MAX = 300
ATTRIBUTES_BYTES_MAX = 8 * 1024
"""Maximum number of bytes of MDS attributes. A device has about three hundred."""
OBJECT_ATTRIBUTES_MAX = 64
"""Maximum number of object attributes kept from reports; the one that was reported longest ago is dropped."""
LINKS_MAX = 8
SETTINGS_MAX = 8


STORE_FULL = "store full"
NO_FORM = "no form in the record"
"""Reasons for which reports are refused, as `devices show` prints them."""


class SettingOutcome(StrEnum):
    """The possible results of one check of a device's clock."""

    SET = "set"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    LEFT = "left as it was"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSetting:
    """Result of one check of a device's clock. `offset_us`: the gateway's clock minus the device's; None if unknown."""

    at_us: int
    outcome: SettingOutcome
    why: str = ""
    offset_us: int | None = None
    uncertainty_us: int | None = None


@dataclass(slots=True, kw_only=True)
class SeenDeviation:
    """A kind of deviation from the protocol. `associations`: how many associations showed it. `octets`: bytes of its
    latest occurrence."""

    key: str
    sentence: str
    clause: str
    octets: bytes
    associations: int
    first_us: int
    last_us: int


@dataclass(slots=True, kw_only=True)
class SeenLink:
    """A link over which the device connected."""

    associations: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenClock:
    """Relation of one clock of the device to the gateway's. `offset_us` (None: unknown) is added to the clock's time to
    get UTC in µs; for a counter, it is the UTC time at which the counter was zero."""

    offset_us: int | None
    uncertainty_us: int
    at_us: int
    drift_ppm: float | None = None
    """Rate against the gateway's clock in parts per million; negative: slower. None while unknown."""


@dataclass(slots=True, kw_only=True)
class DeviceHistory:
    """The history of one device, over all its associations. Times are the gateway's wall clock in µs."""

    system_id: str
    first_us: int
    last_us: int
    attributes: tuple[tuple[int, bytes], ...] = ()
    """Attributes of the MDS, as the device last sent them: pairs of attribute id and bytes."""
    attributes_dropped: int = 0
    object_attributes: BoundedMap[tuple[int, int], bytes] = field(
        default_factory=lambda: BoundedMap(OBJECT_ATTRIBUTES_MAX)
    )
    """Attributes in reports beside the values: (object handle, attribute id) → first bytes of the latest value."""
    identified_us: int | None = None
    config_id: int | None = None
    learned: bool = False
    """True when the device itself sent this configuration, in any association."""
    agreed_us: int | None = None
    associations: int = 0
    reports: int = 0
    observations: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    """Number of refused reports, by reason."""
    refused_claims: dict[str, int] = field(default_factory=dict)
    """Number of associations that were ended because the device may not use the id over its link, by reason."""
    refused_claim_link: str = ""
    """The link of the latest association that was ended because the device may not use the id over this link."""
    lost: int = 0
    memory_entries: int = 0
    """Number of PM-store entries that are durable in the gateway's store."""
    memory_observations: int = 0
    """Number of observations in the durable PM-store entries."""
    memory_segments: int = 0
    """Number of PM-store segments that were fetched to their last entry."""
    memory_refused: int = 0
    """Number of PM-store entries that the gateway's store refused."""
    ends: dict[str, int] = field(default_factory=dict)
    """Number of ended associations, by the kind of their end."""
    links: BoundedMap[str, SeenLink] = field(default_factory=lambda: BoundedMap(LINKS_MAX))
    clocks: dict[TimeKind, SeenClock] = field(default_factory=dict)
    settings: list[ClockSetting] = field(default_factory=list)
    deviations: list[SeenDeviation] = field(default_factory=list)
    """Kinds of deviation; the kind that was seen last is at the end."""
    deviations_dropped: int = 0
    indications: int = 0
    """Number of stored measurements that a Bluetooth stack confirmed before they were durable (`ConfirmWindow`)."""
    window_us_max: int = 0
    """Longest time between confirmation and commit of an indicated measurement, over all links."""
    window_us_p99: int = 0
    """99th percentile of the time between confirmation and commit, over the latest link."""
    changes: int = 0
    """A number that grows with every change. It is not stored."""

    @property
    def description(self) -> DeviceDescription:
        """The device as it described itself last."""
        attributes = tuple(AvaType(*pair) for pair in self.attributes)
        return description_of(identity_of(bytes.fromhex(self.system_id), attributes))

    def add_association(self, link: str, at_us: int) -> None:
        self._seen(at_us)
        self.associations += 1
        name = _without_port(link)
        known = self.links.get(name) or SeenLink(associations=0, first_us=at_us, last_us=at_us)
        known.associations += 1
        known.last_us = at_us
        self.links[name] = known

    def set_configuration(self, config_id: int, *, learned: bool, at_us: int) -> None:
        self._seen(at_us)
        self.learned = learned or (self.learned and self.config_id == config_id)
        self.config_id, self.agreed_us = config_id, at_us

    def set_identity(self, identity: DeviceIdentity, at_us: int) -> None:
        self.identified_us = at_us
        self._describe(identity.attributes, at_us)

    def update_attributes(self, attributes: Iterable[tuple[int, bytes]], at_us: int) -> None:
        """Replace the attributes of the device's MDS that have a new value."""
        self._describe(tuple({**dict(self.attributes), **dict(attributes)}.items()), at_us)

    def add_object_attributes(self, handle: int, attributes: Iterable[tuple[int, bytes]], at_us: int) -> None:
        """Store the attributes, other than values, that a report contained for the object `handle`."""
        self._seen(at_us)
        for attribute_id, value in attributes:
            self.object_attributes[handle, attribute_id] = value[:OCTETS_MAX]

    def _describe(self, attributes: tuple[tuple[int, bytes], ...], at_us: int) -> None:
        self._seen(at_us)
        kept, octets = [], 0
        for attribute_id, value in attributes:
            octets += len(value) + 4
            if octets > ATTRIBUTES_BYTES_MAX:
                break
            kept.append((attribute_id, value))
        self.attributes = tuple(kept)
        self.attributes_dropped = len(attributes) - len(kept)

    def add_reports(self, reports: int, observations: int, at_us: int) -> None:
        self._seen(at_us)
        self.reports += reports
        self.observations += observations

    def add_refused_reports(self, reports: int, why: str, at_us: int) -> None:
        """Count refused reports. `why` is one of a few fixed texts."""
        self._seen(at_us)
        self.refusals[why] = self.refusals.get(why, 0) + reports

    def add_refused_claim(self, why: str, link: str, at_us: int) -> None:
        """Count an association that ended because the device may not use its system id over `link`. `why` is one of a
        few fixed texts."""
        self._seen(at_us)
        self.refused_claims[why] = self.refused_claims.get(why, 0) + 1
        self.refused_claim_link = _without_port(link)

    def add_entries(self, entries: int, observations: int, at_us: int, *, is_last: bool) -> None:
        """Count durable entries of a PM-store. `is_last`: the last of these entries is the last one of its segment."""
        self._seen(at_us)
        self.memory_entries += entries
        self.memory_observations += observations
        self.memory_segments += is_last

    def add_refused_entries(self, entries: int, at_us: int) -> None:
        self._seen(at_us)
        self.memory_refused += entries

    def add_lost_reports(self, reports: int, at_us: int) -> None:
        self._seen(at_us)
        self.lost += reports

    def add_indications(self, count: int, us_max: int, us_p99: int, at_us: int) -> None:
        """Count measurements that the Bluetooth stack confirmed before their commit. `us_max`, `us_p99`: longest time
        between confirmation and commit, and its 99th percentile."""
        self._seen(at_us)
        self.indications += count
        self.window_us_max = max(self.window_us_max, us_max)
        self.window_us_p99 = us_p99

    def add_end(self, how: str, at_us: int) -> None:
        """Count the end of an association. `how` is one of a few fixed texts."""
        self._seen(at_us)
        self.ends[how] = self.ends.get(how, 0) + 1

    def set_clock(
        self, kind: TimeKind, offset_us: int | None, uncertainty_us: int, at_us: int, drift_ppm: float | None = None
    ) -> None:
        """Set the relation of the device's clock of this kind to UTC. Without `drift_ppm`, keep the drift that is known
        already."""
        known = self.clocks.get(kind)
        if drift_ppm is None and known is not None:
            drift_ppm = known.drift_ppm
        self.clocks[kind] = SeenClock(
            offset_us=offset_us, uncertainty_us=uncertainty_us, at_us=at_us, drift_ppm=drift_ppm
        )
        self.changes += 1

    def add_clock_setting(self, setting: ClockSetting) -> None:
        self._seen(setting.at_us)
        self.settings = [*self.settings, setting][-SETTINGS_MAX:]

    def add_deviation(self, event: Deviation, at_us: int) -> None:
        """Count a deviation from the protocol. Keep the bytes of its latest occurrence, which show the device's present
        behaviour."""
        self._seen(at_us)
        sentence = event.sentence[:SENTENCE_LENGTH_MAX]
        known = next(
            (each for each in self.deviations if (each.sentence, each.clause) == (sentence, event.clause)), None
        )
        if known is None:
            known = SeenDeviation(
                key=event.key,
                sentence=sentence,
                clause=event.clause,
                octets=b"",
                associations=0,
                first_us=at_us,
                last_us=at_us,
            )
        else:
            self.deviations.remove(known)
        known.associations += 1
        known.last_us = at_us
        known.octets = bytes(event.octets[:OCTETS_MAX]) or known.octets
        self.deviations.append(known)
        dropped = max(0, len(self.deviations) - DEVIATIONS_MAX)
        del self.deviations[:dropped]
        self.deviations_dropped += dropped

    def _seen(self, at_us: int) -> None:
        self.last_us = max(self.last_us, at_us)
        self.changes += 1


def _without_port(link: str) -> str:
    """Return the name of a link. For TCP, the peer's port is left out, since it differs in each connection."""
    return link.rpartition(":")[0] if link.startswith("tcp:") else link
