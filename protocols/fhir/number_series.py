"""The numbers of one channel, as entries of a bundle or as lines.

Most observations of an encounter are numbers of few channels. Those of one channel in one lane of a gateway, with the
same status, differ only in their places in the lane, their times and their numbers. So all else is looked up once for
the series, and a number needs no `ObservationRecord`.
"""

from protocols.fhir.datatypes import number_text
from protocols.fhir.observations import ObservationEntries, Origin, Template, quantity_members
from protocols.observation_record import ObservationRecord, utc_text


class NumberSeries:
    """Writes the numbers of the channel, lane and status of `record`, whose own value is a number too. `origin` and
    `metric` are what they refer to."""

    __slots__ = ("_entries", "_id_of", "_members", "_metric", "_plain", "_record", "_stamped", "origin")

    def __init__(self, entries: ObservationEntries, record: ObservationRecord, origin: Origin, metric: str) -> None:
        assert type(record.value) is float, "the series has numbers only"
        self.origin = origin
        self._entries, self._record, self._metric = entries, record, metric
        self._id_of = entries.prefix_of(record).id_of
        self._members = quantity_members(record.unit, origin.unit)
        self._plain: Template | None = None
        self._stamped: Template | None = None

    def write(self, sequence: int, index: int, observed_at_us: int, number: float, coincident: str | None) -> str:
        """Return the JSON of a number. `coincident` is the id of its coincident time stamp; None: it has none."""
        if coincident is None:
            template = self._plain
            if template is None:
                template = self._plain = self._template(has_coincident=False)
        else:
            template = self._stamped
            if template is None:
                template = self._stamped = self._template(has_coincident=True)
        id_, time = self._id_of(f"{sequence}/{index}"), utc_text(observed_at_us)
        if template.is_absent:
            return template.write(id_, time, coincident or "", ())
        value = f'"valueQuantity":{{"value":{number_text(number)},{self._members}'
        return template.write_one(id_, time, coincident or "", value)

    def _template(self, *, has_coincident: bool) -> Template:
        return self._entries.template(self._record, self.origin, self._metric, has_coincident=has_coincident)
